"""Speak PostgreSQL's LISTEN and NOTIFY for the pub/sub port."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg

from api.adapters.broadcast_link import GAP, BroadcastUnavailable, LinkBackend

STATEMENT_SECONDS_MAX = 2.0
CONNECTIONS_MAX = 4
# The server takes payloads of up to 7,999 bytes; the difference is for the frame's heading.
# https://www.postgresql.org/docs/current/sql-notify.html
PART_BYTES_MAX = 7_900
PARTS_MAX = 16
BROKEN = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


class PostgresBackend(LinkBackend):
    """Send every message as one or more numbered frames in one statement.

    Notifications of one transaction arrive together and in order, so one unfinished message is all there is to keep;
    the numbers also tell equal messages apart, which the server would send once only. A payload that is no frame, or
    out of turn, becomes a gap.
    """

    # The driver's internal error comes up when a connection dies in the middle of an exchange.
    errors = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

    def __init__(self, url: str, capacity: int) -> None:
        super().__init__(url, capacity)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._sender = secrets.token_hex(4)
        self._numbers = itertools.count()
        self._unfinished: dict[str, tuple[str, list[str]]] = {}

    async def _open_publisher(self) -> None:
        self._pool = await asyncpg.create_pool(
            self._url,
            # The listening connection proves that the server is there; a floor would be kept up by a task of its own.
            min_size=0,
            max_size=CONNECTIONS_MAX,
            timeout=STATEMENT_SECONDS_MAX,
            command_timeout=STATEMENT_SECONDS_MAX,
            server_settings={"application_name": "broadcast publisher"},
        )

    async def _close_publisher(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def _send(self, channel: str, messages: Sequence[str]) -> None:
        payloads = [frame for message in messages for frame in frames(message, f"{self._sender}-{next(self._numbers)}")]
        try:
            await self._notify(channel, payloads)
        except BROKEN:
            # The pooled connection may be one that a restarted server has closed; twice the same frame does no harm.
            await self._notify(channel, payloads)

    async def _notify(self, channel: str, payloads: Sequence[str]) -> None:
        if self._pool is None:
            raise BroadcastUnavailable("not connected")
        async with self._pool.acquire(timeout=STATEMENT_SECONDS_MAX) as connection:
            try:
                await connection.execute(
                    "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload", channel, payloads
                )
            except BaseException:
                # Given back unclosed, it would make the pool wait for a server that may never answer.
                connection.terminate()
                raise

    async def _open(self, channels: Sequence[str]) -> None:
        self._unfinished.clear()
        self._connection = connection = await asyncpg.connect(
            self._url,
            timeout=STATEMENT_SECONDS_MAX,
            command_timeout=STATEMENT_SECONDS_MAX,
            # The server keeps every notification for a listener that it believes alive: it should find out soon.
            server_settings={
                "application_name": "broadcast listener",
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        )
        connection.add_termination_listener(self._on_termination)
        for channel in channels:
            await self._listen(channel)

    async def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _read(self) -> None:
        # The driver reads by itself and calls back.
        await asyncio.Event().wait()

    async def _ping(self) -> None:
        await self._open_connection.execute("SELECT 1")

    async def _listen(self, channel: str) -> None:
        await self._open_connection.add_listener(channel, self._on_notification)

    async def _unlisten(self, channel: str) -> None:
        self._unfinished.pop(channel, None)
        await self._open_connection.remove_listener(channel, self._on_notification)

    @property
    def _open_connection(self) -> asyncpg.Connection[asyncpg.Record]:
        if self._connection is None:
            raise ConnectionError("the listening connection is closed")
        return self._connection

    def _on_termination(self, connection: Any) -> None:
        # The call for a connection that was dropped here may come when the next one is already open.
        if connection is self._connection:
            self._lose(ConnectionError("the server closed the connection"))

    def _on_notification(self, _connection: Any, _pid: int, channel: str, payload: Any) -> None:
        try:
            key, index, count, part = parsed(payload)
        except ValueError:
            self._hear(channel, GAP)
            return
        begun, parts = self._unfinished.pop(channel, (key, []))
        if begun != key:
            # The message before lost its end.
            self._hear(channel, GAP)
            parts = []
        if len(parts) != index:
            self._hear(channel, GAP)
            return
        parts.append(part)
        if len(parts) == count:
            self._hear(channel, "".join(parts))
        else:
            self._unfinished[channel] = (key, parts)


def frames(message: str, key: str) -> Iterator[str]:
    """Yield the message in payloads `key:index:count:part` that the server takes; `key` is unique to the message."""
    body = message.encode()
    cuts = [0]
    while cuts[-1] + PART_BYTES_MAX < len(body):
        cut = cuts[-1] + PART_BYTES_MAX
        # A cut goes before a character's first byte: in UTF-8 the others begin with the bits 10.
        while body[cut] & 0b1100_0000 == 0b1000_0000:
            cut -= 1
        cuts.append(cut)
    for index, (start, end) in enumerate(itertools.pairwise([*cuts, len(body)])):
        yield f"{key}:{index}:{len(cuts)}:{body[start:end].decode()}"


def parsed(payload: str) -> tuple[str, int, int, str]:
    """Return key, index, count and part of a frame; raise ValueError for anything else."""
    key, index, count, part = payload.split(":", 3)
    if not 0 <= int(index) < int(count) <= PARTS_MAX:
        raise ValueError("the frame's numbers are out of range")
    return key, int(index), int(count), part
