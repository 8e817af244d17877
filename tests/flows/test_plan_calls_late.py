"""Calls within a plan that are reported late: after a day, a renewal, the plan's end or a closing (rules 22, 28)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.adapters.database import execute, fetch, fetch_one, read_time
from api.domain.service_accounts import Product
from api.services.audit import audit
from tests import factories
from tests.flows.closing import DAY, by_receipt, close, delete, pass_time, preview
from tests.flows.conftest import Service
from tests.flows.money import count, record
from tests.flows.paying import place, plan, quote_for, subscribe
from tests.flows.plan_calls import MONTH, cost, scene

pytestmark = pytest.mark.rule("28")


async def test_a_call_that_nobody_reports_is_given_back_and_costs_nothing_should_its_record_come_yet(
    service: Service,
) -> None:
    at, began = await scene(service, 1), service.ports.now().isoformat()
    await at.ask()
    await service.advance(timedelta(hours=24, minutes=1))
    await service.work()
    after_a_day = await at.left()
    await at.ask("another")

    late = await at.report(startedAt=began)

    assert (after_a_day, await at.left()) == (1, 0)
    assert cost(late) == "0.00"


async def test_a_late_record_takes_again_what_was_given_back(service: Service) -> None:
    at, began = await scene(service, 2), service.ports.now().isoformat()
    await at.ask()
    await service.advance(timedelta(hours=24, minutes=1))
    await service.work()

    assert (await at.left(), cost(await at.report(startedAt=began)), await at.left()) == (2, "0.00", 1)


async def test_a_call_that_was_asked_for_before_a_renewal_is_of_the_period_before(service: Service) -> None:
    at, began = await scene(service, 2), service.ports.now().isoformat()
    await at.ask("reported")
    await at.ask("released")
    await service.advance(timedelta(minutes=5))
    await at.roll_over(2)

    told = [await at.report(60, "reported", startedAt=began), await at.report(0, "released", startedAt=began)]

    assert [cost(answer) for answer in told] == ["0.00", "0.00"]
    assert await at.left() == 2


async def test_calls_that_meet_a_renewal_are_each_of_one_period(service: Service) -> None:
    at = await scene(service, 3)

    asked = await asyncio.gather(
        *(at.ask(f"before {number}") for number in range(4)), at.roll_over(3), *(at.ask(f"{n}") for n in range(4))
    )

    allowed = sum(bool(answer["maxSeconds"]) for answer in asked if answer)
    taken = await fetch(
        "select count(*) as n, c.plan_period_start = s.period_start as is_new from calls c"
        " join plan_subscriptions s on s.id = c.subscription_id group by 2"
    )
    by_period = {bool(row["is_new"]): row["n"] for row in taken}
    assert sum(by_period.values()) == allowed
    assert by_period.get(False, 0) <= 3
    assert by_period.get(True, 0) + (await at.left() or 0) == 3


async def test_a_record_of_an_earlier_period_takes_what_was_left_of_that(service: Service) -> None:
    at, began = await scene(service, 2, 1_000), service.ports.now().isoformat()
    await at.ask()
    await at.report()
    await service.advance(MONTH)
    await at.roll_over(2)

    told = [await at.report(60, call, startedAt=began) for call in ("last", "one too many")]

    assert [cost(answer) for answer in told] == ["0.00", "0.10"]
    assert await at.left() == 2


async def test_a_record_from_before_the_plan_began_is_charged(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    opened, key, began = await ann.advance_connect(100), await factories.switch_key(service), service.ports.now()
    await service.advance(timedelta(minutes=5))
    quoted = await quote_for(service, ann, "SUBSCRIPTION", planId=await plan(where, 1_500, Product.ADVANCE_CONNECT, 5))
    await subscribe(service, ann, quoted["quote"]["id"], await ann.card())

    told = await record(service, key, opened.phone, 60, startedAt=began.isoformat(), facilityId=where.id)

    assert cost(told) == "0.10"


@pytest.mark.parametrize("status, included", [("PAST_DUE", True), ("CANCEL_SCHEDULED", True), ("ENDED", False)])
async def test_a_plan_is_used_as_long_as_its_access_lasts(service: Service, status: str, included: bool) -> None:
    at = await scene(service, 2)
    await execute("update plan_subscriptions set status = $1, renews_at = null", status)
    if status == "ENDED":
        await execute("update plan_subscriptions set access_until = $1, live_key = null", service.ports.now())

    assert bool((await at.ask())["maxSeconds"]) is included


async def test_a_cancelled_plan_includes_calls_to_its_last_moment_and_those_that_began_before(service: Service) -> None:
    at = await scene(service, 3)
    await execute("update plan_subscriptions set status = 'CANCEL_SCHEDULED', renews_at = null")
    row = await fetch_one("select access_until from plan_subscriptions")
    assert row is not None
    until = read_time(row["access_until"])
    await service.advance(until - timedelta(seconds=30) - service.ports.now())
    began = service.ports.now().isoformat()
    before = await at.ask("before")
    await service.advance(timedelta(minutes=1))

    after = await at.ask("after")
    further = await at.ask("before", segment=1)

    assert [answer["maxSeconds"] for answer in (before, after, further)] == [3_600, 0, 3_600]
    assert cost(await at.report(60, "before", startedAt=began)) == "0.00"
    assert cost(await at.report(60, "never asked for", startedAt=began)) == "0.00"


@pytest.mark.rule("22")
async def test_a_closing_deducts_nothing_for_a_call_within_a_plan(service: Service) -> None:
    at, began = await scene(service, 5, 1_000), service.ports.now().isoformat()
    await at.ask()
    shown = await preview(service, at.ann.token)
    receipt = (await delete(service, at.ann))["receiptToken"]
    await pass_time(service, timedelta(minutes=5))

    told = [await at.report(), await at.report(60, "never asked for", startedAt=began)]
    await pass_time(service, DAY)

    assert [line["deducted"] for line in shown["refunds"]] == [{"amount": "0.00"}]
    assert [cost(answer) for answer in told] == ["0.00", "0.00"]
    (refund,) = (await by_receipt(service, receipt))["refunds"]
    assert refund["amount"] == {"amount": "10.00"}
    assert (await audit()).differences == ()


@pytest.mark.rule("22")
async def test_a_call_within_a_plan_that_is_reported_after_the_closing_loses_nobody_money(service: Service) -> None:
    at = await scene(service, 5, 1_000)
    await at.ask()
    await close(service, at.ann, at.opened.id)
    await pass_time(service, DAY + timedelta(hours=1))

    assert cost(await at.report()) == "0.00"
    assert await count("legs l join ledger_accounts a on a.id = l.debit_id where a.kind = 'BAD_DEBT_EXPENSE'") == 0
    assert (await audit()).differences == ()
