"""HTTP whose head has an end: uvicorn's parser would keep any number of header bytes, and wait for them for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 32 * 1024
HEAD_SECONDS_MAX = 10.0


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long or too slow to come."""

    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self._is_whole(data):
                self.send_400_response("The headers are too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def _is_whole(self, data: bytes) -> bool:
        """Tell whether the head ends in this piece, which may hold much of a body besides."""
        return b"\r\n\r\n" in data and self._head_bytes - len(data) + data.index(b"\r\n\r\n") <= HEAD_BYTES_MAX

    def _wait_for_head(self) -> None:
        self._head_bytes = 0
        self._deadline = asyncio.get_running_loop().call_later(HEAD_SECONDS_MAX, self._give_up)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()
