"""Calls: the switch asks before and reports after; each call is charged once (rule 13)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from api.services.audit import audit
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import AUTHORIZE, authorize, balance, count, record

pytestmark = pytest.mark.rule("13")


async def prepaid(service: Service, cents: int = 1_000) -> tuple[Holder, Opened, str]:
    ann = await factories.holder(service)
    return ann, await ann.advance_connect(cents), await factories.switch_key(service)


@pytest.mark.parametrize(
    "cents, seconds, held",
    [(1_000, 3_600, "6.00"), (600, 3_600, "6.00"), (57, 300, "0.50"), (10, 60, "0.10"), (9, 0, "0.00"), (0, 0, "0.00")],
)
async def test_a_call_holds_the_price_of_sixty_minutes_or_of_what_is_there(
    service: Service, cents: int, seconds: int, held: str
) -> None:
    ann, opened, key = await prepaid(service, cents)

    answer = await authorize(service, key, opened.phone)

    assert answer["maxSeconds"] == seconds
    assert answer["call"]["status"] == ("IN_PROGRESS" if seconds else "REFUSED")
    seen = await balance(service, ann)
    assert seen["held"] == held
    assert Decimal(seen["available"]) == Decimal(cents) / 100 - Decimal(held)


@pytest.mark.parametrize(
    "seconds, cost", [(0, "0.00"), (1, "0.10"), (60, "0.10"), (61, "0.20"), (3_599, "6.00"), (3_601, "6.10")]
)
async def test_each_started_minute_is_charged_and_the_hold_released(service: Service, seconds: int, cost: str) -> None:
    ann, opened, key = await prepaid(service)
    await authorize(service, key, opened.phone)

    answer = await record(service, key, opened.phone, seconds)

    assert (answer["call"]["status"], answer["call"]["cost"]) == ("ENDED", {"amount": cost})
    seen = await balance(service, ann)
    assert seen["held"] == "0.00"
    assert Decimal(seen["posted"]) == 10 - Decimal(cost)
    assert (await audit()).differences == ()


async def test_a_charge_is_rounded_once_half_up(service: Service) -> None:
    _, opened, key = await prepaid(service)

    answer = await record(service, key, opened.phone, 180, ratePerMinute="0.0050")

    assert answer["call"]["cost"] == {"amount": "0.02"}


async def test_a_segment_asked_twice_holds_once(service: Service) -> None:
    ann, opened, key = await prepaid(service)

    answers = await asyncio.gather(*(authorize(service, key, opened.phone) for _ in range(10)))

    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 9
    assert {answer["maxSeconds"] for answer in answers} == {3_600}
    assert (await balance(service, ann))["held"] == "6.00"
    assert await count("holds") == 1


async def test_further_segments_extend_the_hold_until_the_money_ends(service: Service) -> None:
    ann, opened, key = await prepaid(service, 1_000)

    allowed = [(await authorize(service, key, opened.phone, segment=n))["maxSeconds"] for n in range(3)]

    assert allowed == [3_600, 2_400, 0]
    assert (await balance(service, ann))["held"] == "10.00"
    assert (await audit()).differences == ()


@pytest.mark.row("F35", "I3")
async def test_two_calls_at_once_never_hold_the_same_money(service: Service) -> None:
    ann, opened, key = await prepaid(service, 600)

    answers = await asyncio.gather(*(authorize(service, key, opened.phone, f"call {n}") for n in range(8)))

    assert sorted(answer["maxSeconds"] for answer in answers) == [0] * 7 + [3_600]
    assert (await balance(service, ann))["available"] == "0.00"


@pytest.mark.row("F36", "I4")
async def test_a_record_that_comes_twice_charges_once(service: Service) -> None:
    ann, opened, key = await prepaid(service)
    await authorize(service, key, opened.phone)

    answers = await asyncio.gather(*(record(service, key, opened.phone, 300) for _ in range(20)))

    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 19
    assert len({answer["call"]["id"] for answer in answers}) == 1
    assert (await balance(service, ann))["posted"] == "9.50"
    assert (await audit()).differences == ()


@pytest.mark.row("F36")
async def test_the_first_record_of_a_call_counts(service: Service) -> None:
    ann, opened, key = await prepaid(service)
    await record(service, key, opened.phone, 60)

    again = await record(service, key, opened.phone, 600)

    assert again["replayed"] is True
    assert again["call"]["durationSeconds"] == 60
    assert (await balance(service, ann))["posted"] == "9.90"


async def test_a_call_that_was_reported_is_not_authorised_again(service: Service) -> None:
    ann, opened, key = await prepaid(service)
    await record(service, key, opened.phone, 60)

    late = await authorize(service, key, opened.phone)

    assert (late["maxSeconds"], late["replayed"]) == (0, True)
    assert (await balance(service, ann))["held"] == "0.00"


async def test_two_switches_may_use_the_same_call_id(service: Service) -> None:
    ann, opened, key = await prepaid(service)
    other = await factories.switch_key(service, "other switch")

    await record(service, key, opened.phone, 60)
    await record(service, other, opened.phone, 60)

    assert (await balance(service, ann))["posted"] == "9.80"


@pytest.mark.row("F35", "I3")
async def test_what_the_balance_does_not_cover_is_written_off(service: Service) -> None:
    ann, opened, key = await prepaid(service, 25)

    answer = await record(service, key, opened.phone, 600)

    assert answer["call"]["cost"] == {"amount": "0.25"}
    assert (await balance(service, ann))["posted"] == "0.00"
    assert (await audit()).differences == ()


async def test_a_charge_leaves_the_holds_of_other_calls_whole(service: Service) -> None:
    ann, opened, key = await prepaid(service, 100)
    await authorize(service, key, opened.phone, "one", ratePerMinute="0.01")

    longer = await record(service, key, opened.phone, 600, "two")

    assert longer["call"]["cost"] == {"amount": "0.40"}
    seen = await balance(service, ann)
    assert (seen["posted"], seen["held"], seen["available"]) == ("0.60", "0.60", "0.00")


@pytest.mark.row("F36")
async def test_a_hold_expires_a_day_after_its_last_segment_and_a_late_record_still_charges(service: Service) -> None:
    ann, opened, key = await prepaid(service)
    began = service.ports.now().isoformat()
    await authorize(service, key, opened.phone)

    await service.advance(timedelta(hours=23, minutes=59))
    await service.work()
    before = await balance(service, ann)
    await service.advance(timedelta(minutes=2))
    await service.work()
    after = await balance(service, ann)
    late = await record(service, key, opened.phone, 60, startedAt=began)

    assert (before["held"], after["held"]) == ("6.00", "0.00")
    assert late["call"]["cost"] == {"amount": "0.10"}
    assert (await balance(service, ann))["posted"] == "9.90"
    assert (await audit()).differences == ()


async def test_a_call_to_a_number_on_no_account_is_refused(service: Service) -> None:
    key = await factories.switch_key(service)

    asked = await asyncio.gather(*(authorize(service, key, "505-555-0199") for _ in range(5)))
    reported = await record(service, key, "505-555-0199", 60)

    assert [(answer["maxSeconds"], answer["call"]["status"]) for answer in asked] == [(0, "REFUSED")] * 5
    assert [(error["code"], error["path"]) for error in reported["errors"]] == [("NOT_FOUND", ["input", "phone"])]
    assert await count("journal_entries") == 0


async def test_a_record_from_before_the_phone_was_on_the_service_is_nobodys(service: Service) -> None:
    ann, opened, key = await prepaid(service)
    before = (service.ports.now() - timedelta(days=1)).isoformat()

    assert codes(await record(service, key, opened.phone, 60, startedAt=before)) == ["NOT_FOUND"]
    assert (await balance(service, ann))["posted"] == "10.00"


@pytest.mark.row("F36")
@pytest.mark.parametrize(
    "change, path",
    [
        ({"callId": ""}, "callId"),
        ({"callId": "x" * 81}, "callId"),
        ({"callId": "a\0b"}, "callId"),
        ({"callId": "\ud800"}, "callId"),
        ({"phone": "911"}, "phone"),
        ({"phone": "\0" * 50}, "phone"),
        ({"durationSeconds": -1}, "durationSeconds"),
        ({"durationSeconds": 86_401}, "durationSeconds"),
        ({"ratePerMinute": "-0.10"}, "ratePerMinute"),
        ({"ratePerMinute": "100.01"}, "ratePerMinute"),
        ({"facilityId": "nothing"}, "facilityId"),
        ({"startedAt": "9999-12-31T23:59:59Z"}, "startedAt"),
    ],
)
async def test_a_record_that_cannot_be_is_refused_with_its_path(
    service: Service, change: dict[str, Any], path: str
) -> None:
    ann, opened, key = await prepaid(service)

    payload = await record(service, key, opened.phone, 60, **change)

    assert [error["path"] for error in payload["errors"]] == [["input", path]]
    assert (await balance(service, ann))["posted"] == "10.00"
    assert await count("calls") == 0


@pytest.mark.parametrize("segment", [-1, 1_001, 2**31 - 1])
async def test_a_segment_that_cannot_be_is_refused(service: Service, segment: int) -> None:
    _, opened, key = await prepaid(service)

    assert codes(await authorize(service, key, opened.phone, segment=segment)) == ["INVALID"]


async def test_a_call_shows_where_it_came_from(service: Service) -> None:
    _, opened, key = await prepaid(service)
    place = await factories.facility()

    answer = await authorize(service, key, opened.phone, facilityId=place)

    assert answer["call"]["facility"] == {"name": "Mesa Jail"}
    assert answer["call"]["ratePerMinute"] == "0.1000"


@pytest.mark.rule("39")
async def test_a_switch_key_opens_just_its_mutations_and_no_holder_opens_them(service: Service) -> None:
    ann, opened, key = await prepaid(service)
    variables = {"input": {"callId": "call", "phone": opened.phone, "ratePerMinute": "0.10"}}

    by_holder = await service.run(AUTHORIZE, variables, token=ann.token)
    by_nobody = await service.run(AUTHORIZE, variables)
    pay = 'mutation { pay(input: {quoteId: "q", paymentMethodId: "m", idempotencyKey: "k"}) { replayed } }'
    by_switch = await service.run(pay, token=key)

    assert [result.errors[0].extensions["code"] for result in (by_holder, by_nobody, by_switch) if result.errors] == [
        "FORBIDDEN",
        "UNAUTHENTICATED",
        "FORBIDDEN",
    ]
    assert await count("calls") == 0
