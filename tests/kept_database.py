"""Databases that tests use one after another: emptying one takes a hundredth of making or copying one.

The process stays connected from test to test too. Tortoise prepares each table's queries anew whenever it is set up,
and PostgreSQL plans each statement anew for whoever connects: both take longer than most tests.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.context import get_current_context
from tortoise.exceptions import ConfigurationError

from api.adapters import database
from tests.servers import create_database, drop_database

# Triggers keep the books from being emptied, and foreign keys want an order; a superuser's session may leave both out.
_SESSION = {"session_replication_role": "replica", "lock_timeout": "2s"}
# A function of the session's own, which keeps the plan of each of its statements.
_EMPTY = """
do $$
declare statements text;
begin
  select string_agg(format('delete from %I;', tablename), ' ') into statements
    from pg_tables where schemaname = 'public' and tablename not like 'tortoise%';
  execute format('create function pg_temp.empty() returns void language plpgsql as %L',
                 'begin ' || statements || ' end');
end $$
"""
_SCHEMA = """
select (select count(*) from pg_trigger) || ' ' || (select count(*) from pg_constraint) || ' '
    || (select count(*) from pg_attribute) || ' ' || (select count(*) from pg_class)
"""
SECONDS_MAX = 20


class KeptFile:
    """SQLite: each test has a copy of the template."""

    def __init__(self, template: Path) -> None:
        self._template = template
        self._client: Any = None

    async def connect(self, folder: Path) -> str:
        """Connect this process to an empty database in a folder, and return its URL."""
        path = folder / "app.sqlite3"
        shutil.copy(self._template, path)
        url = f"sqlite://{path}"
        if not _is_connected_by(self._client):
            self._client = await _connect(url)
        self._client.filename = str(path)
        # The machine's own death is nothing that a flow could tell, and waiting for the disk takes most of its time.
        self._client.pragmas["synchronous"] = "OFF"
        return url

    async def leave(self) -> None:
        """Close the test's database once its transactions have ended."""
        await _end_of_transactions()
        # The driver's thread would keep the process alive.
        await self._client.close()


class KeptDatabase:
    """PostgreSQL: one database on a server, as empty before each test as its template."""

    def __init__(self, server_url: str, name: str, template: str) -> None:
        self._server_url = server_url
        self._name = name
        self._template = template
        self._url = ""
        self._cleaner: asyncpg.Connection | None = None
        self._schema: str | None = None
        self._client: Any = None

    async def connect(self, _folder: Path) -> str:
        """Connect this process to the empty database, and return its URL.

        It is copied anew when a test altered its schema or left a lock behind.
        """
        if not await self._is_emptied():
            await self._copy()
        if not _is_connected_by(self._client):
            self._client = await _connect(self._url)
        return self._url

    async def leave(self) -> None:
        """Let the test's transactions end; stay connected where each has given its connection back."""
        await _end_of_transactions()
        pool = self._client._pool
        if pool is not None and pool.get_idle_size() != pool.get_size():
            await database.disconnect()

    async def drop(self) -> None:
        """Leave nothing behind."""
        if self._cleaner is not None:
            await self._cleaner.close()
        await drop_database(self._server_url, self._name)

    async def _copy(self) -> None:
        if _is_connected_by(self._client):
            await database.disconnect()
        if self._cleaner is not None:
            await self._cleaner.close()
        self._url = await create_database(self._server_url, self._name, self._template)
        self._cleaner = await asyncpg.connect(self._url, server_settings=_SESSION)
        await self._cleaner.execute(_EMPTY)
        self._schema = await self._cleaner.fetchval(_SCHEMA)

    async def _is_emptied(self) -> bool:
        if self._cleaner is None:
            return False
        try:
            if await self._cleaner.fetchval(_SCHEMA) != self._schema:
                return False
            await self._cleaner.execute("select pg_temp.empty()")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False
        return True


Kept = KeptFile | KeptDatabase


async def _connect(url: str) -> Any:
    """Connect this process to a database, and return what it is connected by."""
    # Statements are kept by the connection's name, which the engines share: one's would be sent to the other.
    EXECUTOR_CACHE.clear()
    await database.connect(url)
    return get_connection("default")


def _is_connected_by(client: Any) -> bool:
    """Tell whether nobody has connected this process to another database since."""
    context = get_current_context()
    if client is None or context is None:
        return False
    with suppress(ConfigurationError):
        return context.connections.get("default") is client
    return False


async def _end_of_transactions() -> None:
    """Wait for what the product's transactions do in tasks of their own."""
    if database._running:
        await asyncio.wait(database._running, timeout=SECONDS_MAX)
