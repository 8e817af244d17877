"""The HTTP and WebSocket door over a test's own service, without a server: a browser, and sockets as queues."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute

from api.context import Connection
from api.graphql import build_schema
from api.routes.cookies import SessionCookie
from api.routes.gate import Gate
from api.routes.graphql_door import GraphQLDoor, bearer
from tests.flows.conftest import SECONDS_MAX, Service

ORIGIN = "https://calls.example"
_SCHEMA = build_schema()


def door(service: Service, public_url: str = ORIGIN) -> Starlette:
    """Return the service's door as the application opens it."""

    def connect(request: HTTPConnection) -> Connection:
        token = bearer(request.headers.get("authorization"))
        return Connection(service.ports, service.passwords, "198.51.100.7", None, token)

    graphql = GraphQLDoor(_SCHEMA, connect, (ORIGIN,), SessionCookie(public_url, (ORIGIN,)))
    gate = Middleware(Gate, hosts=frozenset({"calls.example"}), origins=(ORIGIN,))
    routes = [Route("/graphql", graphql, methods=["GET", "POST"]), WebSocketRoute("/graphql", graphql)]
    return Starlette(routes=routes, middleware=[gate])


class Browser:
    """A browser that has the account page of `ORIGIN` open; it keeps cookies by itself."""

    def __init__(self, service: Service, public_url: str = ORIGIN) -> None:
        self.app = door(service, public_url)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url=public_url, timeout=SECONDS_MAX, trust_env=False
        )

    async def post(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        origin: str | None = ORIGIN,
    ) -> httpx.Response:
        """Post a document; return the whole answer."""
        given = {"origin": origin} if origin else {}
        body = {"query": document, "variables": dict(variables or {})}
        return await self.http.post("/graphql", json=body, headers=given | dict(headers or {}))

    async def ask(self, document: str, variables: Mapping[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
        """Post a document; return its data."""
        answer = (await self.post(document, variables, **asked)).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data


class Socket:
    """A socket on the door; `closed` is the code that it was closed by."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def take(self, message: Any) -> None:
        """Take what the door sends."""
        if message["type"] == "websocket.send":
            self.messages.put_nowait(json.loads(message["text"]))
        elif message["type"] == "websocket.close" and not self.closed.done():
            self.closed.set_result(message["code"])
            self.incoming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    def send(self, **message: Any) -> None:
        """Send a message of the protocol."""
        self.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def next(self) -> dict[str, Any]:
        """Return the next message of the protocol."""
        async with asyncio.timeout(SECONDS_MAX):
            return await self.messages.get()

    async def ask(self, document: str, key: str = "1") -> dict[str, Any]:
        """Run one operation; return its first message."""
        self.send(type="subscribe", id=key, payload={"query": document})
        return await self.next()

    async def closing_code(self) -> int:
        """Return the code that the door closes the socket by."""
        async with asyncio.timeout(SECONDS_MAX):
            return await self.closed


@asynccontextmanager
async def open_socket(
    app: Starlette, *, token: str | None = None, cookie: str | None = None, origin: str | None = None
) -> AsyncIterator[Socket]:
    """Open a socket, with the first message sent, for as long as the block lasts."""
    socket = Socket()
    headers = [(b"host", b"calls.example")]
    headers += [(b"origin", origin.encode())] if origin else []
    headers += [(b"cookie", cookie.encode())] if cookie else []
    scope = {
        "type": "websocket", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "headers": headers,
        "subprotocols": ["graphql-transport-ws"], "client": ("198.51.100.7", 1), "server": ("calls.example", 443),
        "scheme": "wss", "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    socket.incoming.put_nowait({"type": "websocket.connect"})
    socket.send(type="connection_init", payload={"authorization": f"Bearer {token}"} if token else {})
    running = asyncio.create_task(app(scope, socket.incoming.get, socket.take))
    try:
        yield socket
    finally:
        socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(SECONDS_MAX):
            await running
