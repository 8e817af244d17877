"""Use cases against themselves, many at once, on both databases; each test looks at the books afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.adapters.database import fetch_one, read_uuid
from api.adapters.payments_simulated import SimulatedProcessor
from api.services import charges, due_work, holds
from tests.hammer.points import locked_file
from tests.hammer.scene import Scene
from tests.hammer.world import PUBLIC_URL

pytestmark = [pytest.mark.xdist_group("hammer"), pytest.mark.postgres]
TIMES = 50
FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.row("F7")
@pytest.mark.rule("18")
async def test_fifty_payments_with_one_key_charge_once(scene: Scene) -> None:
    paid = await scene.fund(5_000, copies=TIMES)
    assert len({read_uuid(one.payment["id"]) for one in paid}) == 1
    assert sum(not one.replayed for one in paid) == 1
    assert await scene.posted_cents() == await scene.ports.processor.captured_cents() == 5_000
    assert await scene.differences() == []


@pytest.mark.row("F36")
@pytest.mark.rule("13")
async def test_a_report_that_comes_twice_at_once_charges_once(scene: Scene) -> None:
    await scene.fund(50_000)
    for _ in range(TIMES):
        call = scene.name()
        await scene.ask(call)
        one, two = await asyncio.gather(scene.report(call, 61), scene.report(call, 61))
        assert {one.replayed, two.replayed} == {True, False}
    assert await scene.posted_cents() == 50_000 - TIMES * 250
    assert await scene.differences() == []


@pytest.mark.row("F35")
@pytest.mark.rule("13")
async def test_two_calls_that_drain_one_balance_never_overdraw_it(scene: Scene) -> None:
    for _ in range(TIMES):
        await scene.fund(700)
        one, two = scene.name(), scene.name()
        asked = await asyncio.gather(scene.ask(one), scene.ask(two))
        assert sum(answer.seconds or 0 for answer in asked) <= 60 * (await scene.posted_cents()) // 125
        await asyncio.gather(scene.report(one, 3_600), scene.report(two, 3_600))
        assert await scene.posted_cents() == 0
    assert await scene.differences() == []


@pytest.mark.row("F36")
@pytest.mark.rule("13")
async def test_a_report_that_races_the_end_of_its_hold_charges_once(scene: Scene) -> None:
    await scene.fund(100_000)
    asked = [scene.name() for _ in range(10)]
    for call in asked:
        await scene.ask(call)
    scene.ports.clock.move_to(timedelta(hours=25))  # type: ignore[attr-defined]
    reports = [scene.report(call, 61) for call in asked]
    expiries = [holds.expire_holds(scene.ports) for _ in range(3)]
    await asyncio.gather(*expiries, *reports)
    assert await scene.posted_cents() == 100_000 - 10 * 250
    held = await fetch_one("select held from balances where service_account_id = $1", scene.holder.service_key)
    assert held is not None
    assert held["held"] == 0
    assert await scene.differences() == []


@pytest.mark.rule("13")
async def test_a_call_to_a_number_that_nobody_has_is_refused_also_when_asked_twice_at_once(scene: Scene) -> None:
    for _ in range(10):
        call = scene.name()
        answers = await asyncio.gather(*(scene.ask(call, "+15055559999") for _ in range(4)))
        assert [answer.seconds for answer in answers] == [0] * 4
        assert len({read_uuid(answer.call["id"]) for answer in answers if answer.call}) == 1


@pytest.mark.rule("13")
async def test_one_call_reported_for_two_numbers_at_once_is_charged_to_one_of_them(scene: Scene) -> None:
    await scene.fund(50_000)
    other = scene.world.holders[1].phone
    for _ in range(10):
        call = scene.name()
        await asyncio.gather(scene.report(call, 61), scene.report(call, 61, other), scene.ask(call, other))
    assert await scene.differences() == []


@pytest.mark.row("F5")
@pytest.mark.rule("18")
async def test_a_charge_that_lands_after_it_was_given_up_takes_no_money(scene: Scene) -> None:
    other_process = SimulatedProcessor(scene.world.processor_file, PUBLIC_URL)
    assert await other_process.captured_cents() == 0
    with locked_file(scene.world.processor_file):
        paying = asyncio.create_task(scene.fund(5_000))
        while not (claim := await due_work.claim_next(scene.ports, (charges.WORK_KIND,), FAR)):
            await asyncio.wait({paying}, timeout=0.02)
        scene.ports.clock.move_to(timedelta(minutes=11))  # type: ignore[attr-defined]
        asking = asyncio.create_task(charges.ask_processor(replace(scene.ports, processor=other_process), claim))
        # Whoever asks may have to wait for the charge that is under way; it must not decide without it.
        await asyncio.wait({asking}, timeout=0.5)
    await asyncio.gather(paying, asking)
    await other_process.close()
    assert await scene.posted_cents() == await scene.ports.processor.captured_cents()
    assert await scene.differences() == []
