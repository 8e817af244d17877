"""Brings the database to the newest schema; safe to run twice, and by two processes at once."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationExecutor
from uuid_utils.compat import uuid7

from api.adapters import database
from api.adapters.migration_state import QuickExecutor
from api.domain.inactivity import shipped_rules
from api.models import guards

_LOCK_NUMBER = 7_203_114_552
_LOCK_SECONDS_MAX = 120


def __getattr__(name: str) -> object:
    """Give Tortoise's own command its configuration: `python -m tortoise -c api.adapters.migrations.TORTOISE …`."""
    if name != "TORTOISE":
        raise AttributeError(name)
    return database.tortoise_config(os.environ.get("DATABASE_URL", "sqlite://./data/app.sqlite3"))


class SchemaIncomplete(Exception):
    """A trigger or an index is missing; the message names it."""


async def migrate(url: str) -> list[str]:
    """Apply what is missing and return the names of the migrations applied. Raises TimeoutError when another
    process migrates for longer than two minutes."""
    applied: list[str] = []
    async with _alone(url):
        await database.connect(url, pool=1)
        try:
            connection = get_connection("default")
            if database.dialect() == "postgres":
                await connection.execute_script("set statement_timeout = 0; set lock_timeout = '60s'")
            apps = database.tortoise_config(url)["apps"]
            executor = QuickExecutor(connection, apps)
            await executor.migrate(
                progress=lambda event, _app, name: applied.append(name) if event == "apply_done" else None
            )
            await _make_guards()
            await insert_shipped_rules()
        finally:
            await Tortoise.close_connections()
    return applied


async def insert_shipped_rules() -> None:
    """Insert the states' rules on inactivity that are shipped, for states without a row; a repeat changes nothing.

    A state's rows are the operator's to edit, so nothing is ever written over them.
    """
    for rule in shipped_rules():
        if await database.fetch_one("select id from inactivity_rules where state = $1 limit 1", rule.state):
            continue
        await database.execute(
            "insert into inactivity_rules (id, state, days, effective_from, citation, disposition_days)"
            " values ($1, $2, $3, $4, $5, $6) on conflict (state, effective_from) do nothing",
            uuid7(), rule.state, rule.days, rule.effective_from, rule.citation, rule.disposition_days,
        )  # fmt: skip


async def pending() -> list[str]:
    """Return the names of migrations that the connected database lacks, for the readiness door."""
    config = database.tortoise_config("sqlite://unused")["apps"]
    plan = await MigrationExecutor(get_connection("default"), config).plan()
    return [step.migration.name for step in plan]


async def verify_guards() -> None:
    """Raise SchemaIncomplete when a trigger or index of the lists is not in the connected database."""
    if database.dialect() == "sqlite":
        rows = await database.fetch("select name from sqlite_master where type in ('trigger', 'index')")
    else:
        rows = await database.fetch(
            "select tgname::text as name from pg_trigger where not tgisinternal"
            " union all select indexname::text from pg_indexes where schemaname = current_schema()"
        )
    expected = guards.expected_triggers(database.dialect()) | guards.expected_indexes()
    missing = expected - {row["name"] for row in rows}
    if missing:
        raise SchemaIncomplete(f"the database lacks {sorted(missing)[0]}; run `python -m api migrate`")


async def _make_guards() -> None:
    sqlite = database.dialect() == "sqlite"
    triggers = guards.sqlite_statements() if sqlite else guards.postgres_statements()
    for statement in [*guards.index_statements(), *triggers]:
        await get_connection("default").execute_script(statement)
    await verify_guards()


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """Hold a lock that only one migrating process has: a file's beside SQLite, an advisory one in PostgreSQL."""
    if url.startswith("sqlite://"):
        file = Path(url.removeprefix("sqlite://") + ".migrating")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as lock:  # noqa: ASYNC230
            async with asyncio.timeout(_LOCK_SECONDS_MAX):
                await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            yield
        return
    credentials = database.tortoise_config(url)["connections"]["default"]["credentials"]
    connection = await asyncpg.connect(
        **{name: value for name, value in credentials.items() if name not in ("minsize", "maxsize")},
        timeout=10,
    )
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK_NUMBER, timeout=_LOCK_SECONDS_MAX)
        yield
    finally:
        await connection.close()
