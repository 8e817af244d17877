"""Servers that the tests here share: one on SQLite, two processes on one PostgreSQL with Redis between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live_servers import LiveServer, live_server, run_command
from tests.local_servers import LocalServer
from tests.served.client import Api
from tests.served.steps import sign_in
from tests.servers import create_database, private_redis

SECRET_KEY = "a secret that two processes share, for tests only"


class Pair(NamedTuple):
    """Two processes of one service, and the Redis between them, which may be killed and started."""

    first: LiveServer
    second: LiveServer
    redis: LocalServer
    database_url: str


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a database that two processes migrated at once."""
    folder = tmp_path_factory.mktemp("commands")
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda _: run_command(folder, "migrate"), range(2)))
    assert [command.returncode for command in done] == [0, 0], [command.stderr for command in done]
    assert sorted("nothing to do" in command.stdout for command in done) == [False, True]
    return folder


@pytest.fixture(scope="session")
async def pair_database(postgres_url: str, worker_id: str) -> str:
    return await create_database(postgres_url, f"served_{worker_id}")


@pytest.fixture(scope="session")
def pair(pair_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Yield two processes on PostgreSQL, each with few connections: what is never given back soon shows."""
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        redis = stack.enter_context(private_redis())
        settings = {
            "DATABASE_URL": pair_database,
            "DATABASE_POOL": "5",
            "BROADCAST_URL": redis.url,
            "SECRET_KEY": SECRET_KEY,
        }
        first, second = (stack.enter_context(live_server(folder, **settings)) for _ in range(2))
        yield Pair(first, second, redis, pair_database)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.redis])])
def server(request: pytest.FixtureRequest) -> LiveServer:
    """Return a server of each kind of database."""
    if request.param == "sqlite":
        served: LiveServer = request.getfixturevalue("live_server")
        return served
    pair: Pair = request.getfixturevalue("pair")
    return pair.first


@pytest.fixture
async def api(live_server: LiveServer) -> AsyncIterator[Api]:
    """Yield a caller whom nobody knows, of the server on SQLite."""
    async with Api(live_server.url) as caller:
        yield caller


@pytest.fixture(scope="session")
async def demo_token(live_server: LiveServer) -> str:
    """Return the token of a sign-in of the demo account that no test ends."""
    async with Api(live_server.url) as caller:
        return await sign_in(caller)


@pytest.fixture
async def demo(live_server: LiveServer, demo_token: str) -> AsyncIterator[Api]:
    """Yield the demo account's holder."""
    async with Api(live_server.url, demo_token) as caller:
        yield caller
