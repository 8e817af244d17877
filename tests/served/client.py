"""A client of the served API as other programs write theirs: HTTP by httpx, graphql-transport-ws by websockets."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SECONDS_MAX = 20.0
PROTOCOL = "graphql-transport-ws"


class Api:
    """One caller of one server; `token` says who it is."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token
        # Proxies of the environment are not for a server of this machine, and it has no certificate to verify.
        self.http = httpx.AsyncClient(base_url=url, timeout=SECONDS_MAX, trust_env=False, verify=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def post(
        self, body: object, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Post a body to the door: bytes as they are, anything else as JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", **(headers or {})}
        if token := token or self.token:
            given.setdefault("authorization", f"Bearer {token}")
        return await self.http.post("/graphql", content=sent, headers=given)

    async def ask(self, document: str, *, by: str | None = None, **variables: Any) -> Any:
        """Return the data of a document with one root field; any error of the request fails the test."""
        answer = (await self.post({"query": document, "variables": variables}, by)).json()
        assert "errors" not in answer, answer["errors"]
        (data,) = answer["data"].values()
        return data

    async def sandbox(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post to one of the sandbox's doors; a refusal fails the test."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @asynccontextmanager
    async def open_socket(
        self,
        *,
        origin: str | None = None,
        protocols: tuple[str, ...] = (PROTOCOL,),
        path: str = "/graphql",
        **more: Any,
    ) -> AsyncIterator[Socket]:
        """Open a socket, without the protocol's first message."""
        address = "ws" + self.url.removeprefix("http") + path
        named = [Subprotocol(name) for name in protocols]
        options = {"subprotocols": named, "proxy": None, "open_timeout": SECONDS_MAX, "close_timeout": 2, **more}
        async with connect(address, origin=origin, **options) as connection:  # type: ignore[arg-type]
            yield Socket(connection)

    @asynccontextmanager
    async def socket(self, token: str | None = None, **options: Any) -> AsyncIterator[Socket]:
        """Open a socket and wait until the server has acknowledged it."""
        token = token or self.token
        async with self.open_socket(**options) as socket:
            await socket.init({"authorization": f"Bearer {token}"} if token else None)
            yield socket


class Socket:
    """One open socket and the streams on it; no wait of it is without an end."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._numbers = itertools.count(1)
        self._waiting: dict[str, deque[dict[str, Any]]] = {}

    async def send(self, message: object) -> None:
        """Send text or bytes as they are, anything else as JSON."""
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self, seconds: float = SECONDS_MAX) -> dict[str, Any]:
        """Return the next message, of whatever stream."""
        async with asyncio.timeout(seconds):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def init(self, payload: object = None) -> None:
        """Begin the protocol; returns once the server has acknowledged it."""
        await self.send({"type": "connection_init", **({} if payload is None else {"payload": payload})})
        assert (await self.receive())["type"] == "connection_ack"

    async def subscribe(self, document: str, key: str | None = None, **variables: Any) -> Stream:
        """Start an operation of any kind."""
        key = key or str(next(self._numbers))
        self._waiting[key] = deque()
        await self.send({"type": "subscribe", "id": key, "payload": {"query": document, "variables": variables}})
        return Stream(self, key)

    async def closed(self, seconds: float = SECONDS_MAX) -> int:
        """Wait until the server has closed the socket, past what else arrives; return the code."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006

    async def message_of(self, key: str, seconds: float) -> dict[str, Any]:
        """Return the next message of one stream, and keep those of others for whoever asks for them."""
        async with asyncio.timeout(seconds):
            while not self._waiting[key]:
                message: dict[str, Any] = json.loads(await self.connection.recv())
                self._waiting.setdefault(message.get("id", ""), deque()).append(message)
        return self._waiting[key].popleft()


class Stream:
    """One operation on a socket."""

    def __init__(self, socket: Socket, key: str) -> None:
        self.socket = socket
        self.key = key

    async def message(self, seconds: float = SECONDS_MAX) -> dict[str, Any]:
        """Return the next message of whatever type: next, error or complete."""
        return await self.socket.message_of(self.key, seconds)

    async def next(self, seconds: float = SECONDS_MAX) -> Any:
        """Return what the operation's one root field gave next; anything but data fails the test."""
        message = await self.message(seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message["payload"]
        (data,) = message["payload"]["data"].values()
        return data

    async def complete(self) -> None:
        """Tell the server that no more is wanted."""
        await self.socket.send({"type": "complete", "id": self.key})
