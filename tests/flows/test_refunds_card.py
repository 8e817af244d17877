"""Refunds to a card: to the last one, against its charges, and by check what it does not take (rule 23)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, fetch_one, read_uuid
from api.adapters.payments import Refund as ProcessorRefund
from api.adapters.payments import RefundStatus
from api.domain.days import day_of
from api.services.card_refunds import settle
from tests import factories
from tests.flows.conftest import Service
from tests.flows.money import authorize, balance, count, pay
from tests.flows.money_back import (
    begin,
    differences,
    direct_bill,
    fix_amount,
    go_to,
    paid,
    refunded,
    refunds,
    statuses,
    take_back,
)
from tests.flows.webhooks import WebhookDoor

pytestmark = pytest.mark.rule("23")

DAY = timedelta(days=1)
ALL_OF_A_CARD = ["SETTLING", "CALCULATED", "SUBMITTED", "ISSUED", "COMPLETED"]


async def payment_statuses() -> list[str]:
    return [row["status"] for row in await fetch("select status from payments order by id")]


@pytest.mark.parametrize(
    "asked_at",
    [
        datetime(2027, 3, 12, 18, tzinfo=UTC),  # A Friday; summer time begins on the Sunday.
        datetime(2027, 11, 24, 18, tzinfo=UTC),  # The day before Thanksgiving.
        datetime(2028, 2, 28, 3, tzinfo=UTC),  # Still Sunday in Central time, in a leap year.
        datetime(2026, 12, 30, 18, tzinfo=UTC),  # New Year's Day lies between.
    ],
    ids=str,
)
async def test_a_card_refund_is_confirmed_on_the_last_day_of_its_promise(service: Service, asked_at: datetime) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await go_to(service, asked_at)
    ann = await factories.begin_again(ann)
    await paid(service, ann, opened, "25.00", card)
    refund_id, _ = await begin(service.ports, ann, opened.key)

    await go_to(service, service.ports.now() + DAY)
    await fix_amount(service.ports, refund_id, opened.key)
    window = (await refunds(service, ann))[0]["window"]
    latest = date.fromisoformat(window["latest"])
    await go_to(service, latest - timedelta(days=1))
    await go_to(service, service.ports.now() + timedelta(hours=23))
    assert (await refunds(service, ann))[0]["status"] == "ISSUED"
    await go_to(service, latest)

    refund = (await refunds(service, ann))[0]
    (row,) = await fetch("select at from refund_events where status = 'COMPLETED'")
    ended_at = row["at"] if isinstance(row["at"], datetime) else datetime.fromisoformat(row["at"])
    assert (statuses(refund), day_of(ended_at)) == (ALL_OF_A_CARD, latest)
    assert (refund["amount"], refund["destination"]) == ("25.00", "Visa ending in 4242")
    assert "2 to 3 business days" in window["rule"]
    assert "billing cycle" in window["rule"]
    assert (await payment_statuses(), await differences()) == (["REFUNDED"], ())


async def test_the_last_card_that_funded_gets_it_also_when_it_was_removed(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    await paid(service, ann, opened, "10.00", await ann.card("tok_mastercard"))
    await execute("update payment_methods set removed_at = $1, default_of = null", service.ports.now())

    await refunded(service, ann, opened)
    await service.work()

    # Ten dollars are all that the last card has paid; the rest cannot go back to it.
    card, check = await refunds(service, ann)
    assert (card["amount"], card["destination"], card["status"]) == ("10.00", "Mastercard ending in 4444", "ISSUED")
    assert (check["amount"], check["destination"], check["method"]) == ("25.00", "Dallas, TX 75201", "CHECK")
    assert (check["basedOnChannel"], statuses(check)) == ("CARD_ONLINE", ["CALCULATED"])
    assert (await balance(service, ann))["posted"] == "0.00"
    assert await differences() == ()


async def test_a_refund_goes_against_the_newest_charges_first(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    for amount in ("10.00", "20.00", "30.00"):
        await paid(service, ann, opened, amount, card)
    await factories.charged_call(service.ports, await _switch(service), opened, "long", minutes=150)

    await refunded(service, ann, opened)
    await service.work()
    await go_to(service, service.ports.now() + 7 * DAY)

    parts = await fetch("select amount from refund_parts order by id")
    assert [row["amount"] for row in parts] == [3_000, 1_500]
    assert await payment_statuses() == ["SUCCEEDED", "PARTIALLY_REFUNDED", "REFUNDED"]
    assert await differences() == ()


async def _switch(service: Service) -> UUID:
    await factories.switch_key(service)
    return await factories.switch_id()


async def test_a_charged_back_funding_does_not_decide_and_is_not_refunded(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "10.00", await ann.card())
    await paid(service, ann, opened, "25.00", await ann.card("tok_mastercard"))
    await execute("update payments set status = 'CHARGED_BACK' where amount = 2500")

    await refunded(service, ann, opened)

    card, check = await refunds(service, ann)
    assert (card["destination"], card["amount"], check["amount"]) == ("Visa ending in 4242", "10.00", "25.00")


@pytest.mark.rule("19")
async def test_what_the_processor_tells_of_a_refund_has_it_asked_at_once(service: Service) -> None:
    ann, door = await factories.holder(service), WebhookDoor(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    await refunded(service, ann, opened)
    await service.work()
    await execute("delete from due_work where kind = 'refund'")
    await service.advance(timedelta(days=8))
    (part,) = await fetch("select id from refund_parts")
    told = {"id": "evt_1", "type": "refund.succeeded", "subject": "REFUND", "reference": str(part["id"])}

    for _ in range(2):
        assert await door.say(json.dumps(told).encode()) == 200
    await service.work()

    assert ((await refunds(service, ann))[0]["status"], await differences()) == ("COMPLETED", ())


async def test_what_nobody_paid_in_by_card_goes_by_check(service: Service) -> None:
    ann = await factories.holder(service)

    await refunded(service, ann, await ann.advance_connect(1_250))

    (refund,) = await refunds(service, ann)
    assert (refund["method"], refund["basedOnChannel"], refund["amount"]) == ("CHECK", None, "12.50")


async def test_a_refused_card_refund_goes_by_one_check_and_is_told(service: Service) -> None:
    ann = await factories.holder(service, locale="es")
    opened, card = await ann.advance_connect(), await ann.card("tok_refund_refused")
    await paid(service, ann, opened, "10.00", card)
    await paid(service, ann, opened, "15.00", card)

    await refunded(service, ann, opened)
    await service.work()
    subjects = [mail.subject for mail in await service.mails(ann.email)]

    refused, check = await refunds(service, ann)
    assert statuses(refused) == ["SETTLING", "CALCULATED", "SUBMITTED", "REROUTED"]
    assert (check["amount"], check["method"], check["status"]) == ("25.00", "CHECK", "CALCULATED")
    assert "Su reembolso llegará por cheque" in subjects
    assert (await payment_statuses(), await differences()) == (["SUCCEEDED", "SUCCEEDED"], ())


async def test_a_part_that_is_refused_later_comes_back_and_goes_by_check(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await paid(service, ann, opened, "10.00", card)
    await refunded(service, ann, opened)
    await service.work()
    (part,) = await fetch("select id, amount from refund_parts")
    key = str(read_uuid(part["id"]))
    refused = ProcessorRefund(key, "re_1", "ch_1", RefundStatus.REFUSED, part["amount"])

    await settle(service.ports, read_uuid((await fetch("select id from refunds"))[0]["id"]), {UUID(key): refused})

    card_refund, check = await refunds(service, ann)
    assert (card_refund["status"], check["amount"]) == ("REROUTED", "10.00")
    assert await differences() == ()


async def test_a_part_that_is_refused_leaves_the_others_and_goes_by_check(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await paid(service, ann, opened, "10.00", card)
    await paid(service, ann, opened, "15.00", card)
    await refunded(service, ann, opened)
    older = await fetch_one("select processor_reference from payments where amount = 1000")
    assert older is not None
    # Nothing is left of the older charge, for a reason of the processor's that is no dispute.
    reference, now = str(older["processor_reference"]), service.ports.now()
    await service.processor.refund(key=str(uuid7()), charge=reference, amount_cents=1_000, at=now)

    await service.work()

    card_refund, check = await refunds(service, ann)
    assert (card_refund["status"], card_refund["amount"]) == ("ISSUED", "15.00")
    assert [line["note"] for line in card_refund["timeline"]][-2:] == [
        "The card's bank refused $10.00 of it, which goes out by check.",
        "Sent to the card. It may take up to one billing cycle to show on the statement.",
    ]
    assert (check["amount"], await differences()) == ("10.00", ())


@pytest.mark.rule("22")
async def test_holds_of_calls_are_voided_and_the_whole_balance_goes_back(service: Service) -> None:
    ann = await factories.holder(service)
    opened, key = await ann.advance_connect(1_000), await factories.switch_key(service)
    await authorize(service, key, opened.phone)

    await refunded(service, ann, opened)

    (refund,) = await refunds(service, ann)
    found = await balance(service, ann)
    assert (refund["amount"], found["posted"], found["held"]) == ("10.00", "0.00", "0.00")
    assert await differences() == ()


@pytest.mark.rule("22")
@pytest.mark.parametrize("posted", [0, -700])
async def test_nothing_is_due_at_zero_and_a_debt_is_written_off(service: Service, posted: int) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    if posted:
        await factories.fund(service.ports, opened.key, -posted)
        await take_back(service.ports, opened.key, -2 * posted)

    await refunded(service, ann, opened)

    (refund,) = await refunds(service, ann)
    (written_off,) = await fetch("select count(*) as n from journal_entries where kind = 'WRITE_OFF'")
    assert (statuses(refund), refund["amount"]) == (["SETTLING", "NOTHING_DUE"], "0.00")
    assert (written_off["n"], (await balance(service, ann))["posted"]) == (1 if posted else 0, "0.00")
    assert await differences() == ()


async def test_a_refund_whose_outcome_is_unknown_is_asked_for_again_and_given_once(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    await refunded(service, ann, opened)
    real, answers = service.processor.refund, []

    async def lost(**asked: object) -> object:
        answers.append(await real(**asked))  # type: ignore[arg-type]
        raise TimeoutError

    service.processor.refund = lost  # type: ignore[method-assign,assignment]
    await service.work()
    service.processor.refund = real  # type: ignore[method-assign]
    assert (await refunds(service, ann))[0]["status"] == "SUBMITTED"
    await go_to(service, service.ports.now() + timedelta(minutes=1))

    assert ((await refunds(service, ann))[0]["status"], len(answers)) == ("ISSUED", 1)
    assert await differences() == ()


@pytest.mark.rule("23")
@pytest.mark.rule("24")
async def test_a_credit_of_direct_bill_goes_back_and_what_is_owed_stays_owed(service: Service) -> None:
    ann = await factories.holder(service)
    credit, owed = await direct_bill(ann, 750), await direct_bill(ann, -500)

    for service_id in (credit, owed):
        refund_id, _ = await begin(service.ports, ann, service_id)
        await fix_amount(service.ports, refund_id, service_id)

    found = [(refund["status"], refund["amount"], refund["product"]) for refund in await refunds(service, ann)]
    assert found == [("CALCULATED", "7.50", "DIRECT_BILL"), ("NOTHING_DUE", "0.00", "DIRECT_BILL")]
    assert [row["posted"] for row in await fetch("select posted from balances order by id")] == [0, 500]
    assert await differences() == ()


async def test_two_refunds_at_once_never_give_back_more_than_a_charge(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(), await ann.card()
    await paid(service, ann, opened, "25.00", card)
    refund_id, _ = await begin(service.ports, ann, opened.key)

    await asyncio.gather(*(fix_amount(service.ports, refund_id, opened.key) for _ in range(5)))
    await asyncio.gather(*(service.work() for _ in range(4)))

    assert (await count("refund_parts"), await count("refunds")) == (1, 1)
    movements = await service.processor.movements(datetime(2020, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC))
    assert sum(movement.cents for movement in movements) == 0
    assert await differences() == ()


async def test_refunds_of_two_services_at_once_count_on_no_charge_twice(service: Service) -> None:
    ann = await factories.holder(service)
    opened, card = await ann.advance_connect(1_000), await ann.card()
    await paid(service, ann, opened, "25.00", card)
    billed = await direct_bill(ann, 3_000, card)
    (one, _), (other, _) = await begin(service.ports, ann, opened.key), await begin(service.ports, ann, billed)

    await asyncio.gather(fix_amount(service.ports, one, opened.key), fix_amount(service.ports, other, billed))
    await service.work()

    # The card brought 25 and 30 dollars; 65 go back.
    found = sorted((refund["method"], refund["amount"]) for refund in await refunds(service, ann))
    assert [method for method, _ in found].count("CHECK") == 1
    assert sum(float(amount) for method, amount in found if method == "CARD") == 55
    assert sum(float(amount) for _, amount in found) == 65
    assert await differences() == ()


async def test_a_payment_under_way_is_no_part_of_what_is_fixed(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    await pay(service, ann, await ann.quote(opened), await ann.card("tok_3ds"), "waits")

    await refunded(service, ann, opened)

    found = await balance(service, ann)
    assert (found["posted"], found["incoming"]) == ("0.00", "25.00")
