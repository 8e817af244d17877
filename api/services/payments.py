"""Payments: the intent is committed, the processor asked outside of any transaction, the outcome committed.

An outcome that nobody knows is never assumed: the payment stays PROCESSING and due work asks the processor by key.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_json, read_time, read_uuid, transactional
from api.adapters.payments import CardRefused, Charge, ChargeStatus, ProcessorUnavailable
from api.adapters.ports import Ports
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ledger import HoldKind, HoldState, LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.payments import DeclineReason, PaymentChannel, PaymentStatus, advance, may_return_to
from api.domain.service_accounts import ServiceStatus
from api.services import due_work
from api.services.holds import end_hold, find_hold, place_hold
from api.services.idempotency import claim_key, find_result
from api.services.ledger import lock_balance, post, save
from api.services.pages import Page, PageRequest, newest_first
from api.services.payment_methods import find_method, is_expired
from api.services.service_accounts import find_service

WORK_KIND = "payment"
PROCESSOR_SECONDS_MAX = 20.0
ASK_AFTER = timedelta(seconds=60)
ASK_AGAIN_AFTER = timedelta(minutes=5)
ASK_AGAIN_AFTER_MAX = timedelta(hours=6)
NEVER_SEEN_AFTER = timedelta(minutes=10)
"""A key that the processor has not seen by then counts as never charged. Should a charge turn up after all, e.g. from
a process that stood still meanwhile, it is credited: see `_settle`."""
SEND_WITHIN = timedelta(minutes=2)
"""An intent that is older is not sent any more, but left to the work that asks."""

_log = structlog.get_logger("api.payments")


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
        payment = await _charge(ports, payment, intent.method, order.return_url)
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
    """Commit the intent: the payment, its key, its hold, and the work that asks again should this process die."""
    now = ports.now()
    quote = await fetch_one("select * from quotes where id = $1 and account_id = $2", order.quote_id, account_id)
    if quote is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "quoteId")))
    service_id = read_uuid(quote["service_account_id"])
    balance = await lock_balance(service_id)
    paid = await fetch_one("select * from payments where quote_id = $1", order.quote_id)
    payment_id = read_uuid(paid["id"]) if paid else uuid7()
    facts = {"quote": str(order.quote_id), "method": str(order.method_id)}
    claimed = await claim_key(account_id, order.idempotency_key, "pay", facts, payment_id, now)
    if not claimed.is_new or paid is not None:
        return _Intent(await _payment(claimed.result_id), None, False)
    method = await find_method(account_id, order.method_id)
    if method is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "paymentMethodId")))
    service = await find_service(account_id, service_id)
    if balance is None or service is None or service["status"] != ServiceStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", ("input", "quoteId")))
    if read_time(quote["expires_at"]) <= now:
        raise Refused(Fault(ErrorCode.QUOTE_EXPIRED, "payments.quote_expired", ("input", "quoteId")))
    if is_expired(method["expiry_month"], method["expiry_year"], now):
        raise Refused(Fault(ErrorCode.PAYMENT_METHOD_EXPIRED, "payments.card_expired", ("input", "paymentMethodId")))
    await execute(
        "insert into payments (id, account_id, quote_id, service_account_id, method_id, purpose, channel, status,"
        " amount, total, lines, decline_reason, processor, processor_reference, action_url, external_reference,"
        " created_at, settled_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, null, $12, null, null, null,"
        " $13, null)",
        payment_id, account_id, order.quote_id, service_id, order.method_id, quote["purpose"],
        PaymentChannel.CARD_ONLINE.value, PaymentStatus.PROCESSING.value, quote["amount"], quote["total"],
        json.dumps(read_json(quote["lines"])), ports.processor.name, now,
    )  # fmt: skip
    await execute("update payment_methods set last_used_at = $1 where id = $2", now, order.method_id)
    balance = await place_hold(balance, HoldKind.PAYMENT, payment_id, quote["amount"], now=now, expires_at=None)
    await save(balance, now, UpdateCause.PAYMENT_PENDING)
    await due_work.enqueue(WORK_KIND, str(payment_id), now + ASK_AFTER)
    return _Intent(await _payment(payment_id), method, True)


async def _charge(ports: Ports, payment: Row, method: Row, return_url: str | None) -> Row:
    """Ask the processor, with the payment's id as the key, and commit what it says."""
    payment_id = read_uuid(payment["id"])
    if ports.now() - read_time(payment["created_at"]) > SEND_WITHIN:
        return await _payment(payment_id)
    try:
        async with asyncio.timeout(PROCESSOR_SECONDS_MAX):
            charge = await ports.processor.charge(
                key=str(payment_id),
                customer=str(payment["account_id"]),
                card=method["card_token"],
                amount_cents=payment["total"],
                return_url=return_url,
                at=ports.now(),
            )
    except (ProcessorUnavailable, TimeoutError):
        _log.warning("the outcome of a payment is unknown", payment=str(payment_id))
        return await _payment(payment_id)
    except CardRefused as refusal:
        return await _settle(ports, payment_id, PaymentStatus.FAILED, None, refusal.reason)
    return await _take(ports, payment_id, charge)


async def ask_processor(ports: Ports, claim: due_work.Claim) -> None:
    """Ask for the outcome of a payment that is not decided yet; due work of kind "payment"."""
    payment_id = UUID(claim.key)
    payment = await fetch_one("select * from payments where id = $1", payment_id)
    now = ports.now()
    if payment is None or payment["status"] not in (
        PaymentStatus.PROCESSING.value,
        PaymentStatus.REQUIRES_ACTION.value,
    ):
        await _finish_work(ports, claim)
        return
    is_late = now - read_time(payment["created_at"]) >= NEVER_SEEN_AFTER
    async with asyncio.timeout(PROCESSOR_SECONDS_MAX):
        # A request of ours may be under way all the same: in the sandbox ten minutes pass in a moment.
        charge = await (ports.processor.abandon if is_late else ports.processor.inquire)(str(payment_id))
    if charge is not None:
        payment = await _take(ports, payment_id, charge)
    elif is_late:
        payment = await _settle(ports, payment_id, PaymentStatus.FAILED, None, DeclineReason.PROCESSOR_UNAVAILABLE)
    if payment["status"] in (PaymentStatus.PROCESSING.value, PaymentStatus.REQUIRES_ACTION.value):
        # The longer nothing happened, e.g. at the bank's page, the less often it is worth asking.
        age = now - read_time(payment["created_at"])
        await _ask_again(ports, payment_id, min(max(ASK_AGAIN_AFTER, age / 2), ASK_AGAIN_AFTER_MAX))


async def ask_now(ports: Ports, payment_id: UUID) -> Row | None:
    """Ask the processor at once, e.g. when the holder comes back from the bank's page; return the payment."""
    charge = await ports.processor.inquire(str(payment_id))
    return await _take(ports, payment_id, charge) if charge else None


@transactional
async def _finish_work(ports: Ports, claim: due_work.Claim) -> None:
    await due_work.complete(claim)


@transactional
async def _ask_again(ports: Ports, payment_id: UUID, after: timedelta) -> None:
    await due_work.postpone(WORK_KIND, str(payment_id), ports.now() + after)


async def _take(ports: Ports, payment_id: UUID, charge: Charge) -> Row:
    """Commit what the processor says of a payment."""
    status = {
        ChargeStatus.SUCCEEDED: PaymentStatus.SUCCEEDED,
        ChargeStatus.DECLINED: PaymentStatus.FAILED,
        ChargeStatus.REQUIRES_ACTION: PaymentStatus.REQUIRES_ACTION,
        ChargeStatus.PROCESSING: PaymentStatus.PROCESSING,
    }[charge.status]
    return await _settle(ports, payment_id, status, charge, charge.decline_reason)


@transactional
async def _settle(
    ports: Ports, payment_id: UUID, status: PaymentStatus, charge: Charge | None, reason: DeclineReason | None
) -> Row:
    """Move a payment on; a repeat, or news that come after the end, change nothing."""
    payment = await _payment(payment_id)
    balance = await lock_balance(read_uuid(payment["service_account_id"]))
    payment = await _payment(payment_id)
    assert balance is not None, "a payment funds a service that has a balance"
    before = PaymentStatus(payment["status"])
    came_late = _was_given_up(payment) and status is PaymentStatus.SUCCEEDED
    if came_late:
        _log.error("a charge turned up after its payment was given up; it is credited", payment=str(payment_id))
    elif before not in (PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION) or not advance(before, status):
        return payment
    now = ports.now()
    is_over = status in (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED)
    await execute(
        "update payments set status = $1, decline_reason = $2, processor_reference = $3, action_url = $4,"
        " settled_at = $5 where id = $6",
        status.value, reason.value if reason and status is PaymentStatus.FAILED else None,
        charge.id if charge else payment["processor_reference"],
        charge.action_url if charge and not is_over else None, now if is_over else None, payment_id,
    )  # fmt: skip
    if not is_over:
        return await _payment(payment_id)
    hold = await find_hold(payment_id)
    assert hold is not None, "a payment's intent places its hold"
    if status is PaymentStatus.FAILED:
        balance = await end_hold(balance, HoldKind.PAYMENT, hold, HoldState.VOIDED, now)
        await save(balance, now, UpdateCause.PAYMENT_FAILED)
    else:
        if not came_late:
            balance = await end_hold(balance, HoldKind.PAYMENT, hold, HoldState.POSTED, now)
        own = (LedgerKind.PREPAID, str(balance.service_account_id))
        leg = Leg((LedgerKind.PROCESSOR_CLEARING, str(payment["processor"])), own, payment["amount"])
        moved, entry = await post(
            f"payment:{payment_id}", [leg], now=now, occurred_at=now, balance=balance, own=own,
            kind=TransactionKind.FUNDING, payment_id=payment_id,
        )  # fmt: skip
        assert moved is not None
        await save(moved, now, UpdateCause.FUNDED, entry)
    await due_work.drop(WORK_KIND, str(payment_id))
    return await _payment(payment_id)


def _was_given_up(payment: Row) -> bool:
    """Tell whether a payment failed only because the processor had never heard of it."""
    given_up = (PaymentStatus.FAILED.value, DeclineReason.PROCESSOR_UNAVAILABLE.value)
    return (payment["status"], payment["decline_reason"]) == given_up


async def _payment(payment_id: UUID) -> Row:
    row = await fetch_one("select * from payments where id = $1", payment_id)
    assert row is not None, "payments are never deleted"
    return row


def payment_key(key: str) -> UUID:
    """Return the payment that a key at the processor stands for."""
    return UUID(key)


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


async def payment_by_key(account_id: UUID, key: str) -> Row | None:
    """Return what a payment's idempotency key led to, or None: then nothing was charged for it."""
    payment_id = await find_result(account_id, key, "pay")
    return await payment_of(account_id, payment_id) if payment_id else None


async def payments_page(account_id: UUID, request: PageRequest) -> Page:
    """Return an account's payments, newest first."""
    return await newest_first("select * from payments where account_id = $1", [account_id], [("id", UUID)], request)
