"""Stripe as the card processor, by its own SDK.

Our key of a charge is the intent's idempotency key and stands in its metadata. Stripe cannot look an intent up by
either at once (its search lags behind by a minute or more), but lists what was created within a time without delay; and
the key, a UUID of version 7, says when it was made.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import stripe
import structlog

from api.adapters.payments import (
    Card,
    CardRefused,
    CardSetup,
    Charge,
    ChargeStatus,
    Dispute,
    DisputeStatus,
    Event,
    Movement,
    MovementKind,
    ProcessorConflict,
    ProcessorUnavailable,
    Refund,
    RefundStatus,
    WebhookRefused,
)
from api.adapters.payments_stripe_answers import (
    KEY,
    card_of,
    charge_of,
    dispute_of,
    event_of,
    key_of,
    reason_of,
    refund_of,
)
from api.adapters.payments_stripe_calls import (
    PAGE,
    Token,
    body_of,
    made_at,
    made_with,
    plain,
    read_token,
    span_of,
    translated,
)
from api.domain.payments import DeclineReason

ANSWER_SECONDS_MAX = 15.0
TOLERANCE_SECONDS = 300
ACCOUNT = "account_key"
CURRENCY = "usd"
# An intent is sent within two minutes of its key being made; clocks may differ by some more.
MADE_BEFORE, MADE_AFTER = timedelta(minutes=5), timedelta(minutes=15)

_log = structlog.get_logger("api.payments_stripe")


class StripeProcessor:
    """Keep cards at Stripe and charge them."""

    name = "stripe"

    def __init__(self, secret_key: str, webhook_secret: str, publishable_key: str, api_base: str = "") -> None:
        """Prepare; nothing is asked yet. `api_base` is another server that speaks as Stripe does, for tests."""
        stripe.enable_telemetry = False
        self._http = stripe.HTTPXClient(timeout=ANSWER_SECONDS_MAX)
        # The service repeats what needs it by itself, and by key.
        self._client = stripe.StripeClient(
            secret_key,
            http_client=self._http,
            max_network_retries=0,
            base_addresses={"api": api_base} if api_base else None,
        )
        self._api = self._client.v1
        self._webhook_secret = webhook_secret
        self.publishable_key = publishable_key
        self._is_live = "_live_" in secret_key

    async def set_up(self, *, customer: str) -> CardSetup:
        """Return the secret of a SetupIntent, for Stripe's own form; its card may be charged while nobody is there."""
        with translated():
            found = await self._customer(customer)
            intent = await self._api.setup_intents.create_async(
                {"customer": found, "usage": "off_session", "allowed_payment_method_types": ["card"]}
            )
        return CardSetup(str(intent.client_secret), self.publishable_key)

    async def attach(self, provider_token: str, *, customer: str) -> Card:
        """Keep a PaymentMethod, "pm_…", of this customer or of nobody yet; a repeat keeps the same card."""
        if not provider_token.startswith("pm_") or not provider_token.replace("_", "").isalnum():
            raise CardRefused(DeclineReason.OTHER)
        with translated():
            method = (await self._api.payment_methods.retrieve_async(provider_token)).to_dict()
            if method.get("type") != "card":
                raise CardRefused(DeclineReason.OTHER)
            owner = method.get("customer")
            if owner is None:
                owner = await self._customer(customer)
                await self._api.payment_methods.attach_async(method["id"], {"customer": owner})
            else:
                known = (await self._api.customers.retrieve_async(str(owner))).to_dict()
                if (known.get("metadata") or {}).get(ACCOUNT) != customer:
                    raise CardRefused(DeclineReason.OTHER)
        return card_of(method, Token(customer, str(owner), method["id"]).text())

    async def charge(
        self, *, key: str, customer: str, card: str, amount_cents: int, return_url: str | None, at: datetime
    ) -> Charge:
        """Create and confirm a PaymentIntent under our key; without a `return_url` as one where nobody is there."""
        if amount_cents <= 0:
            raise ValueError("amount_cents must be positive")
        token = read_token(card)
        if token is None or token.owner != customer:
            raise CardRefused(DeclineReason.OTHER)
        order: dict[str, Any] = {
            "amount": amount_cents,
            "currency": CURRENCY,
            "customer": token.customer,
            "payment_method": token.method,
            "allowed_payment_method_types": ["card"],
            "metadata": {KEY: key},
            "confirm": True,
        }
        order |= {"return_url": return_url} if return_url else {"off_session": True}
        with translated():
            try:
                intent = await self._api.payment_intents.create_async(order, {"idempotency_key": key})  # type: ignore[arg-type]
                if intent.last_response and intent.last_response.headers.get("idempotent-replayed"):
                    # What is repeated is the first answer, which the customer may have changed since.
                    intent = await self._api.payment_intents.retrieve_async(intent.id)
                return charge_of(intent.to_dict())
            except stripe.CardError as error:
                return await self._declined(key, amount_cents, error)

    async def inquire(self, key: str) -> Charge | None:
        """Return the charge of a key, from the list of what was created when the key was made."""
        intent = await self._intent(key)
        return charge_of(intent) if intent else None

    async def abandon(self, key: str) -> Charge | None:
        """Return the charge of a key; where there is none, use the key up, so that a late order of it is refused."""
        intent = await self._intent(key)
        if intent is not None:
            return charge_of(intent)
        with translated():
            try:
                unused = await self._api.payment_intents.create_async(
                    {"amount": 100, "currency": CURRENCY, "allowed_payment_method_types": ["card"]},
                    {"idempotency_key": key},
                )
                # Nobody could confirm it, so that it does no harm where it was cancelled before.
                with contextlib.suppress(stripe.InvalidRequestError):
                    await self._api.payment_intents.cancel_async(unused.id)
                return None
            except stripe.IdempotencyError:
                # The order has come after all, between the look and now.
                intent = await self._intent(key)
        if intent is None:
            raise ProcessorUnavailable("an order of this key is under way")
        return charge_of(intent)

    async def cancel(self, key: str) -> Charge | None:
        """Cancel an intent that waits for its customer; return the charge as it stands, None where there is none."""
        intent = await self._intent(key)
        if intent is None or charge_of(intent).status is not ChargeStatus.REQUIRES_ACTION:
            return charge_of(intent) if intent else None
        with translated():
            # It may have ended meanwhile, which the second look tells.
            with contextlib.suppress(stripe.InvalidRequestError):
                await self._api.payment_intents.cancel_async(intent["id"])
            return charge_of((await self._api.payment_intents.retrieve_async(intent["id"])).to_dict())

    async def refund(self, *, key: str, charge: str, amount_cents: int, at: datetime) -> Refund:
        """Refund a part of an intent under our key. Looked for first: Stripe forgets idempotency keys after a day."""
        if amount_cents <= 0:
            raise ValueError("amount_cents must be positive")
        known = await self.inquire_refund(key, charge=charge, at=at)
        if known is not None:
            if known.amount_cents != amount_cents:
                raise ProcessorConflict("the key stands for another refund")
            return known
        with translated():
            try:
                made = await self._api.refunds.create_async(
                    {"payment_intent": charge, "amount": amount_cents, "metadata": {KEY: key}},
                    {"idempotency_key": key},
                )
            except stripe.InvalidRequestError as error:
                _log.warning("a refund was refused", code=error.code, request=error.request_id)
                return Refund(key, "", charge, RefundStatus.REFUSED, amount_cents)
        return refund_of(made.to_dict())

    async def inquire_refund(self, key: str, *, charge: str, at: datetime) -> Refund | None:
        """Return the refund of a key among those of its charge."""
        with translated():
            listed = await self._api.refunds.list_async({"payment_intent": charge, "limit": PAGE})
            async for refund in plain(listed):
                if key_of(refund) == key:
                    return refund_of(refund)
        return None

    async def dispute(self, reference: str) -> Dispute | None:
        """Return a chargeback; None where there is none, or where the bank only asks as yet."""
        with translated():
            try:
                found = await self._api.disputes.retrieve_async(reference, {"expand": ["payment_intent"]})
            except stripe.InvalidRequestError as error:
                if error.http_status != 404:
                    raise
                return None
        return dispute_of(found.to_dict())

    async def disputes_of(self, key: str, *, charge: str) -> Sequence[Dispute]:
        """Return the chargebacks of an intent."""
        found = []
        with translated():
            asked: Any = {"payment_intent": charge, "limit": PAGE, "expand": ["data.payment_intent"]}
            async for listed in plain(await self._api.disputes.list_async(asked)):
                dispute = dispute_of(listed)
                if dispute is not None and dispute.charge_key == key:
                    found.append(dispute)
        return found

    async def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return what a signed call tells; those of a connected account, or of the other mode, are not ours."""
        try:
            signed = self._client.construct_event(
                body, headers.get("stripe-signature"), self._webhook_secret, TOLERANCE_SECONDS
            ).to_dict()
            if signed.get("account") or bool(signed.get("livemode")) != self._is_live:
                raise WebhookRefused("it is about another merchant")
            return event_of(signed)
        except stripe.SignatureVerificationError:
            raise WebhookRefused("the signature is not Stripe's, or too old") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise WebhookRefused("its body cannot be read") from None

    async def movements(self, since: datetime, until: datetime) -> Sequence[Movement]:
        """Return what was captured, refunded and charged back of what was created within a time."""
        span = span_of(since, until)
        found = []
        with translated():
            async for intent in plain(await self._api.payment_intents.list_async(span)):  # type: ignore[arg-type]
                if intent["status"] == "succeeded" and key_of(intent):
                    cents = int(intent.get("amount_received") or intent["amount"])
                    found.append(Movement(MovementKind.CHARGE, key_of(intent), cents, made_at(intent)))
            async for refund in plain(await self._api.refunds.list_async(span)):  # type: ignore[arg-type]
                if key_of(refund) and refund_of(refund).status is not RefundStatus.REFUSED:
                    found.append(Movement(MovementKind.REFUND, key_of(refund), -refund["amount"], made_at(refund)))
            expanded = {**span, "expand": ["data.payment_intent"]}
            async for listed in plain(await self._api.disputes.list_async(expanded)):  # type: ignore[arg-type]
                dispute = dispute_of(listed)
                if dispute and dispute.charge_key and dispute.status is not DisputeStatus.WON:
                    found.append(Movement(MovementKind.DISPUTE, dispute.id, -dispute.amount_cents, dispute.opened_at))
        return found

    async def close(self) -> None:
        """Close the connections; a repeat is safe."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _customer(self, account: str) -> str:
        """Return Stripe's customer for an account of ours. Two may come to be, which harms nobody: a card names its."""
        found = await self._api.customers.search_async({"query": f'metadata["{ACCOUNT}"]:"{account}"', "limit": 1})
        if found.data:
            return str(found.data[0].id)
        made = await self._api.customers.create_async(
            {"metadata": {ACCOUNT: account}}, {"idempotency_key": f"customer-{account}"}
        )
        return str(made.id)

    async def _intent(self, key: str) -> Mapping[str, Any] | None:
        made = made_with(key)
        if made is None:
            return None
        span = span_of(made - MADE_BEFORE, made + MADE_AFTER)
        with translated():
            async for intent in plain(await self._api.payment_intents.list_async(span)):  # type: ignore[arg-type]
                if key_of(intent) == key:
                    return intent
        return None

    async def _declined(self, key: str, amount_cents: int, error: stripe.CardError) -> Charge:
        """Return the charge that a decline left behind; there may be none, when the card was refused before."""
        body = body_of(error)
        intent = body.get("payment_intent") or await self._intent(key)
        if intent is not None:
            charge = charge_of(intent)
            return charge._replace(decline_reason=reason_of(body)) if body.get("decline_code") else charge
        return Charge(key, "", ChargeStatus.DECLINED, amount_cents, reason_of(body), None)
