"""The gate in front of every door: which hosts are served, how large a body may be, and headers that answers carry."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.routes.refusals import HEADERS, refusal

BODY_BYTES_MAX = 256 * 1024
"""Larger than any document of a real client; uploads will have a door of their own."""
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class _TooLarge(Exception):
    pass


class Gate:
    """An ASGI middleware; refusals have the shape of GraphQL answers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], origins: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = _host(headers.get(b"host", b"").decode("latin-1"))
        is_sandbox = scope["path"].startswith("/sandbox")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if host not in self._hosts or (is_sandbox and origin and origin not in self._origins):
            await self._refuse(scope, receive, send, 421 if host not in self._hosts else 403)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif _length(headers) > BODY_BYTES_MAX:
            await refusal(413, f"A body may have at most {BODY_BYTES_MAX} bytes")(scope, receive, send)
        else:
            await self._limited(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            message = "This host is not served here" if status == 421 else "This origin is not allowed"
            await refusal(status, message, "FORBIDDEN")(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it comes, for a client that does not say how long it is or lies."""
        seen, has_begun = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > BODY_BYTES_MAX:
                raise _TooLarge
            return message

        async def with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _HEADERS if name not in given),
                ]
            await send(message)

        try:
            await self._app(scope, counted, with_headers)
        except _TooLarge:
            if not has_begun:
                await refusal(413, f"A body may have at most {BODY_BYTES_MAX} bytes")(scope, receive, with_headers)


def _host(header: str) -> str:
    """Return the host's name without its port, in lower case; IPv6 without its brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _length(headers: Mapping[bytes, bytes]) -> int:
    given = headers.get(b"content-length", b"0")
    return int(given) if given.isdigit() and len(given) < 16 else BODY_BYTES_MAX + 1
