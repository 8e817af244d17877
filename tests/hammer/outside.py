"""What is done to the service's database from outside, as an operator or the passing of time would."""

from __future__ import annotations

import asyncio
import sqlite3
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


def _do_in_file(path: str, statement: str) -> None:
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as file:
        file.execute(statement)
