"""The serving process: settings become ports, ports a Starlette application."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from api.adapters import database
from api.adapters.logs import open_logs
from api.adapters.payments_simulated import SimulatedProcessor
from api.auth.passwords import Passwords
from api.context import Connection
from api.graphql import build_schema
from api.jobs.open_sockets import watch_open_sockets
from api.jobs.relay import relay
from api.jobs.runner import Runner
from api.routes import health
from api.routes.closure_page import closure_page_route
from api.routes.cookies import COOKIE_HEADER, SessionCookie
from api.routes.exports import export_route
from api.routes.files import file_routes
from api.routes.gate import Gate
from api.routes.graphiql import graphiql_assets, graphiql_page, wants_graphiql
from api.routes.graphql_door import GraphQLDoor, bearer
from api.routes.keep_active_page import keep_active_routes
from api.routes.pages import page_routes
from api.routes.proxies import client_address
from api.routes.refusals import mask, refuse
from api.routes.sandbox import sandbox_routes
from api.routes.sandbox_webhooks import send_webhooks
from api.routes.texts import texts_route
from api.routes.webhooks_payments import payments_webhook
from api.services.demo import fill_empty_database
from api.services.sandbox import mark_as_sandbox
from api.settings import Settings, load_settings
from api.wiring import check_database, make_ports

GC_THRESHOLDS = (10_000, 20, 50)
"""A request makes thousands of objects and few cycles: Python's 700 looks through all open sockets far too often."""


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the application; uvicorn's workers each call this."""
    settings = settings or load_settings()
    open_logs()
    ports = make_ports(settings)
    passwords = Passwords(ports.secrets)
    runner = Runner(ports)

    def connect(request: Request | WebSocket) -> Connection:
        peer = request.client.host if request.client else ""
        return Connection(
            ports,
            passwords,
            client_address=client_address(peer, request.headers.getlist("x-forwarded-for"), settings.proxies),
            accept_language=request.headers.get("accept-language"),
            token=bearer(request.headers.get("authorization")),
            user_agent=request.headers.get("user-agent", ""),
        )

    cookie = SessionCookie(settings.public_url, settings.origins)

    def connect_page(request: Request) -> Connection:
        connection = connect(request)
        connection.token, connection.from_cookie = cookie.token(request), True
        return connection

    door = _Door(GraphQLDoor(build_schema(), connect, settings.origins, cookie))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await database.connect(settings.database_url, pool=settings.database_pool)
        await check_database(settings)
        if settings.is_sandbox:
            await mark_as_sandbox()
            await fill_empty_database(ports, passwords)
        await ports.live.start()
        tasks = [asyncio.create_task(relay(ports)), asyncio.create_task(watch_open_sockets(ports))]
        if settings.is_sandbox and isinstance(ports.processor, SimulatedProcessor):
            tasks.append(asyncio.create_task(send_webhooks(app, ports.processor, settings.public_url)))
        idle = len(tasks)
        if settings.worker == "on":
            ports.wake_worker = runner.wake
            tasks.append(asyncio.create_task(runner.run()))
        # What is there now stays: keeping it out of the collector's way shortens the longest answers.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            yield
        finally:
            runner.stop()
            for task in tasks[:idle]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await ports.live.stop()
            await database.disconnect()
            await ports.processor.close()
            passwords.close()

    routes: list[BaseRoute] = [
        Route("/graphql", door, methods=["GET", "HEAD", "POST"]),
        WebSocketRoute("/graphql", door),
        graphiql_assets,
        *page_routes(ports, connect_page),
        payments_webhook(ports),
        texts_route(ports),
        closure_page_route(ports),
        *keep_active_routes(ports),
        export_route(ports),
        *file_routes(ports),
        Route("/healthz", health.alive),
        Route("/readyz", health.Readiness(ports).ready),
    ]
    if settings.is_sandbox:
        routes += sandbox_routes(ports, runner.run_due)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "accept-language", COOKIE_HEADER],
        allow_credentials=True,
        max_age=600,
    )
    gate = Middleware(Gate, hosts=settings.hosts, origins=settings.origins)
    handlers: Mapping[Any, Any] = {HTTPException: refuse, Exception: mask}
    return Starlette(routes=routes, middleware=[gate, cors], exception_handlers=handlers, lifespan=lifespan)


class _Door:
    """GraphiQL for a browser that opens `/graphql`, GraphQL for everything else."""

    def __init__(self, graphql: GraphQLDoor) -> None:
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and wants_graphiql(request := Request(scope, receive)):
            response: Response = graphiql_page(request)
            await response(scope, receive, send)
        else:
            await self._graphql(scope, receive, send)
