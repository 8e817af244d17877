"""Money on its way back while those who send it are killed, or stand still past their lease."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import fetch, fetch_one
from api.jobs.runner import Runner
from api.services.audit import audit
from api.services.refund_work import CARD_WORK
from tests.factories import Holder
from tests.flows.money_back import EXPORT, begin, fix_amount, staff
from tests.hammer.books import Row, read_log, read_tables
from tests.hammer.fleet import running
from tests.hammer.outside import end_leases, locked_rows, somebody_waits
from tests.hammer.points import locked_file, until_true
from tests.hammer.scene import Scene, set_up
from tests.hammer.workers import PATIENCE_SECONDS, leased, stop_at, working
from tests.hammer.world import World

pytestmark = [
    pytest.mark.xdist_group("hammer"),
    pytest.mark.postgres,
    pytest.mark.parametrize("template", ["postgres"], indirect=True),
]
SECONDS_MAX = 300
CENTS = 5_000
LATER = timedelta(days=30)
FROM, TO = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


async def fixed(scene: Scene) -> None:
    """Have a refund to a card wait for the processor to be asked."""
    await scene.fund(CENTS)
    holder = Holder(scene.ports, scene.holder.account, uuid7(), scene.holder.token, "")
    refund_id, _ = await begin(scene.ports, holder, scene.holder.service_key)
    await fix_amount(scene.ports, refund_id, scene.holder.service_key)


async def refunds(world: World) -> list[tuple[str, str, int]]:
    """Return the refunds as they are on disk: how, where they stand, how much."""
    tables = await read_tables(world.database_url, ("refunds",))
    rows = sorted(tables["refunds"], key=lambda row: str(row["id"]))
    return [(row["method"], row["status"], row["amount"]) for row in rows]


def asked(world: World) -> int:
    """Return how many refunds the processor was given, as its log has it."""
    return sum(line["act"] in ("REFUND_PENDING", "REFUND_REFUSED") for line in read_log(world.processor_file))


async def nothing_is_wrong(scene: Scene, left: int) -> None:
    """Find the books right, and so much of the charge left at the processor."""
    assert await scene.differences() == []
    assert (await audit()).differences == ()
    assert sum(movement.cents for movement in await scene.ports.processor.movements(FROM, TO)) == left


@pytest.mark.row("F1", "F2", "F30")
@pytest.mark.rule("23", "35")
async def test_a_card_refund_goes_out_once_though_its_workers_are_killed_and_stand_still(
    world: World, tmp_path: Path
) -> None:
    async def is_handed_over() -> bool:
        return await refunds(world) == [("CARD", "SUBMITTED", CENTS)]

    async def is_asked() -> bool:
        return asked(world) == 1

    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as stack:
        async with set_up(world) as scene:
            await fixed(scene)
        # Killed with the intent committed and before the processor is asked, which waits for its file.
        with locked_file(world.processor_file):
            (one,) = await stack.enter_async_context(working(world, tmp_path, 1))
            await until_true(is_handed_over, PATIENCE_SECONDS)
            one.kill()
        assert asked(world) == 0

        # Killed once the processor has taken it and before that is committed, which waits for the payment's row.
        await end_leases(world.database_url)
        async with locked_rows(world.database_url, "payments"):
            (two,) = await stack.enter_async_context(working(world, tmp_path, 1))
            await until_true(is_asked, PATIENCE_SECONDS)
            two.kill()
        assert await is_handed_over()
        assert await _parts(world) == ["PENDING"]

        # Standing still before it asks again, while its lease ends and another does the work.
        await end_leases(world.database_url)
        with locked_file(world.processor_file):
            (sleeper,) = await stack.enter_async_context(working(world, tmp_path, 1))

            async def it_holds_its_job() -> bool:
                return bool(await leased(world, CARD_WORK))

            await stop_at([sleeper], it_holds_its_job)
        await end_leases(world.database_url)
        try:
            async with set_up(world) as scene:
                assert await Runner(scene.ports).drain(scene.ports.now(), (CARD_WORK,)) == 1
            before = await _books(world)
        finally:
            os.kill(sleeper.pid, signal.SIGCONT)
        assert await asyncio.to_thread(sleeper.end) == 0

        assert await _books(world) == before
        assert (await refunds(world), await _parts(world)) == ([("CARD", "ISSUED", CENTS)], ["ACCEPTED"])
        async with set_up(world) as scene:
            scene.ports.clock.move_to(LATER)  # type: ignore[attr-defined]
            await Runner(scene.ports).drain(scene.ports.now(), (CARD_WORK,))
            assert (await refunds(world), asked(world)) == ([("CARD", "COMPLETED", CENTS)], 1)
            await nothing_is_wrong(scene, 0)


async def _parts(world: World) -> list[str]:
    return [row["status"] for row in (await read_tables(world.database_url, ("refund_parts",)))["refund_parts"]]


async def _books(world: World) -> dict[str, list[Row]]:
    tables = ("refunds", "refund_parts", "refund_events", "payments", "journal_entries", "legs", "balances")
    return await read_tables(world.database_url, tables)


@pytest.mark.row("F1", "F3")
@pytest.mark.rule("23", "35")
async def test_a_check_run_is_made_once_though_the_processes_that_make_it_are_killed(
    world: World, tmp_path: Path
) -> None:
    async def is_made() -> bool:
        return ("CHECK", "SUBMITTED", CENTS) in await refunds(world)

    async with asyncio.timeout(SECONDS_MAX):
        async with set_up(world) as scene:
            await fixed(scene)
            await scene.ports.processor.behave(refund="refuse")  # type: ignore[attr-defined]
            await Runner(scene.ports).drain(scene.ports.now(), (CARD_WORK,))
            token = await staff(scene)  # type: ignore[arg-type]
        assert await refunds(world) == [("CARD", "REROUTED", CENTS), ("CHECK", "CALCULATED", CENTS)]

        settings = {"BROADCAST_URL": world.database_url.replace("postgresql://", "postgres://")}
        async with running(world, tmp_path, 2, settings) as fleet, httpx.AsyncClient(timeout=30) as http:

            async def export(number: int) -> Any:
                body = {"query": EXPORT, "variables": {"key": "run"}}
                headers = {"authorization": f"Bearer {token}"}
                answer = await http.post(f"{fleet.servers[number].url}/graphql", json=body, headers=headers)
                return answer.json()["data"]["staffExportCheckRun"]

            # Killed within the transaction, which waits for the checks' rows: nothing of the run stays.
            async with locked_rows(world.database_url, "refunds"):
                asking = asyncio.create_task(export(0))
                await until_true(lambda: somebody_waits(world.database_url), PATIENCE_SECONDS)
                fleet.kill(0)
                with pytest.raises(httpx.TransportError):
                    await asking
            fleet.restart_soon()
            assert not await is_made()

            # Killed after the commit and while nobody listens: the same key gives that run.
            async with locked_rows(world.database_url, "refunds"):
                asking = asyncio.create_task(export(1))
                await until_true(lambda: somebody_waits(world.database_url), PATIENCE_SECONDS)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            await until_true(is_made, PATIENCE_SECONDS)
            fleet.kill(1)
            await fleet.url(random.Random(0))
            again = await export(0)

        assert (again["replayed"], again["count"], again["errors"]) == (True, 1, [])
        assert again["csv"].count("00100001") == 1
        async with set_up(world) as scene:
            runs = await fetch("select distinct check_run_id from refunds where check_run_id is not null")
            last = await fetch_one("select max(check_number) as number from refunds")
            assert last is not None
            assert (len(runs), last["number"]) == (1, "00100001")
            await nothing_is_wrong(scene, CENTS)
