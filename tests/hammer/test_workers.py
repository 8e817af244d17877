"""Due work and the processes that do it: many at once, killed at it, and standing still past their lease."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.adapters.database import transactional
from api.adapters.ports import Ports
from api.jobs.runner import AT_ONCE, Runner
from api.services import due_work
from api.services.charges import WORK_KIND
from tests.hammer.books import Row, read_tables
from tests.hammer.outside import do, end_leases, locked_rows
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
WORKERS = 3
JOBS = 100
PAID_AT_ONCE = 5
FAR = datetime(2100, 1, 1, tzinfo=UTC)


async def undecided(world: World, count: int, mode: str) -> None:
    """Have so many payments of one holder end without an answer, and let all their work fall due."""
    async with set_up(world) as scene:
        await scene.ports.processor.behave(next=mode)  # type: ignore[attr-defined]
        orders = [await scene.order(100) for _ in range(count)]
        for first in range(0, count, PAID_AT_ONCE):
            await asyncio.gather(*(scene.pay(order) for order in orders[first : first + PAID_AT_ONCE]))
        await scene.ports.processor.behave(next="ok")  # type: ignore[attr-defined]
        later = timedelta(minutes=2) if mode == "timeout_charged" else timedelta(minutes=12)
        ahead = f"({later.total_seconds()})"
        await do(
            world.database_url,
            f"insert into sandbox_clock (id, ahead_seconds) values (1, {ahead})"
            " on conflict (id) do update set ahead_seconds = excluded.ahead_seconds",
        )


async def until_done(world: World) -> None:
    async def is_done() -> bool:
        tables = await read_tables(world.database_url, ("due_work",))
        return not any(row["kind"] == WORK_KIND for row in tables["due_work"])

    await until_true(is_done, PATIENCE_SECONDS)


async def found(world: World) -> list[str]:
    async with set_up(world) as scene:
        return await scene.differences()


@pytest.mark.row("F29")
@pytest.mark.rule("35")
async def test_a_hundred_jobs_are_done_once_each_though_workers_are_killed_at_them(
    world: World, tmp_path: Path
) -> None:
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as stack:
        await undecided(world, JOBS, "timeout_charged")
        # All work for one holder waits for one balance, so that it is known at what the workers are killed.
        async with locked_rows(world.database_url, "balances"):
            workers = await stack.enter_async_context(working(world, tmp_path, WORKERS))

            async def more_than_the_living_one_holds() -> bool:
                return len(await leased(world, WORK_KIND)) > AT_ONCE

            async def all_hold_some() -> bool:
                return len(await leased(world, WORK_KIND)) > (WORKERS - 1) * AT_ONCE

            await until_true(all_hold_some, PATIENCE_SECONDS)
            await stop_at(workers[1:], more_than_the_living_one_holds)
            for worker in workers[1:]:
                worker.kill()

        async def only_the_dead_hold_some() -> bool:
            """The living one has done what it could: what is left is leased by the dead."""
            tables = await read_tables(world.database_url, ("due_work",))
            left = [row for row in tables["due_work"] if row["kind"] == WORK_KIND]
            return bool(left) and len(left) <= (WORKERS - 1) * AT_ONCE and all(row["leased_until"] for row in left)

        await until_true(only_the_dead_hold_some, PATIENCE_SECONDS)
        await end_leases(world.database_url)
        await until_done(world)

        tables = await read_tables(world.database_url, ("payments", "journal_entries"))
        assert [row["status"] for row in tables["payments"]] == ["SUCCEEDED"] * JOBS
        assert len(tables["journal_entries"]) == JOBS
        assert await found(world) == []


@pytest.mark.row("F30")
@pytest.mark.rule("35")
async def test_a_worker_that_stood_still_past_its_lease_changes_nothing_any_more(world: World, tmp_path: Path) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        await undecided(world, 1, "timeout")
        async with AsyncExitStack() as stack:
            with locked_file(world.processor_file):
                # It waits for the processor, holding the work, and then it stands still.
                (sleeper,) = await stack.enter_async_context(working(world, tmp_path, 1))

                async def it_holds_its_job() -> bool:
                    return bool(await leased(world, WORK_KIND))

                await stop_at([sleeper], it_holds_its_job)
            await end_leases(world.database_url)
            try:
                async with set_up(world) as scene:
                    await _take_over(scene)
                before = await read_tables(world.database_url)
            finally:
                os.kill(sleeper.pid, signal.SIGCONT)
            assert await asyncio.to_thread(sleeper.end) == 0

        after = await read_tables(world.database_url)
        for table in ("payments", "holds", "journal_entries", "legs", "balances", "due_work", "outbox_events"):
            assert [_settled(row) for row in after[table]] == [_settled(row) for row in before[table]]
        assert [row["status"] for row in after["payments"]] == ["FAILED"]
        assert await found(world) == []


def _settled(row: Row) -> Row:
    """Leave out what the relay notes, whoever runs it."""
    return {name: value for name, value in row.items() if name != "published_at"}


async def _take_over(scene: Scene) -> None:
    scene.ports.clock.move_to(timedelta(minutes=12))  # type: ignore[attr-defined]
    assert await Runner(scene.ports).drain(scene.ports.now(), (WORK_KIND,)) == 1


@pytest.mark.row("F30")
async def test_the_commit_of_a_claim_that_another_took_over_is_refused(scene: Scene) -> None:
    await _enqueue(scene.ports)
    late = await due_work.claim_next(scene.ports, ("fenced",), FAR)
    await end_leases(scene.world.database_url)
    taken = await due_work.claim_next(scene.ports, ("fenced",), FAR)
    assert late is not None
    assert taken is not None
    assert taken.attempt == late.attempt + 1

    with pytest.raises(due_work.Fenced):
        await _effect(scene.ports, late)

    names = await _effects(scene)
    await _effect(scene.ports, taken)
    assert (names, await _effects(scene)) == ([], ["the effect"])


@transactional
async def _enqueue(ports: Ports) -> None:
    await due_work.enqueue("fenced", "one", ports.now())


@transactional
async def _effect(ports: Ports, claim: due_work.Claim) -> None:
    await due_work.enqueue("effect", "the effect", ports.now())
    await due_work.complete(claim)


async def _effects(scene: Scene) -> Sequence[str]:
    tables = await read_tables(scene.world.database_url, ("due_work",))
    return [row["key"] for row in tables["due_work"] if row["kind"] == "effect"]
