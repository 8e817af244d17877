"""Payments: a quote is paid with a card, once; see `charges` for how the money moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, fetch_one, read_json, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.charge_lines import Line
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.payments import DeclineReason, PaymentChannel, PaymentPurpose, PaymentStatus, may_return_to
from api.domain.service_accounts import ServiceStatus
from api.services import charges
from api.services.charges import payment_row
from api.services.idempotency import claim_key, find_result
from api.services.ledger import lock_balance
from api.services.pages import Page, PageRequest, newest_first
from api.services.payment_methods import find_method, is_expired
from api.services.service_accounts import find_service


@dataclass(frozen=True, slots=True)
class Order:
    """What the holder asked to pay."""

    quote_id: UUID
    method_id: UUID
    return_url: str | None
    idempotency_key: str


class Paid(NamedTuple):
    """A payment as it stands, whether the key was used before, and why it failed if it did."""

    payment: Row
    replayed: bool
    faults: tuple[Fault, ...]


class _Intent(NamedTuple):
    payment: Row
    method: Row | None
    is_new: bool


async def pay(ports: Ports, account_id: UUID, order: Order) -> Paid:
    """Pay a quote with a card, once, whatever the key. Raises Refused before the processor is asked, and keeps the key
    free then; a decline uses the key and comes back with the payment."""
    if order.return_url is not None and not may_return_to(order.return_url, ports.return_urls):
        raise Refused(Fault(ErrorCode.INVALID, "payments.return_url", ("input", "returnUrl")))
    intent = await _begin(ports, account_id, order)
    payment = intent.payment
    if intent.is_new and intent.method is not None:
        card = charges.CardOf(str(account_id), intent.method["card_token"])
        payment = await charges.send(ports, payment, card, order.return_url)
    return Paid(payment, not intent.is_new, decline_faults(payment))


def decline_faults(payment: Row) -> tuple[Fault, ...]:
    """Return why a payment failed, as an error; empty while it has not."""
    if payment["status"] != PaymentStatus.FAILED.value:
        return ()
    reason = DeclineReason(payment["decline_reason"] or DeclineReason.OTHER.value)
    if reason is DeclineReason.CARD_EXPIRED:
        return (Fault(ErrorCode.PAYMENT_METHOD_EXPIRED, "payments.card_expired", ("input", "paymentMethodId")),)
    retryable = reason in (DeclineReason.INSUFFICIENT_FUNDS, DeclineReason.PROCESSOR_UNAVAILABLE)
    facts = {"reason": reason, "retryable": retryable}
    key = f"payments.declined_{reason.value.lower()}"
    return (Fault(ErrorCode.PAYMENT_DECLINED, key, ("input", "paymentMethodId"), facts=facts),)


@transactional
async def _begin(ports: Ports, account_id: UUID, order: Order) -> _Intent:
    """Commit the intent to pay a quote, under its key."""
    now = ports.now()
    quote = await fetch_one("select * from quotes where id = $1 and account_id = $2", order.quote_id, account_id)
    if quote is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "quoteId")))
    service_id = read_uuid(quote["service_account_id"]) if quote["service_account_id"] else None
    balance = await lock_balance(service_id) if service_id else None
    await fetch_one("select id from quotes where id = $1 for update", order.quote_id)
    paid = await fetch_one("select * from payments where quote_id = $1", order.quote_id)
    payment_id = read_uuid(paid["id"]) if paid else uuid7()
    facts = {"quote": str(order.quote_id), "method": str(order.method_id)}
    claimed = await claim_key(account_id, order.idempotency_key, "pay", facts, payment_id, now)
    if not claimed.is_new or paid is not None:
        return _Intent(await payment_row(claimed.result_id), None, False)
    method = await find_method(account_id, order.method_id)
    if method is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "paymentMethodId")))
    service = await find_service(account_id, service_id) if service_id else None
    if service_id and (service is None or service["status"] != ServiceStatus.ACTIVE.value):
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", ("input", "quoteId")))
    if read_time(quote["expires_at"]) <= now:
        raise Refused(Fault(ErrorCode.QUOTE_EXPIRED, "payments.quote_expired", ("input", "quoteId")))
    if is_expired(method["expiry_month"], method["expiry_year"], now):
        raise Refused(Fault(ErrorCode.PAYMENT_METHOD_EXPIRED, "payments.card_expired", ("input", "paymentMethodId")))
    intent = charges.Intent(
        payment_id=payment_id,
        account_id=account_id,
        service_account_id=service_id,
        method_id=order.method_id,
        purpose=PaymentPurpose(quote["purpose"]),
        channel=PaymentChannel.CARD_ONLINE,
        lines=[Line.of(kept) for kept in read_json(quote["lines"])],
        quote_id=order.quote_id,
        plan_id=read_uuid(quote["plan_id"]) if quote["plan_id"] else None,
        invoice_id=read_uuid(quote["invoice_id"]) if quote["invoice_id"] else None,
        stamps=quote["stamps"],
    )
    return _Intent(await charges.begin(ports, intent, balance), method, True)


async def payment_of(account_id: UUID, payment_id: UUID) -> Row | None:
    """Return a payment of this account, or None."""
    return await fetch_one("select * from payments where id = $1 and account_id = $2", payment_id, account_id)


async def last_funding(service_account_id: UUID) -> Row | None:
    """Return the last payment that funded a service and was not charged back, or None (rule 23)."""
    return await fetch_one(
        "select * from payments where service_account_id = $1 and status in ('SUCCEEDED', 'PARTIALLY_REFUNDED',"
        " 'REFUNDED') order by settled_at desc, id desc limit 1",
        service_account_id,
    )


async def payment_by_key(ports: Ports, account_id: UUID, key: str) -> Row | None:
    """Return what a payment's idempotency key led to, or None: then nothing was charged for it.

    A front end asks this when its holder comes back from the bank's page, so what waits there is looked at at once.
    """
    payment_id = await find_result(account_id, key, "pay")
    payment = await payment_of(account_id, payment_id) if payment_id else None
    if payment is not None and payment["status"] == PaymentStatus.REQUIRES_ACTION.value:
        await charges.wake(ports, read_uuid(payment["id"]))
    return payment


async def payments_page(account_id: UUID, request: PageRequest) -> Page:
    """Return an account's payments, newest first."""
    return await newest_first("select * from payments where account_id = $1", [account_id], [("id", UUID)], request)
