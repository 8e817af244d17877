"""Subscribing to a plan: its first month is paid by a quote that names the plan (rule 28)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.domain.agreements import AgreementKind, current_version
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.payments import PaymentPurpose
from api.services.consents import record_consent
from api.services.payments import Intent, Order, Paid, commit_to, quote_of, refuse_return_url, send
from api.services.plans import subscription_of_payment
from api.services.waiting_payments import make_way_for_quote


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the holder agreed to, that the plan renews by itself: by which version of the text, in which language."""

    is_accepted: bool
    version: str
    locale: str
    channel: Channel


class Subscribed(NamedTuple):
    """The payment of the first month, and the subscription that it began, None until it has succeeded."""

    paid: Paid
    subscription: Row | None


async def subscribe(ports: Ports, account_id: UUID, order: Order, renewal: Renewal) -> Subscribed:
    """Pay a plan's first month and begin the subscription once that has succeeded; a repeat does neither again.

    One subscription per facility and product (INVALID_STATE), of two at once too. Raises Refused before the processor
    is asked, CONSENT_REQUIRED without the consent to the text as it is now; a decline comes back with the payment.
    """
    refuse_return_url(ports, order)
    if not _consent_faults(renewal):
        await make_way_for_quote(ports, account_id, order.quote_id, order.idempotency_key)
    paid = await send(ports, account_id, order, await _begin(ports, account_id, order, renewal))
    return Subscribed(paid, await subscription_of_payment(account_id, read_uuid(paid.payment["id"])))


@transactional
async def _begin(ports: Ports, account_id: UUID, order: Order, renewal: Renewal) -> Intent:
    quote = await quote_of(account_id, order)
    if PaymentPurpose(quote["purpose"]) is not PaymentPurpose.SUBSCRIPTION:
        raise Refused(Fault(ErrorCode.INVALID, "payments.use_pay", ("input", "quoteId")))
    facts = {"agreement": renewal.version}
    intent = await commit_to(ports, account_id, order, quote, "subscribe", facts, _consent_faults(renewal))
    if intent.method is not None:
        await record_consent(
            account_id, AgreementKind.RENEWAL, renewal.version, locale=renewal.locale, channel=renewal.channel,
            agreed_at=ports.now(),
        )  # fmt: skip
    return intent


def _consent_faults(renewal: Renewal) -> list[Fault]:
    faults = []
    if not renewal.is_accepted:
        faults.append(Fault(ErrorCode.CONSENT_REQUIRED, "errors.consent_required", ("input", "acceptRenewal")))
    if renewal.version != current_version(AgreementKind.RENEWAL):
        faults.append(Fault(ErrorCode.CONSENT_REQUIRED, "errors.consent_required", ("input", "agreementVersion")))
    return faults
