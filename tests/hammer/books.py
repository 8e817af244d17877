"""The service's tables and the processor's file as they are on disk, read from outside and never written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

Row = dict[str, Any]
TABLES = (
    "balances",
    "ledger_accounts",
    "journal_entries",
    "legs",
    "holds",
    "payments",
    "quotes",
    "calls",
    "idempotency_keys",
    "outbox_events",
    "due_work",
    "accounts",
)


async def read_tables(database_url: str, tables: Iterable[str] = TABLES) -> dict[str, list[Row]]:
    """Return all rows of the tables at one moment; ids and instants as text."""
    if database_url.startswith("sqlite://"):
        return _read_sqlite(database_url.removeprefix("sqlite://"), tables)
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = {}
            for table in tables:
                rows = await connection.fetch(f"select * from {table}")
                found[table] = [{name: _plain(value) for name, value in row.items()} for row in rows]
            return found
    finally:
        await connection.close()


def _read_sqlite(path: str, tables: Iterable[str]) -> dict[str, list[Row]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as file:
        file.row_factory = sqlite3.Row
        file.execute("begin")
        return {table: [dict(row) for row in file.execute(f"select * from {table}")] for table in tables}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | bool) else str(value)


def read_charges(processor_file: Path) -> list[Row]:
    """Return the processor's charges."""
    with closing(sqlite3.connect(f"file:{processor_file}?mode=ro", uri=True, timeout=10)) as file:
        file.row_factory = sqlite3.Row
        return [dict(row) for row in file.execute("select key, id, amount_cents, status from charges")]


def read_log(processor_file: Path) -> list[Row]:
    """Return what the processor did, in order."""
    with closing(sqlite3.connect(f"file:{processor_file}?mode=ro", uri=True, timeout=10)) as file:
        file.row_factory = sqlite3.Row
        return [dict(row) for row in file.execute("select act, subject from log order by sequence")]


def read_successes(processor_file: Path) -> list[str]:
    """Return whose success the processor logged, once for each time."""
    with closing(sqlite3.connect(f"file:{processor_file}?mode=ro", uri=True, timeout=10)) as file:
        return [row[0] for row in file.execute("select subject from log where act = 'SUCCEEDED'")]


def message_of(event: Row) -> Row:
    """Return what an outbox event tells."""
    told: Row = json.loads(event["message"])
    return told
