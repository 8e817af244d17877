"""Speak Redis for the pub/sub port."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from api.adapters.broadcast_link import BroadcastUnavailable, LinkBackend

SOCKET_SECONDS_MAX = 2.0
CONNECTIONS_MAX = 8


class RedisBackend(LinkBackend):
    """Listen on one bare connection rather than on the client's PubSub, which reconnects without telling."""

    errors = (RedisError, OSError)

    def __init__(self, url: str, capacity: int) -> None:
        super().__init__(url, capacity)
        self._pool: BlockingConnectionPool | None = None
        self._publisher: Redis | None = None
        self._connection: AbstractConnection | None = None
        self._confirmations: dict[str, asyncio.Future[None]] = {}
        self._heard = asyncio.Event()

    async def _open_publisher(self) -> None:
        # One retry cures a pooled connection that the server closed; a time-out is not retried, for the caller waits.
        # RESP2 gives pushed messages and answers on a subscribed connection in one plain form.
        self._pool = BlockingConnectionPool.from_url(
            self._url,
            max_connections=CONNECTIONS_MAX,
            timeout=SOCKET_SECONDS_MAX,
            socket_timeout=SOCKET_SECONDS_MAX,
            socket_connect_timeout=SOCKET_SECONDS_MAX,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            protocol=2,
        )
        self._publisher = Redis(connection_pool=self._pool)

    async def _close_publisher(self) -> None:
        pool, self._pool, self._publisher = self._pool, None, None
        if pool is not None:
            with suppress(RedisError, OSError):
                await pool.disconnect()

    async def _send(self, channel: str, messages: Sequence[str]) -> None:
        if self._publisher is None:
            raise BroadcastUnavailable("not connected")
        async with self._publisher.pipeline(transaction=False) as batch:
            for message in messages:
                batch.publish(channel, message)
            await batch.execute()

    async def _open(self, channels: Sequence[str]) -> None:
        assert self._pool is not None
        self._connection = connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        awaited = [await self._ask(channel) for channel in channels]
        while not all(confirmation.done() for confirmation in awaited):
            self._take(await connection.read_response(timeout=math.inf))

    async def _shut(self) -> None:
        connection, self._connection = self._connection, None
        # Nobody need wait for these any more: the reconnect subscribes to every channel and puts a gap on each.
        for confirmation in self._confirmations.values():
            if not confirmation.done():
                confirmation.set_result(None)
        self._confirmations.clear()
        if connection is not None:
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)

    async def _read(self) -> None:
        assert self._connection is not None
        while True:
            self._take(await self._connection.read_response(timeout=math.inf))

    async def _ping(self) -> None:
        # Whatever arrives after the question proves that the connection lives.
        self._heard.clear()
        await self._tell("PING")
        await self._heard.wait()

    async def _listen(self, channel: str) -> None:
        await (await self._ask(channel))

    async def _unlisten(self, channel: str) -> None:
        await self._tell("UNSUBSCRIBE", channel)

    async def _ask(self, channel: str) -> asyncio.Future[None]:
        confirmation: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._confirmations[channel] = confirmation
        await self._tell("SUBSCRIBE", channel)
        return confirmation

    async def _tell(self, *words: str) -> None:
        if self._connection is None or not self._connection.is_connected:
            # Sending would open a new connection in silence, one that is subscribed to nothing.
            raise ConnectionError("the listening connection is closed")
        await self._connection.send_command(*words)

    def _take(self, answer: Any) -> None:
        self._heard.set()
        match answer:
            case [b"message", bytes() as channel, bytes() as message]:
                self._hear(channel.decode(), message.decode(errors="replace"))
            case [b"subscribe", bytes() as channel, _]:
                confirmation = self._confirmations.pop(channel.decode(), None)
                if confirmation is not None and not confirmation.done():
                    confirmation.set_result(None)
