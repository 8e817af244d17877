"""A database of the product with thousands of accounts, whose ledger passes the audit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg

from api.adapters import database
from api.adapters.migrations import migrate
from api.services.audit import audit
from tests.servers import create_database

SWITCH_TOKEN = "bench_switch"


class Seeded(NamedTuple):
    """Where the database is, and what each of its accounts is known by; number i is at place i - 1."""

    url: str
    tokens: list[str]
    phones: list[str]
    account_ids: list[str]


async def seed(server_url: str, name: str, accounts: int) -> Seeded:
    """Create the database anew and fill it."""
    url = await create_database(server_url, name)
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("select set_config('bench.accounts', $1, false)", str(accounts))
        await connection.execute((Path(__file__).parent / "seed.sql").read_text())
        await connection.execute("vacuum analyze")
        rows = await connection.fetch("select id from accounts order by id")
    finally:
        await connection.close()
    numbers = range(1, accounts + 1)
    return Seeded(
        url,
        ["bench_" + hashlib.md5(f"token{i}".encode()).hexdigest() for i in numbers],
        [f"+15052{i:06}" for i in numbers],
        [str(row["id"]) for row in rows],
    )


def service_key(number: int) -> UUID:
    """Return the key of the service of account `number`, as `bench_id(2, number)` of seed.sql makes it."""
    return UUID(f"{1780000000000 + number:012x}70028000{number:012x}")


async def check_ledger(url: str) -> str:
    """Return the ledger's audit in one line: a fast ledger that is wrong would be no result."""
    await database.connect(url, pool=2)
    try:
        # The statistics of tables that grew within seconds are still those of the seed.
        await database.fetch("analyze")
        found = await audit()
    finally:
        await database.disconnect()
    differences = "; ".join(found.differences[:5]) or "no difference"
    return f"{found.balances} balances, {found.entries} entries, {found.holds} pending holds: {differences}"
