"""What is done to the service's database from outside, as an operator or the passing of time would."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import asyncpg


async def do(database_url: str, statement: str) -> None:
    """Run one statement, or several on PostgreSQL, on a connection of its own."""
    if database_url.startswith("sqlite://"):
        await asyncio.to_thread(_do_in_file, database_url.removeprefix("sqlite://"), statement)
        return
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def end_leases(database_url: str) -> None:
    """End every lease, as the minute does that a killed process's lease has left."""
    ended = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(" ")
    await do(database_url, f"update due_work set leased_until = '{ended}' where leased_until is not null")


@contextlib.asynccontextmanager
async def locked_rows(database_url: str, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Keep everybody else from changing what a table of PostgreSQL holds, for as long as the block lasts."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(f"select id from {table} for update")
            yield connection
    finally:
        await connection.close()


async def somebody_waits(database_url: str) -> bool:
    """Tell whether a session of this PostgreSQL database waits for a lock."""
    connection = await asyncpg.connect(database_url)
    try:
        query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        return bool(await connection.fetchval(query))
    finally:
        await connection.close()


def _do_in_file(path: str, statement: str) -> None:
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as file:
        file.execute(statement)
