"""Card processors under test, and what their customers and the banks of these do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import stripe
from uuid_utils.compat import uuid7

from api.adapters.payments import (
    Card,
    Charge,
    Processor,
)
from api.adapters.payments_simulated import SimulatedProcessor
from api.adapters.payments_stripe import StripeProcessor
from tests.adapters.stripe_server import StripeServer

SITE = "https://calls.example"
BACK = "https://calls.example/paid"
SECRET = "whsec_of_the_tests"
Signed = tuple[bytes, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Bank:
    """A processor, and what its customers and their banks do."""

    processor: Processor
    good: Callable[[], Awaitable[str]]
    declining: Callable[[], Awaitable[str]]
    asking: Callable[[], Awaitable[str]]
    finish: Callable[[Charge, bool], Awaitable[Any]]
    dispute: Callable[[Charge, int], Awaitable[str]]
    win: Callable[[str], Awaitable[Any]]
    hang: Callable[[], Awaitable[Any]]
    webhook: Callable[[Charge, float | None], Awaitable[Signed]]

    async def keep(self, token: str | None = None, customer: str = "ann") -> Card:
        """Keep a card."""
        return await self.processor.attach(token or await self.good(), customer=customer)

    async def charge(self, card: Card, key: str | None = None, cents: int = 2_500, **more: Any) -> Charge:
        """Charge a card of Ann's, who is there."""
        asked: dict[str, Any] = {"customer": "ann", "return_url": BACK, "at": datetime.now(UTC), **more}
        return await self.processor.charge(key=key or new_key(), card=card.id, amount_cents=cents, **asked)


def new_key() -> str:
    return str(uuid7())


def given(token: str) -> Callable[[], Awaitable[str]]:
    async def give() -> str:
        return token

    return give


def simulated(processor: SimulatedProcessor) -> Bank:
    async def dispute(charge: Charge, cents: int) -> str:
        found = await processor.open_dispute(charge.key, datetime.now(UTC), cents)
        assert found is not None
        return found.id

    async def hang() -> None:
        await processor.behave(next="timeout_charged")

    async def webhook(charge: Charge, at: float | None) -> Signed:
        found = [call.body for call in await processor.webhooks() if charge.key.encode() in call.body]
        return found[-1], await processor.signed(found[-1], at)

    return Bank(
        processor=processor,
        good=given("tok_visa"),
        declining=given("tok_declined"),
        asking=given("tok_3ds"),
        finish=lambda charge, ok: processor.finish_action(charge.id, ok),
        dispute=dispute,
        win=lambda reference: processor.end_dispute(reference, True),
        hang=hang,
        webhook=webhook,
    )


def at_stripe(processor: StripeProcessor, server: StripeServer) -> Bank:
    async def dispute(charge: Charge, cents: int) -> str:
        return server.open_dispute(charge.id, cents)

    async def win(reference: str) -> None:
        server.end_dispute(reference, "won")

    async def hang() -> None:
        server.fails_next_answer = True

    async def webhook(charge: Charge, at: float | None) -> Signed:
        about = {"id": charge.id, "object": "payment_intent", "metadata": {"payment_key": charge.key}}
        return signed("payment_intent.succeeded", about, at)

    return Bank(
        processor=processor,
        good=given("pm_card_visa"),
        # The card that Stripe declines when it is charged and not before.
        declining=given("pm_card_chargeCustomerFail"),
        asking=lambda: server.card("4000002760003184"),
        finish=lambda charge, ok: server.finish(charge.id, ok),
        dispute=dispute,
        win=win,
        hang=hang,
        webhook=webhook,
    )


def signed(kind: str, about: Mapping[str, Any], at: float | None = None, **more: Any) -> Signed:
    """Return a call of Stripe's, signed as its SDK signs."""
    event = {"id": f"evt_{new_key()}", "object": "event", "type": kind, "livemode": False, "data": {"object": about}}
    body = json.dumps(event | more)
    moment = None if at is None else int(at)
    header = stripe.WebhookSignature.generate_signature_header(body, SECRET, moment)
    return body.encode(), {"stripe-signature": header}
