"""The HTTP and WebSocket door of `/graphql`: bodies, headers and sockets; what is behind it is `graphql.py`'s."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import orjson
import structlog
from cross_web import HTTPException
from graphql import GraphQLError, GraphQLFormattedError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import SubscribeMessage
from strawberry.types.unset import UNSET

from api.auth.sign_ins import find_viewer
from api.context import Connection
from api.routes.refusals import refusal

SEND_SECONDS_MAX = 3.0
"""A reader that stalls for longer loses its socket: its queue would only grow."""
INIT_SECONDS_MAX = timedelta(seconds=10)
OPERATIONS_MAX = 50
ID_LENGTH_MAX = 100
_log = structlog.get_logger("api.door")
# PostgreSQL cannot store NUL, in JSON `\u0000` and in a GraphQL literal also `\u{0}`.
_NUL = re.compile(rb"\\u(0000|\{0+\})")


class _Socket(ASGIWebSocketAdapter):
    """A socket whose sends end, and that is given up when one of them had to be ended."""

    life: asyncio.Timeout | None = None

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self._in_time(super().send_json(message))

    async def close(self, code: int, reason: str) -> None:
        await self._in_time(super().close(code, reason))

    async def _in_time(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await sending
        except (TimeoutError, RuntimeError) as error:
            if isinstance(error, TimeoutError):
                self._give_up()
            raise WebSocketDisconnected from error

    def _give_up(self) -> None:
        """End the reading too: it waits in another task, and would keep all that belongs to the socket."""
        if self.life is not None and self.life.when() is None:
            _log.warning("a reader that stalled lost its socket")
            self.life.reschedule(asyncio.get_running_loop().time())


class _Protocol(BaseGraphQLTransportWSHandler[Any, None]):
    """graphql-transport-ws, with messages of the wrong shape answered by 4400 instead of an exception."""

    async def handle(self) -> None:
        assert isinstance(self.websocket, _Socket)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as self.websocket.life:
                await super().handle()

    async def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict) or not _well_formed(message):
            await self.handle_invalid_message("Invalid message")
            return
        await super().handle_message(message)  # type: ignore[arg-type]

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if len(self.operations) < OPERATIONS_MAX or message["id"] in self.operations:
            await super().handle_subscribe(message)
            return
        text = f"A socket may have at most {OPERATIONS_MAX} operations at once"
        error: GraphQLFormattedError = {"message": text, "extensions": {"code": "TOO_COMPLEX"}}
        await self.send_message({"id": message["id"], "type": "error", "payload": [error]})

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        """Answer a document that cannot be run with an error: closing the socket would end the other operations."""
        return None

    async def handle_task_exception(self, error: Exception) -> None:
        # Readers come and go: that one went while something was being sent to it is no news.
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)


def _well_formed(message: dict[str, Any]) -> bool:
    if message.get("type") not in ("subscribe", "complete"):
        return isinstance(message.get("type"), str) and isinstance(message.get("payload", {}), dict | None)
    key = message.get("id")
    if not isinstance(key, str) or not 0 < len(key) <= ID_LENGTH_MAX:
        return False
    if message["type"] == "complete":
        return True
    payload = message.get("payload")
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


class GraphQLDoor(GraphQL[Any, None]):
    """GraphQL over HTTP POST and over WebSocket; `connect` makes the connection that the schema asks for."""

    websocket_adapter_class = _Socket
    graphql_transport_ws_handler_class = _Protocol

    def __init__(self, schema: Any, connect: Callable[[Request | WebSocket], Connection], origins: tuple[str, ...]):
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=INIT_SECONDS_MAX,
            max_subscriptions_per_connection=None,
            allowed_origins=origins,
        )
        self._connect = connect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if scope["method"] != "POST":
            await refusal(405, "Ask by POST", headers={"allow": "POST"})(scope, receive, send)
            return
        try:
            response: Response = await self.run(Request(scope, receive))
        except HTTPException as error:
            response = refusal(error.status_code, error.reason)
        except UnicodeDecodeError:
            response = refusal(400, "The body is not UTF-8 text")
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Any) -> Connection:
        return self._connect(request)

    async def on_ws_connect(self, context: Connection) -> Any:
        """Refuse a token that nobody bears; without one, the socket serves what everybody may ask."""
        params = context.connection_params or {}
        given = next((value for name, value in params.items() if name.lower() == "authorization"), None)
        if given is None:
            return UNSET
        context.token = bearer(given) if isinstance(given, str) else None
        if context.token is None or await find_viewer(context.ports, context.token) is None:
            raise ConnectionRejectionError
        return UNSET

    def parse_json(self, data: str | bytes) -> Any:
        """Return the body of a request; Strawberry takes it for an object without looking."""
        found = super().parse_json(data)
        if not isinstance(found, dict):
            raise HTTPException(400, "The body must be a JSON object")
        return found

    def decode_json(self, data: str | bytes) -> object:
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        if _NUL.search(raw) or b"\0" in raw:
            raise orjson.JSONDecodeError("NUL is not allowed", "", 0)
        return orjson.loads(raw)

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()


def bearer(header: str | None) -> str | None:
    """Return the token of an `Authorization: Bearer` header, or None for anything else."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
