"""The window of a closing: which calls are deducted, and which cost the holder nothing (rule 22)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.adapters.database import fetch
from api.services.audit import audit
from tests import factories
from tests.flows.closing import DAY, by_receipt, close, delete, ledger_of, pass_time
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import authorize, open_service, record
from tests.flows.money_back import paid, refunds

MINUTE = timedelta(minutes=1)


@pytest.mark.rule("22")
async def test_a_call_that_began_before_is_deducted_when_it_is_reported_within_a_day(service: Service) -> None:
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened = await ann.advance_connect(500)
    began = service.ports.now()
    receipt = (await delete(service, ann))["receiptToken"]
    await pass_time(service, DAY - MINUTE)

    reported = await record(service, switch, opened.phone, 120, startedAt=began.isoformat())
    await pass_time(service, MINUTE)

    assert reported["call"]["cost"] == {"amount": "0.20"}
    (refund,) = (await by_receipt(service, receipt))["refunds"]
    assert refund["amount"] == {"amount": "4.80"}


@pytest.mark.row("F27")
@pytest.mark.rule("20", "22")
@pytest.mark.parametrize(
    ("asked_at", "earliest", "latest"),
    [
        (datetime(2027, 3, 14, 3, 30, tzinfo=UTC), "2027-03-16", "2027-03-17"),
        (datetime(2027, 11, 7, 3, 30, tzinfo=UTC), "2027-11-09", "2027-11-10"),
        (datetime(2028, 2, 29, 3, 30, tzinfo=UTC), "2028-03-01", "2028-03-02"),
        (datetime(2028, 1, 1, 5, 59, tzinfo=UTC), "2028-01-04", "2028-01-05"),
    ],
    ids=["clocks go forward", "clocks go back", "leap day", "year end"],
)  # fmt: skip
async def test_late_calls_are_taken_for_twenty_four_hours_whatever_the_calendar_does(
    service: Service, asked_at: datetime, earliest: str, latest: str
) -> None:
    await service.advance(asked_at - service.ports.now())
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened, began = await ann.advance_connect(), service.ports.now()
    await paid(service, ann, opened, "5.00", await ann.card())
    payload = await close(service, ann, opened.id)
    await pass_time(service, DAY - MINUTE)

    reported = await record(service, switch, opened.phone, 120, startedAt=began.isoformat())
    before = (await by_receipt(service, payload["receiptToken"]))["status"]
    await pass_time(service, MINUTE)

    until = datetime.fromisoformat(payload["closure"]["callWindowEndsAt"])
    assert timedelta() <= until - asked_at - DAY < MINUTE
    assert (reported["call"]["cost"], before) == ({"amount": "0.20"}, "SETTLING_CALLS")
    (refund,) = await refunds(service, ann)
    assert (refund["amount"], refund["status"]) == ("4.80", "ISSUED")
    assert (refund["window"]["earliest"], refund["window"]["latest"]) == (earliest, latest)


@pytest.mark.rule("22")
async def test_a_call_that_began_after_finds_no_account(service: Service) -> None:
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened = await ann.advance_connect(500)
    await delete(service, ann)
    await pass_time(service, MINUTE)

    assert codes(await record(service, switch, opened.phone, 120)) == ["NOT_FOUND"]


@pytest.mark.rule("22")
async def test_a_record_that_comes_later_is_kept_and_costs_the_holder_nothing(service: Service) -> None:
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened = await ann.advance_connect(500)
    began = service.ports.now()
    receipt = (await delete(service, ann))["receiptToken"]
    # The window is over, but nobody has fixed the amount yet.
    await service.advance(DAY + MINUTE)

    reported = await record(service, switch, opened.phone, 120, startedAt=began.isoformat())
    await service.work()

    assert (codes(reported), reported["call"]["cost"]) == ([], {"amount": "0.00"})
    (refund,) = (await by_receipt(service, receipt))["refunds"]
    assert refund["amount"] == {"amount": "5.00"}
    assert await ledger_of("BAD_DEBT_EXPENSE") == -20
    assert (await audit()).differences == ()


@pytest.mark.rule("22")
async def test_a_call_under_way_keeps_its_hold_but_gets_no_more_time(service: Service) -> None:
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened = await ann.advance_connect(1_000)
    began = await authorize(service, switch, opened.phone)
    shown_before = await delete(service, ann)

    further = await authorize(service, switch, opened.phone, segment=1)
    await pass_time(service, MINUTE)
    reported = await record(service, switch, opened.phone, 600)
    await pass_time(service, DAY)

    assert (began["maxSeconds"], further["maxSeconds"]) == (3_600, 0)
    assert reported["call"]["cost"] == {"amount": "1.00"}
    (refund,) = (await by_receipt(service, shown_before["receiptToken"]))["refunds"]
    assert refund["amount"] == {"amount": "9.00"}
    assert (await audit()).differences == ()


@pytest.mark.rule("22")
async def test_what_was_held_for_a_call_that_nobody_reports_goes_back(service: Service) -> None:
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened = await ann.advance_connect(1_000)
    await authorize(service, switch, opened.phone)
    receipt = (await delete(service, ann))["receiptToken"]

    await pass_time(service, DAY)

    (refund,) = (await by_receipt(service, receipt))["refunds"]
    assert refund["amount"] == {"amount": "10.00"}
    assert [(row["posted"], row["held"]) for row in await fetch("select posted, held from balances")] == [(0, 0)]


@pytest.mark.rule("13a", "22")
async def test_a_released_number_may_be_on_another_account_which_pays_for_its_own_calls_alone(service: Service) -> None:
    ann, ben = await factories.holder(service), await factories.holder(service, "ben@mail.test")
    switch = await factories.switch_key(service)
    opened = await ann.advance_connect(500)
    began = service.ports.now()
    receipt = (await close(service, ann, opened.id))["receiptToken"]
    await pass_time(service, MINUTE)
    other = await open_service(service, ben, phone=opened.phone)
    await factories.fund(service.ports, factories.key_of_service(other["serviceAccount"]["id"]), 300)

    await record(service, switch, opened.phone, 60, "old", startedAt=began.isoformat())
    await record(service, switch, opened.phone, 120, "new", startedAt=(service.ports.now() + MINUTE).isoformat())
    await pass_time(service, DAY)

    (refund,) = (await by_receipt(service, receipt))["refunds"]
    assert refund["amount"] == {"amount": "4.90"}
    posted = await fetch("select posted from balances where account_id = $1", ben.account_id)
    assert [row["posted"] for row in posted] == [280]
