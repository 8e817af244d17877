"""Calls within a plan: they cost nothing and count down, each once, and then the rate applies (rule 28)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.adapters.database import dialect, execute, fetch
from api.domain.service_accounts import Product
from api.services.audit import audit
from tests import factories
from tests.flows.conftest import Service
from tests.flows.money import authorize, balance, count, record
from tests.flows.paying import place
from tests.flows.plan_calls import cost, scene
from tests.flows.test_statements import counted
from tests.flows.watching import WATCH, next_change

pytestmark = pytest.mark.rule("28")
CALLS = """{ me { serviceAccounts { ... on AdvanceConnectAccount {
  calls { edges { node { includedInPlan cost { amount } } } } transactions { edges { node { kind } } } } } } }"""


@pytest.mark.rule("13")
async def test_included_calls_count_down_and_then_the_rate_applies(service: Service) -> None:
    at = await scene(service, 2, 1_000)
    seen = []
    for number in range(3):
        asked = await at.ask(f"call {number}")
        held = (await balance(service, at.ann))["held"]
        reported = await at.report(300, f"call {number}")
        seen.append((asked["maxSeconds"], held, await at.left(), cost(reported)))

    assert seen == [(3_600, "0.00", 1, "0.00"), (3_600, "0.00", 0, "0.00"), (3_600, "6.00", 0, "0.50")]
    assert (await balance(service, at.ann))["posted"] == "9.50"
    ended = await fetch("select state from holds where kind = 'CALL' order by created_at")
    assert [row["state"] for row in ended] == ["VOIDED", "VOIDED", "POSTED"]
    (shown,) = (await service.ask(CALLS, token=at.ann.token))["me"]["serviceAccounts"]
    assert [call["node"]["includedInPlan"] for call in shown["calls"]["edges"]] == [False, True, True]
    assert [entry["node"]["kind"] for entry in shown["transactions"]["edges"]] == ["CALL_CHARGE", "FUNDING"]
    assert (await audit()).differences == ()


@pytest.mark.parametrize("posted", [0, -500])
async def test_a_call_within_a_plan_needs_no_money(service: Service, posted: int) -> None:
    at = await scene(service)
    await execute("update balances set posted = $1, may_be_negative = $2", posted, True)

    assert (await at.ask())["maxSeconds"] == 3_600
    assert cost(await at.report()) == "0.00"
    assert await count("journal_entries where kind = 'CALL_CHARGE'") == 0


async def test_a_plan_without_a_number_of_calls_includes_them_all(service: Service) -> None:
    at = await scene(service, None)

    for number in range(3):
        assert (await at.ask(f"call {number}"))["maxSeconds"] == 3_600
        assert cost(await at.report(60, f"call {number}")) == "0.00"

    assert await at.left() is None


async def test_direct_bill_counts_down_too_and_owes_nothing(service: Service) -> None:
    at = await scene(service, 1, by=Product.DIRECT_BILL)

    await at.ask("one")
    await at.ask("two")

    assert [cost(await at.report(60, call)) for call in ("one", "two")] == ["0.00", "0.10"]
    rows = await fetch("select posted, unbilled, held from balances")
    assert [(row["posted"], row["unbilled"], row["held"]) for row in rows] == [(10, 10, 0)]


async def test_a_plan_is_of_its_facility_and_product(service: Service) -> None:
    at = await scene(service, 2)
    other = await place("Other")
    elsewhere = await at.ask("elsewhere", facilityId=other.id)
    nowhere = await at.ask("nowhere", facilityId=None)
    await execute("update plans set product = 'DIRECT_BILL'")
    of_another = await at.ask("of another")

    assert [answer["maxSeconds"] for answer in (elsewhere, nowhere, of_another)] == [0, 0, 0]
    assert await at.left() == 2


async def test_somebody_elses_plan_includes_nothing(service: Service) -> None:
    at = await scene(service, 2)
    ben = await factories.holder(service, "ben@mail.test")
    opened = await ben.advance_connect()

    asked = await authorize(service, at.key, opened.phone, "bens", facilityId=at.where.id)

    assert asked["maxSeconds"] == 0
    assert await at.left() == 2


async def test_of_calls_at_once_only_one_takes_the_last(service: Service) -> None:
    at = await scene(service, 1)

    asked = await asyncio.gather(*(at.ask(f"call {number}") for number in range(8)))

    assert sorted(answer["maxSeconds"] for answer in asked) == [0] * 7 + [3_600]
    assert await at.left() == 0


async def test_of_records_at_once_that_nobody_asked_for_one_takes_the_last(service: Service) -> None:
    at = await scene(service, 1, 1_000)

    told = await asyncio.gather(*(at.report(60, f"call {number}") for number in range(5)))

    assert sorted(map(cost, told)) == ["0.00"] + ["0.10"] * 4
    assert await at.left() == 0
    assert (await audit()).differences == ()


async def test_a_call_counts_once_however_often_it_is_asked_extended_and_reported(service: Service) -> None:
    at = await scene(service, 5)

    asked = await asyncio.gather(*(at.ask() for _ in range(5)))
    further = [(await at.ask(segment=segment))["maxSeconds"] for segment in (1, 1, 2)]
    told = await asyncio.gather(*(at.report(7_300) for _ in range(5)))

    assert sorted(answer["replayed"] for answer in asked) == [False] + [True] * 4
    assert {answer["maxSeconds"] for answer in asked} == {3_600}
    assert further == [3_600] * 3
    assert [cost(answer) for answer in told] == ["0.00"] * 5
    assert await at.left() == 4


@pytest.mark.parametrize("reported", [{"durationSeconds": 0}, {"ratePerMinute": "0"}])
async def test_a_call_that_costs_nothing_is_given_back(service: Service, reported: dict[str, Any]) -> None:
    at = await scene(service, 2)
    await at.ask()
    during = await at.left()

    answers = [await at.report(60, **reported) for _ in range(2)]

    assert (during, await at.left()) == (1, 2)
    assert [cost(answer) for answer in answers] == ["0.00", "0.00"]
    assert await count("holds where state = 'VOIDED'") == 1


async def test_a_free_call_takes_none(service: Service) -> None:
    at = await scene(service, 2)

    asked = await at.ask(ratePerMinute="0")

    assert (asked["maxSeconds"], await at.left()) == (3_600, 2)


async def test_what_is_given_back_meanwhile_is_taken_by_a_call_that_ran_at_the_rate(service: Service) -> None:
    at = await scene(service, 1, 1_000)
    await at.ask("one")
    await at.ask("two")
    await at.report(0, "one")

    told = await at.report(60, "two")

    assert (cost(told), await at.left()) == ("0.00", 0)
    seen = await balance(service, at.ann)
    assert (seen["posted"], seen["held"]) == ("10.00", "0.00")


@pytest.mark.rule("35")
async def test_watchers_of_the_balance_see_a_call_within_a_plan_begin_and_end(service: Service) -> None:
    at = await scene(service, 5, 1_000)

    async with service.watch(WATCH, token=at.ann.token) as stream:
        first = await next_change(stream)
        await at.ask()
        began = (await stream.next())["balanceChanged"]
        await at.report()
        ended = (await stream.next())["balanceChanged"]

    assert (began["cause"], began["balance"]["held"], began["balance"]["revision"]) == (
        "CALL_STARTED",
        {"amount": "0.00"},
        first[1] + 1,
    )
    assert (ended["cause"], ended["transaction"]) == ("CALL_RELEASED", None)


@pytest.mark.rule("35")
async def test_watchers_of_the_subscription_see_its_calls_count_down_and_come_back(service: Service) -> None:
    at = await scene(service, 5)
    document = "subscription { subscriptionChanged { subscription { includedCallsLeft } } }"

    async with service.watch(document, token=at.ann.token) as stream:
        first = await stream.next()
        await at.ask()
        await at.ask()
        await at.ask("another")
        await at.report(0, "another")
        seen = [first, *[await stream.next() for _ in range(3)]]

    assert [each["subscriptionChanged"]["subscription"]["includedCallsLeft"] for each in seen] == [5, 4, 3, 4]


async def test_who_has_no_plan_waits_for_no_further_statement(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    opened, key = await ann.advance_connect(1_000), await factories.switch_key(service)
    await record(service, key, opened.phone, 60, "opens the operator's accounts")

    async with counted() as asked:
        await authorize(service, key, opened.phone, facilityId=where.id)
    async with counted() as told:
        await record(service, key, opened.phone, 60, facilityId=where.id)

    assert len(asked.queries) <= 14, asked.queries
    assert len(told.queries) <= (17 if dialect() == "sqlite" else 16), told.queries
