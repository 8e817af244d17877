"""A graphql-transport-ws client for a thousand sockets in one process: it reads no more of a message than it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

OPEN_SECONDS_MAX = 20.0
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class Socket(asyncio.Protocol):
    """One connection with one subscription; `on_next` gets the raw text of each result."""

    def __init__(self, on_next: Callable[[bytes], None]) -> None:
        self._on_next = on_next
        self._buffer = b""
        self._transport: Any = None
        self._is_open = False
        loop = asyncio.get_running_loop()
        self._upgraded: asyncio.Future[None] = loop.create_future()
        self._acknowledged: asyncio.Future[None] = loop.create_future()
        self.lost: str | None = None

    @staticmethod
    async def open(port: int, token: str, query: str, on_next: Callable[[bytes], None]) -> Socket:
        """Connect, sign in and subscribe; the first result may still be under way."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(OPEN_SECONDS_MAX):
            _, socket = await loop.create_connection(lambda: Socket(on_next), "127.0.0.1", port)
            socket._transport.write(
                f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
            )
            await socket._upgraded
            socket._send_json({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
            await socket._acknowledged
            socket._send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        return socket

    def close(self) -> None:
        """Close the connection without ado."""
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._lose(repr(error) if error else "closed")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._lose(head.decode("latin-1"))
                return
            self._is_open, self._buffer = True, rest
            self._upgraded.set_result(None)
        while (frame := self._frame()) is not None:
            self._read(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        """Take one whole frame off the buffer; a server's frames are unmasked, and its messages here one frame each."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + length:
            return None
        self._buffer = buffer[start + length :]
        return buffer[0] & 0x0F, buffer[start : start + length]

    def _read(self, kind: int, body: bytes) -> None:
        if kind == PING:
            self._send(PONG, body)
        elif kind == CLOSE:
            self._lose(repr(body))
        elif b'"type":"next"' in body:
            self._on_next(body)
        elif b'"connection_ack"' in body:
            self._acknowledged.set_result(None)
        elif b'"type":"ping"' in body:
            self._send_json({"type": "pong"})
        else:
            self._lose(repr(body[:200]))

    def _lose(self, reason: str) -> None:
        self.lost = self.lost or reason
        for waiting in (self._upgraded, self._acknowledged):
            if not waiting.done():
                waiting.set_exception(ConnectionError(reason))

    def _send_json(self, message: dict[str, Any]) -> None:
        self._send(TEXT, orjson.dumps(message))

    def _send(self, kind: int, body: bytes) -> None:
        # A client's frames are masked; a mask of zeros leaves them as they are.
        length = bytes((0x80 | len(body),)) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2)
        self._transport.write(bytes((0x80 | kind,)) + length + bytes(4) + body)
