"""A wire to PostgreSQL that can be cut in the middle of a COMMIT, before or after the server has carried it out, or
tell a server's last words ahead of its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

COMMIT = b"COMMIT;\0"
CHUNK = 65_536
Cut = Literal["before", "after"]
_GOODBYE = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


class Wire:
    """Carry bytes both ways; `cut_at` has the n-th COMMIT from now on be the last that its connection carries."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._countdown = 0
        self._cut: Cut = "after"
        self.cuts = 0
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut_at(self, number: int, cut: Cut) -> None:
        """Cut at a COMMIT: "before" the server gets it, or "after" it was carried out and before that is told."""
        self._countdown, self._cut = number, cut

    async def say_goodbye(self) -> None:
        """Tell every client that its server ends the connection, as one does that is shut down; it stays open."""
        for client in self._clients:
            client.write(b"E" + (len(_GOODBYE) + 4).to_bytes(4, "big") + _GOODBYE)
            await client.drain()

    def hang_up(self) -> None:
        """Close every connection."""
        for client in self._clients:
            client.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        self._clients.add(writer)
        back = asyncio.create_task(_pump(server_reader, writer))
        self._tasks.add(back)
        back.add_done_callback(self._tasks.discard)
        try:
            while data := await reader.read(CHUNK):
                # A statement without parameters is one message of its own, so it arrives in one piece.
                if COMMIT in data and self._countdown and not self._count():
                    if self._cut == "after":
                        back.cancel()
                        server_writer.write(data)
                        await server_reader.read(CHUNK)
                    return
                server_writer.write(data)
                await server_writer.drain()
        except ConnectionError:
            return
        finally:
            back.cancel()
            self._clients.discard(writer)
            for end in (writer, server_writer):
                end.transport.abort()

    def _count(self) -> int:
        self._countdown -= 1
        self.cuts += not self._countdown
        return self._countdown


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def wired(database_url: str) -> AsyncIterator[tuple[Wire, str]]:
    """Yield a wire to a database, and the URL by which it is used."""
    parts = urlsplit(database_url)
    wire = Wire(parts.hostname or "127.0.0.1", parts.port or 5432)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield wire, urlunsplit(parts._replace(netloc=f"{parts.username or 'postgres'}@127.0.0.1:{port}"))
    finally:
        server.close()
