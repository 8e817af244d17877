"""What every card processor promises, asked of the simulated one and of Stripe's SDK against a server of its kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.adapters.payments import (
    CardRefused,
    ChargeStatus,
    DisputeStatus,
    MovementKind,
    ProcessorConflict,
    ProcessorUnavailable,
    RefundStatus,
    Subject,
    WebhookRefused,
)
from api.adapters.payments_simulated import SIGNATURE_HEADER, SimulatedProcessor
from api.adapters.payments_stripe import StripeProcessor
from api.domain.payments import DeclineReason
from tests.adapters.banks import SECRET, SITE, Bank, at_stripe, new_key, simulated
from tests.adapters.stripe_server import StripeServer


@pytest.fixture(params=["simulated", "stripe"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Bank:
    if request.param == "simulated":
        return simulated(SimulatedProcessor(tmp_path / "processor.sqlite3", SITE))
    server: StripeServer = request.getfixturevalue("server")
    return at_stripe(StripeProcessor("sk_test_contract", SECRET, "pk_test_contract", server.url), server)


@pytest.fixture
async def bank(opened: Bank) -> AsyncIterator[Bank]:
    yield opened
    await opened.processor.close()


async def test_each_setting_up_gives_a_secret_of_its_own(bank: Bank) -> None:
    first, second = [await bank.processor.set_up(customer="ann") for _ in range(2)]

    assert first.client_secret
    assert first.client_secret != second.client_secret


@pytest.mark.rule("14")
async def test_a_kept_card_shows_what_may_be_shown_and_is_charged(bank: Bank) -> None:
    card = await bank.keep()
    paid = await bank.charge(card)

    assert (card.brand, card.last4) == ("Visa", "4242")
    assert (paid.status, paid.amount_cents) == (ChargeStatus.SUCCEEDED, 2_500)
    assert (paid.decline_reason, paid.action_url) == (None, None)
    assert len(card.id) <= 120
    assert len(paid.id) <= 120


@pytest.mark.rule("18")
async def test_a_repeated_key_charges_once(bank: Bank) -> None:
    card, key = await bank.keep(), new_key()
    first = await bank.charge(card, key)
    again = await bank.charge(card, key)
    found = await bank.processor.inquire(key)

    assert first == again == found
    now = datetime.now(UTC)
    moved = await bank.processor.movements(now - timedelta(minutes=1), now + timedelta(minutes=1))
    assert [(m.kind, m.cents) for m in moved if m.key == key] == [(MovementKind.CHARGE, 2_500)]


@pytest.mark.rule("18")
async def test_a_key_stands_for_one_charge_only(bank: Bank) -> None:
    card, key = await bank.keep(), new_key()
    await bank.charge(card, key)

    with pytest.raises(ProcessorConflict):
        await bank.charge(card, key, 9_900)


async def test_somebody_elses_card_is_not_charged(bank: Bank) -> None:
    card, key = await bank.keep(customer="bob"), new_key()

    with pytest.raises(CardRefused):
        await bank.charge(card, key)
    assert await bank.processor.inquire(key) is None


@pytest.mark.parametrize("token", ["tok_nothing", "pm_nothing", "pm_../../v1/refunds", ""])
async def test_what_is_no_token_is_refused(bank: Bank, token: str) -> None:
    with pytest.raises(CardRefused):
        await bank.processor.attach(token, customer="ann")


async def test_a_decline_is_an_answer_and_stays_one(bank: Bank) -> None:
    card, key = await bank.keep(await bank.declining()), new_key()
    declined = await bank.charge(card, key)
    again = await bank.charge(card, key)

    assert (declined.status, declined.decline_reason) == (ChargeStatus.DECLINED, DeclineReason.DO_NOT_HONOR)
    assert again == declined == await bank.processor.inquire(key)


@pytest.mark.parametrize("key", [new_key(), "no key of ours"], ids=["unused", "not ours"])
async def test_a_key_that_was_never_seen_is_nothing(bank: Bank, key: str) -> None:
    assert await bank.processor.inquire(key) is None
    assert await bank.processor.cancel(key) is None


async def test_after_it_was_abandoned_a_key_charges_nothing(bank: Bank) -> None:
    card, key = await bank.keep(), new_key()

    assert await bank.processor.abandon(key) is None
    assert await bank.processor.abandon(key) is None
    with pytest.raises((ProcessorConflict, ProcessorUnavailable)):
        await bank.charge(card, key)
    assert await bank.processor.inquire(key) is None


async def test_what_was_charged_is_not_abandoned(bank: Bank) -> None:
    card, key = await bank.keep(), new_key()
    paid = await bank.charge(card, key)

    assert await bank.processor.abandon(key) == paid


@pytest.mark.parametrize(("passed", "status"), [(True, ChargeStatus.SUCCEEDED), (False, ChargeStatus.DECLINED)])
async def test_the_customer_acts_on_a_page_of_the_bank(bank: Bank, passed: bool, status: ChargeStatus) -> None:
    card, key = await bank.keep(await bank.asking()), new_key()
    waiting = await bank.charge(card, key)

    assert waiting.status is ChargeStatus.REQUIRES_ACTION
    assert (waiting.action_url or "").startswith("https://")
    await bank.finish(waiting, passed)
    ended = await bank.processor.inquire(key)
    assert ended is not None
    assert (ended.status, ended.action_url) == (status, None)
    assert ended.decline_reason is (None if passed else DeclineReason.AUTHENTICATION_REQUIRED)
    assert await bank.charge(card, key) == ended


async def test_what_nobody_acts_on_can_be_ended(bank: Bank) -> None:
    card, key = await bank.keep(await bank.asking()), new_key()
    await bank.charge(card, key)
    ended = await bank.processor.cancel(key)

    assert ended is not None
    assert (ended.status, ended.decline_reason) == (ChargeStatus.DECLINED, DeclineReason.AUTHENTICATION_REQUIRED)
    assert await bank.processor.cancel(key) == ended


async def test_what_has_succeeded_is_not_ended(bank: Bank) -> None:
    card, key = await bank.keep(), new_key()
    paid = await bank.charge(card, key)

    assert await bank.processor.cancel(key) == paid


async def test_a_lost_answer_is_unknown_until_it_is_asked_for(bank: Bank) -> None:
    card, key = await bank.keep(), new_key()

    await bank.hang()
    with pytest.raises(ProcessorUnavailable):
        await bank.charge(card, key)
    found = await bank.processor.inquire(key)
    assert found is not None
    assert found.status is ChargeStatus.SUCCEEDED


async def test_a_refund_is_made_once_per_key(bank: Bank) -> None:
    paid, key, now = await bank.charge(await bank.keep()), new_key(), datetime.now(UTC)

    first = await bank.processor.refund(key=key, charge=paid.id, amount_cents=1_000, at=now)
    again = await bank.processor.refund(key=key, charge=paid.id, amount_cents=1_000, at=now)

    assert first == again
    assert first.status is not RefundStatus.REFUSED
    assert await bank.processor.inquire_refund(key, charge=paid.id, at=now) == first
    later = await bank.processor.inquire_refund(key, charge=paid.id, at=now + timedelta(days=5))
    assert later is not None
    assert later.status is RefundStatus.SUCCEEDED
    assert await bank.processor.inquire_refund(new_key(), charge=paid.id, at=now) is None
    with pytest.raises(ProcessorConflict):
        await bank.processor.refund(key=key, charge=paid.id, amount_cents=1_001, at=now)


async def test_more_than_is_left_of_a_charge_is_not_refunded(bank: Bank) -> None:
    paid, now = await bank.charge(await bank.keep()), datetime.now(UTC)
    await bank.processor.refund(key=new_key(), charge=paid.id, amount_cents=1_500, at=now)
    refused = await bank.processor.refund(key=new_key(), charge=paid.id, amount_cents=1_001, at=now)

    assert refused.status is RefundStatus.REFUSED


async def test_a_chargeback_is_told_of_with_its_charge_and_how_it_ends(bank: Bank) -> None:
    paid = await bank.charge(await bank.keep())
    reference = await bank.dispute(paid, 2_500)

    opened = await bank.processor.dispute(reference)
    await bank.win(reference)
    won = await bank.processor.dispute(reference)

    assert opened is not None
    assert (opened.charge_key, opened.amount_cents, opened.status) == (paid.key, 2_500, DisputeStatus.OPEN)
    assert won is not None
    assert won.status is DisputeStatus.WON
    assert await bank.processor.dispute("dp_nothing") is None


async def test_the_chargebacks_of_a_charge_are_found_by_it(bank: Bank) -> None:
    paid, other = [await bank.charge(await bank.keep()) for _ in range(2)]
    references = {await bank.dispute(paid, 1_000), await bank.dispute(paid, 500)}
    await bank.dispute(other, 2_500)

    found = await bank.processor.disputes_of(paid.key, charge=paid.id)

    assert {(each.id, each.charge_key) for each in found} == {(reference, paid.key) for reference in references}
    assert await bank.processor.disputes_of(new_key(), charge="pi_nothing") == []


async def test_the_books_of_a_time_hold_what_moved_in_it(bank: Bank) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    paid, other = [await bank.charge(await bank.keep()) for _ in range(2)]
    refund, until = new_key(), datetime.now(UTC) + timedelta(seconds=2)
    await bank.processor.refund(key=refund, charge=paid.id, amount_cents=500, at=datetime.now(UTC))
    dispute = await bank.dispute(other, 2_500)

    moved = {m.key: (m.kind, m.cents) for m in await bank.processor.movements(since, until)}

    assert moved[paid.key] == moved[other.key] == (MovementKind.CHARGE, 2_500)
    assert moved[refund] == (MovementKind.REFUND, -500)
    assert moved[dispute] == (MovementKind.DISPUTE, -2_500)
    assert await bank.processor.movements(since - timedelta(days=2), since - timedelta(days=1)) == []


@pytest.mark.rule("19")
async def test_a_signed_call_tells_what_it_is_about(bank: Bank) -> None:
    paid = await bank.charge(await bank.keep())
    body, headers = await bank.webhook(paid, None)
    event = await bank.processor.read_webhook(body, headers)

    assert (event.subject, event.reference) == (Subject.CHARGE, paid.key)
    assert event == await bank.processor.read_webhook(body, headers)


@pytest.mark.rule("19")
@pytest.mark.parametrize("change", ["body", "signature", "nothing signed", "old"])
async def test_a_call_that_is_not_the_processors_is_refused(bank: Bank, change: str) -> None:
    paid = await bank.charge(await bank.keep())
    long_ago = datetime.now(UTC).timestamp() - 301
    body, headers = await bank.webhook(paid, long_ago if change == "old" else None)
    if change == "body":
        body = body.replace(paid.key.encode(), new_key().encode())
    elif change == "signature":
        headers = {name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in headers.items()}
    elif change == "nothing signed":
        headers = {}

    with pytest.raises(WebhookRefused):
        await bank.processor.read_webhook(body, headers)


@pytest.mark.rule("19")
async def test_another_merchants_call_is_refused(tmp_path: Path) -> None:
    ours = SimulatedProcessor(tmp_path / "ours.sqlite3", SITE)
    theirs = SimulatedProcessor(tmp_path / "theirs.sqlite3", SITE)
    await simulated(theirs).charge(await simulated(theirs).keep())
    body = (await theirs.webhooks())[0].body

    with pytest.raises(WebhookRefused):
        await ours.read_webhook(body, await theirs.signed(body))
    assert SIGNATURE_HEADER in await theirs.signed(body)
    for processor in (ours, theirs):
        await processor.close()
