"""What Stripe's objects mean to the processor's port; they come as plain dicts, as its API documents them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.adapters.payments import (
    Card,
    Charge,
    ChargeStatus,
    Dispute,
    DisputeStatus,
    Event,
    Refund,
    RefundStatus,
    Subject,
)
from api.domain.payments import DeclineReason

KEY = "payment_key"
"""Metadata by which our key is found again at an intent or a refund."""

_CHARGES = {
    "succeeded": ChargeStatus.SUCCEEDED,
    "processing": ChargeStatus.PROCESSING,
    "requires_action": ChargeStatus.REQUIRES_ACTION,
    "requires_confirmation": ChargeStatus.PROCESSING,
    # A card that was declined leaves its intent waiting for another card, which it never gets: nobody has its secret.
    "requires_payment_method": ChargeStatus.DECLINED,
    "canceled": ChargeStatus.DECLINED,
}
_REFUNDS = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.REFUSED,
    "canceled": RefundStatus.REFUSED,
}
# https://docs.stripe.com/declines/codes
_REASONS = {
    "insufficient_funds": DeclineReason.INSUFFICIENT_FUNDS,
    "expired_card": DeclineReason.CARD_EXPIRED,
    "invalid_expiry_month": DeclineReason.CARD_EXPIRED,
    "invalid_expiry_year": DeclineReason.CARD_EXPIRED,
    "lost_card": DeclineReason.LOST_OR_STOLEN,
    "stolen_card": DeclineReason.LOST_OR_STOLEN,
    "pickup_card": DeclineReason.LOST_OR_STOLEN,
    "fraudulent": DeclineReason.FRAUD_SUSPECTED,
    "merchant_blacklist": DeclineReason.FRAUD_SUSPECTED,
    "security_violation": DeclineReason.FRAUD_SUSPECTED,
    "authentication_required": DeclineReason.AUTHENTICATION_REQUIRED,
    "payment_intent_authentication_failure": DeclineReason.AUTHENTICATION_REQUIRED,
    "do_not_honor": DeclineReason.DO_NOT_HONOR,
    "generic_decline": DeclineReason.DO_NOT_HONOR,
    "transaction_not_allowed": DeclineReason.DO_NOT_HONOR,
    "card_declined": DeclineReason.DO_NOT_HONOR,
}
_BRANDS = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover"}

_Object = Mapping[str, Any]


def key_of(thing: _Object) -> str:
    """Return our key of an intent or refund; empty where it is not ours."""
    return str((thing.get("metadata") or {}).get(KEY, ""))


def charge_of(intent: _Object) -> Charge:
    """Read a PaymentIntent."""
    status = _CHARGES.get(intent["status"], ChargeStatus.PROCESSING)
    action = ((intent.get("next_action") or {}).get("redirect_to_url") or {}).get("url")
    reason = None
    if status is ChargeStatus.DECLINED:
        error = intent.get("last_payment_error")
        reason = reason_of(error) if error else DeclineReason.AUTHENTICATION_REQUIRED
    return Charge(
        key=key_of(intent),
        id=intent["id"],
        status=status,
        amount_cents=int(intent["amount"]),
        decline_reason=reason,
        action_url=action if status is ChargeStatus.REQUIRES_ACTION else None,
    )


def reason_of(error: _Object) -> DeclineReason:
    """Read why a card was declined; the bank's own code says more than Stripe's, where there is one."""
    for code in (error.get("decline_code"), error.get("code")):
        if code in _REASONS:
            return _REASONS[code]
    return DeclineReason.OTHER


def card_of(method: _Object, token: str) -> Card:
    """Read a PaymentMethod that is a card; `token` is what it will be charged by."""
    card = method["card"]
    brand = str(card["brand"])
    return Card(token, _BRANDS.get(brand, brand.title())[:24], card["last4"], card["exp_month"], card["exp_year"])


def refund_of(refund: _Object) -> Refund:
    """Read a Refund."""
    status = _REFUNDS.get(refund["status"], RefundStatus.PENDING)
    return Refund(key_of(refund), refund["id"], str(refund["payment_intent"]), status, int(refund["amount"]))


def dispute_of(dispute: _Object) -> Dispute | None:
    """Read a Dispute whose intent is expanded; None while the bank only asks, since no money has moved then."""
    status = str(dispute["status"])
    if status.startswith("warning"):
        return None
    intent = dispute.get("payment_intent")
    known = {"won": DisputeStatus.WON, "lost": DisputeStatus.LOST, "prevented": DisputeStatus.LOST}
    return Dispute(
        id=dispute["id"],
        charge_key=key_of(intent) or None if isinstance(intent, Mapping) else None,
        amount_cents=int(dispute["amount"]),
        status=known.get(status, DisputeStatus.OPEN),
        opened_at=datetime.fromtimestamp(dispute["created"], UTC),
    )


def event_of(event: _Object) -> Event:
    """Read an Event: what it is about, and never what became of it."""
    kind, about = str(event["type"]), event["data"]["object"]
    subject, reference = Subject.OTHER, ""
    if kind.startswith("payment_intent."):
        subject, reference = Subject.CHARGE, key_of(about)
    elif kind.startswith("charge.dispute.") and not str(about["status"]).startswith("warning"):
        subject, reference = Subject.DISPUTE, str(about["id"])
    elif kind.startswith("refund.") or kind == "charge.refund.updated":
        subject, reference = Subject.REFUND, key_of(about)
    if not reference:
        subject = Subject.OTHER
    return Event(str(event["id"]), kind, subject, reference)
