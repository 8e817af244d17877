"""What becomes of money while PostgreSQL dies, loses the wire in the middle of a COMMIT, or refuses every first try."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import httpx
import pytest

from api.adapters.database import DatabaseUnavailable, fetch_one, through_outages
from api.adapters.database import execute as execute_here
from api.jobs.runner import Runner
from api.services.balances import open_balances
from api.services.ledger import Balance
from tests.hammer.books import read_tables
from tests.hammer.outside import do
from tests.hammer.rounds import Hammer
from tests.hammer.scene import Scene, set_up
from tests.hammer.wire import Cut, wired
from tests.hammer.world import World
from tests.local_servers import LocalServer

pytestmark = [
    pytest.mark.xdist_group("hammer-paying"),
    pytest.mark.postgres,
    pytest.mark.parametrize("template", ["postgres"], indirect=True),
]
SECONDS_MAX = 120
DEATHS = 5


@pytest.mark.row("F20")
@pytest.mark.rule("12", "35")
async def test_a_database_that_dies_five_times_under_load_costs_nobody_anything(
    paying: Hammer, own_postgres: LocalServer
) -> None:
    unready = []

    async def die() -> None:
        own_postgres.kill()
        async with httpx.AsyncClient(timeout=10) as http:
            answers = await asyncio.gather(*(http.get(f"{url}/readyz") for url in paying.fleet.urls()))
        unready.extend(answer.status_code for answer in answers)
        await asyncio.to_thread(own_postgres.start)

    async with asyncio.timeout(SECONDS_MAX):
        with paying.client.during_an_outage():
            await paying.operate(30, [die] * DEATHS)
        # What the processes logged of the outage is theirs to log; the books are what must be right.
        await paying.settle()
        await paying.look()
        assert paying.differences == []
        assert unready == [503] * len(unready)
        assert len(unready) == DEATHS * 2
        assert (await paying.audit()).endswith("no difference")
        ready = [httpx.get(f"{url}/readyz").status_code for url in paying.fleet.urls()]  # noqa: ASYNC210
        assert ready == [200, 200]


@pytest.mark.row("F20")
async def test_a_server_that_said_goodbye_is_unavailable_until_its_connection_is_replaced(world: World) -> None:
    async with wired(world.database_url) as (wire, url), set_up(world, url) as scene:
        order = await scene.order(5_000)
        await wire.say_goodbye()
        # What the server says is heard while nobody asks it anything: to a question it would be the answer.
        await read_tables(world.database_url, ("payments",))
        with pytest.raises(DatabaseUnavailable) as refused:
            await scene.pay(order)
        assert isinstance(refused.value.__cause__, asyncpg.InternalClientError)
        wire.hang_up()
        await read_tables(world.database_url, ("payments",))

        paid = await scene.pay(order)

        assert (paid.replayed, paid.payment["status"]) == (False, "SUCCEEDED")
        assert await scene.differences() == []


@pytest.mark.row("F20")
@pytest.mark.rule("35")
async def test_who_follows_balances_reads_on_once_the_database_answers_again(world: World) -> None:
    async with wired(world.database_url) as (wire, url), set_up(world, url) as scene:
        await wire.say_goodbye()
        await read_tables(world.database_url, ("payments",))

        refused = 0

        async def read() -> list[Balance]:
            nonlocal refused
            try:
                return await open_balances(scene.holder.account)
            except DatabaseUnavailable:
                refused += 1
                wire.hang_up()
                raise

        assert [balance.posted for balance in await through_outages(read)] == [0]
        assert refused > 0


@pytest.mark.row("F21")
@pytest.mark.rule("18")
@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
async def test_a_payment_whose_commit_lost_its_answer_is_found_by_its_key(world: World, number: int, cut: Cut) -> None:
    async with wired(world.database_url) as (wire, url), set_up(world, url) as scene:
        order = await scene.order(5_000)
        wire.cut_at(number, cut)
        with pytest.raises(DatabaseUnavailable):
            await scene.pay(order)
        assert wire.cuts == 1

        paid = await scene.pay(order)
        assert paid.replayed is ((number, cut) != (1, "before"))
        scene.ports.clock.move_to(timedelta(seconds=90))  # type: ignore[attr-defined]
        await Runner(scene.ports).drain(scene.ports.now())
        again = await scene.pay(order)

        assert (again.payment["id"], again.payment["status"]) == (paid.payment["id"], again.payment["status"])
        kept = await scene.posted_cents()
        assert kept == await scene.ports.processor.captured_cents()  # type: ignore[attr-defined]
        # An intent whose COMMIT was carried out and not heard of was never sent: it ends without a charge.
        scene.ports.clock.move_to(timedelta(minutes=20))  # type: ignore[attr-defined]
        await Runner(scene.ports).drain(scene.ports.now())
        ended = await scene.pay(order)
        assert ended.payment["status"] == ("FAILED" if (number, cut) == (1, "after") else "SUCCEEDED")
        assert await scene.differences() == []


@pytest.mark.row("F21")
@pytest.mark.rule("13")
@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_call_whose_commit_lost_its_answer_is_charged_once(world: World, cut: Cut) -> None:
    async with wired(world.database_url) as (wire, url), set_up(world, url) as scene:
        await scene.fund(5_000)
        await scene.ask("call")
        wire.cut_at(1, cut)
        with pytest.raises(DatabaseUnavailable):
            await scene.report("call", 61)

        again = await scene.report("call", 61)

        assert again.replayed is (cut == "after")
        assert await scene.posted_cents() == 5_000 - 250
        assert await scene.differences() == []


@pytest.mark.row("F22")
@pytest.mark.rule("12", "18")
@pytest.mark.parametrize("code", ["40001", "40P01"])
@pytest.mark.parametrize("when", ["", "deferrable initially deferred"])
async def test_a_conflict_on_the_first_try_is_repeated_inside(scene: Scene, code: str, when: str) -> None:
    # A sequence is not rolled back, so that it counts the tries. Every third event fails: each first try does, since
    # a use case here tells one event or two.
    await do(scene.world.database_url, f"""
        create sequence tries;
        create function fail_first() returns trigger language plpgsql as $$ begin
          if nextval('tries') % 3 = 1 then raise exception 'a conflict' using errcode = '{code}'; end if;
          return null;
        end $$;
        create constraint trigger fail_first after insert on outbox_events {when}
          for each row execute function fail_first();
    """)  # fmt: skip
    before = await _tries(scene)

    (paid,) = await scene.fund(5_000)
    asked = await scene.ask("call")
    reported = await scene.report("call", 61)

    assert (paid.payment["status"], paid.replayed, asked.replayed, reported.replayed) == ("SUCCEEDED", *[False] * 3)
    assert await scene.posted_cents() == 5_000 - 250
    events = (await read_tables(scene.world.database_url, ("outbox_events",)))["outbox_events"]
    assert await _tries(scene) - before > 4 <= len(events)
    assert await scene.differences() == []


async def _tries(scene: Scene) -> int:
    row = await fetch_one("select last_value from tries")
    assert row is not None
    return int(row["last_value"])


@pytest.mark.row("F22")
async def test_a_conflict_that_never_ends_is_answered_as_unavailable_and_leaves_nothing(scene: Scene) -> None:
    order = await scene.order(5_000)
    await execute_here(
        "create function always() returns trigger language plpgsql as"
        " 'begin raise exception using errcode = ''40001''; end'"
    )
    await execute_here("create trigger always before insert on payments for each row execute function always()")
    with pytest.raises(DatabaseUnavailable):
        await scene.pay(order)
    await execute_here("drop trigger always on payments")

    paid = await scene.pay(order)

    assert (paid.replayed, paid.payment["status"]) == (False, "SUCCEEDED")
    assert await scene.differences() == []
