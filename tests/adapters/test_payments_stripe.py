"""What is Stripe's alone: which of its calls are taken, what it is told, and when it cannot be asked."""

from __future__ import annotations

from typing import Any

import pytest

from api.adapters.payments import (
    CardRefused,
    ChargeStatus,
    Event,
    ProcessorUnavailable,
    Subject,
    WebhookRefused,
)
from api.adapters.payments_stripe import StripeProcessor
from api.domain.payments import DeclineReason
from tests.adapters.banks import BACK, SECRET, at_stripe, new_key, signed
from tests.adapters.stripe_server import StripeServer


@pytest.mark.rule("19")
@pytest.mark.parametrize("more", [{"livemode": True}, {"account": "acct_somebody"}])
async def test_a_call_of_stripes_about_another_mode_or_account_is_refused(more: dict[str, Any]) -> None:
    processor = StripeProcessor("sk_test_contract", SECRET, "pk_test_contract")
    body, headers = signed("payment_intent.succeeded", {"id": "pi_1", "metadata": {"payment_key": "k"}}, **more)

    with pytest.raises(WebhookRefused, match="another merchant"):
        await processor.read_webhook(body, headers)
    await processor.close()


@pytest.mark.rule("19")
@pytest.mark.parametrize(
    ("kind", "about", "subject", "reference"),
    [
        ("charge.dispute.created", {"id": "dp_1", "status": "needs_response"}, Subject.DISPUTE, "dp_1"),
        ("charge.dispute.closed", {"id": "dp_1", "status": "won"}, Subject.DISPUTE, "dp_1"),
        # The bank only asks; no money has moved.
        ("charge.dispute.created", {"id": "dp_1", "status": "warning_needs_response"}, Subject.OTHER, ""),
        ("refund.failed", {"id": "re_1", "metadata": {"payment_key": "k"}}, Subject.REFUND, "k"),
        ("payment_intent.canceled", {"id": "pi_1", "metadata": {}}, Subject.OTHER, ""),
        ("customer.created", {"id": "cus_1"}, Subject.OTHER, ""),
    ],
)
async def test_stripes_events_are_read_by_kind(
    kind: str, about: dict[str, Any], subject: Subject, reference: str
) -> None:
    processor = StripeProcessor("sk_test_contract", SECRET, "pk_test_contract")
    event: Event = await processor.read_webhook(*signed(kind, about))

    assert (event.subject, event.reference) == (subject, reference)
    await processor.close()


async def test_without_anybody_there_a_card_that_asks_is_declined(server: StripeServer) -> None:
    processor = StripeProcessor("sk_test_contract", SECRET, "pk_test_contract", server.url)
    bank = at_stripe(processor, server)
    declined = await bank.charge(await bank.keep(await bank.asking()), return_url=None)

    assert (declined.status, declined.decline_reason) == (
        ChargeStatus.DECLINED,
        DeclineReason.AUTHENTICATION_REQUIRED,
    )
    await processor.close()


async def test_a_card_in_somebody_elses_name_is_not_kept(server: StripeServer) -> None:
    processor = StripeProcessor("sk_test_contract", SECRET, "pk_test_contract", server.url)
    token = await server.card("4242424242424242")
    first = await processor.attach(token, customer="ann")

    assert await processor.attach(token, customer="ann") == first
    with pytest.raises(CardRefused):
        await processor.attach(token, customer="bob")
    await processor.close()


async def test_stripe_is_told_our_key_and_nothing_of_the_customer(server: StripeServer) -> None:
    processor = StripeProcessor("sk_test_contract", SECRET, "pk_test_contract", server.url)
    bank, key = at_stripe(processor, server), new_key()
    await bank.charge(await bank.keep(), key)

    form = next(form for _, form in reversed(server.seen) if form.get("metadata[payment_key]") == key)
    assert form["currency"] == "usd"
    assert form["return_url"] == BACK
    assert {"receipt_email", "description", "shipping", "off_session"}.isdisjoint(form)
    await processor.close()


async def test_a_server_that_is_not_there_is_an_unknown_outcome() -> None:
    processor = StripeProcessor("sk_test_contract", SECRET, "pk_test_contract", "http://127.0.0.1:9")

    with pytest.raises(ProcessorUnavailable):
        await processor.inquire(new_key())
    with pytest.raises(ProcessorUnavailable):
        await processor.set_up(customer="ann")
    await processor.close()
