"""A database that cannot be written to, for want of room or of leave: writes are refused whole, and reads go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import pytest

from api.adapters.database import dialect, execute, fetch_one
from api.services.audit import audit
from tests import factories
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import balance, count, pay, record

pytestmark = pytest.mark.row("F23")
CALLS_MAX = 200
Fault = Callable[[str], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def full(database_url: str) -> AsyncIterator[None]:
    """Leave the database no room to grow."""
    if dialect() == "sqlite":
        row = await fetch_one("pragma page_count")
        assert row is not None
        await fetch_one(f"pragma max_page_count = {row['page_count']}")
        yield
        await fetch_one("pragma max_page_count = 1073741823")
        return
    await execute(
        "create function is_full() returns trigger language plpgsql as"
        " 'begin raise exception ''could not extend file'' using errcode = ''53100''; end'"
    )
    await execute("create trigger is_full before insert on legs for each row execute function is_full()")
    yield
    await execute("drop function is_full() cascade")


@asynccontextmanager
async def read_only(database_url: str) -> AsyncIterator[None]:
    """Take the leave to write from every connection."""
    if dialect() == "sqlite":
        await fetch_one("pragma query_only = on")
        yield
        await fetch_one("pragma query_only = off")
        return
    await _alter(database_url, "set default_transaction_read_only = on")
    yield
    await _alter(database_url, "reset default_transaction_read_only")


async def _alter(database_url: str, change: str) -> None:
    name = database_url.rpartition("/")[2]
    connection = await asyncpg.connect(database_url)
    await connection.execute(f'set default_transaction_read_only = off; alter database "{name}" {change}')
    # Sessions that are open keep what they began with.
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()", name
    )
    await connection.close()


@pytest.mark.parametrize("fault", [full, read_only])
async def test_a_database_that_takes_no_writes_refuses_them_whole_and_goes_on_reading(
    service: Service, database_url: str, fault: Fault
) -> None:
    ann, key = await factories.holder(service), await factories.switch_key(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await pay(service, ann, await ann.quote(opened), card, "first")
    quoted = await ann.quote(opened)

    async with fault(database_url):
        refused: list[str] = []
        calls = 0
        while not refused and calls < CALLS_MAX:
            # What is left of the last pages is used up first.
            refused = codes(await record(service, key, opened.phone, 60, f"call {calls}"))
            calls += not refused
        shown = await balance(service, ann)
        kept = await count("journal_entries"), await count("calls")

    assert refused == ["UNAVAILABLE"]
    assert shown["posted"] == f"{max(0, 2500 - 10 * calls) / 100:.2f}"
    assert kept == (calls + 1, calls)
    assert (await audit()).differences == ()
    again = await record(service, key, opened.phone, 60, f"call {calls}")
    paid = await pay(service, ann, quoted, card, "second")
    assert (codes(again), codes(paid), paid["payment"]["status"]) == ([], [], "SUCCEEDED")
    assert (await audit()).differences == ()


@pytest.mark.parametrize("fault", [read_only])
async def test_a_payment_that_cannot_be_kept_is_not_charged(service: Service, database_url: str, fault: Fault) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    quoted = await ann.quote(opened)

    async with fault(database_url):
        refused = await pay(service, ann, quoted, card)

    assert codes(refused) == ["UNAVAILABLE"]
    assert await service.processor.charges() == []
    assert await count("payments") == await count("holds") == 0
