"""A database that cannot be written to, for want of room or of leave: writes are refused whole, and reads go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import pytest

from api.adapters.database import DatabaseUnavailable, dialect, execute, fetch_one
from tests.hammer.scene import Scene

pytestmark = [pytest.mark.xdist_group("hammer"), pytest.mark.postgres, pytest.mark.row("F23")]
CALLS_MAX = 200
REASONS = ("is full", "could not extend", "readonly", "read-only")
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
    await connection.execute("set default_transaction_read_only = off")
    await connection.execute(f'alter database "{name}" {change}')
    # Sessions that are open keep what they began with. They are waited for: one that ends a moment later would take a
    # use case with it, which is another fault than this one.
    others = "select pid from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
    await connection.execute(f"select pg_terminate_backend(pid, 5000) from ({others}) as others", name)
    await connection.close()


@pytest.mark.parametrize("fault", [full, read_only])
async def test_a_database_that_takes_no_writes_refuses_them_whole_and_goes_on_reading(
    scene: Scene, fault: Fault
) -> None:
    await scene.fund(50_000)
    order, charged, refused = await scene.order(2_500), 0, None

    async with fault(scene.world.database_url):
        while refused is None and charged < CALLS_MAX:
            # What is left of the last pages is used up first.
            try:
                await scene.report(f"call {charged}", 60)
                charged += 1
            except DatabaseUnavailable as error:
                refused = error
        posted = await scene.posted_cents()
        if fault is read_only:
            with pytest.raises(DatabaseUnavailable):
                await scene.pay(order)

    assert refused is not None
    assert any(reason in str(refused.__cause__) for reason in REASONS), repr(refused.__cause__)
    assert posted == 50_000 - 125 * charged
    assert await scene.differences() == []
    assert await scene.ports.processor.captured_cents() == 50_000  # type: ignore[attr-defined]
    again, paid = await scene.report(f"call {charged}", 60), await scene.pay(order)
    assert (again.replayed, paid.replayed, paid.payment["status"]) == (False, False, "SUCCEEDED")
    assert await scene.posted_cents() == 50_000 - 125 * (charged + 1) + 2_500
    assert await scene.differences() == []
