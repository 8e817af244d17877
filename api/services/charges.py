"""Charges: the intent is committed, the processor asked outside of any transaction, the outcome committed.

Whoever has a card charged (a quote that is paid, AutoPay, TextPay, an invoice's link) begins here; an outcome that
nobody knows is never assumed: the payment stays PROCESSING and due work asks the processor by key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.payments import CardRefused, Charge, ChargeStatus, ProcessorConflict, ProcessorUnavailable
from api.adapters.ports import Ports
from api.domain.charge_lines import Line, principal_of, total_of
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ledger import HoldKind, HoldState, UpdateCause
from api.domain.payment_data import payment_limits
from api.domain.payments import DeclineReason, PaymentChannel, PaymentPurpose, PaymentStatus, advance
from api.services import due_work
from api.services.holds import end_hold, find_hold, place_hold
from api.services.ledger import Balance, lock_balance, save
from api.services.open_accounts import lock_open_account
from api.services.payment_effects import after_payment, post_payment

WORK_KIND = "payment"
PROCESSOR_SECONDS_MAX = 20.0
ASK_AFTER = timedelta(seconds=60)
ASK_AGAIN_AFTER = timedelta(minutes=5)
ASK_AGAIN_AFTER_MAX = timedelta(hours=6)
NEVER_SEEN_AFTER = timedelta(minutes=10)
"""A key that the processor has not seen by then counts as never charged. Should a charge turn up after all, e.g. from
a process that stood still meanwhile, it is credited: see `settle`."""
SEND_WITHIN = timedelta(minutes=2)
"""An intent that is older is not sent any more, but left to the work that asks."""

_UNDECIDED = (PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION)
_UNATTENDED = (PaymentChannel.AUTOPAY.value, PaymentChannel.TEXTPAY.value)
"""Channels where nobody is there to act at the bank's page."""
_HELD_FOR = (PaymentPurpose.FUND_ADVANCE_CONNECT, PaymentPurpose.PAY_INVOICE)
"""Purposes whose money shows as incoming at a balance."""

_log = structlog.get_logger("api.charges")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is to be charged, and for what. `account_id` is None where an invoice is paid by its link.

    `payment_id` is made by the caller and is the processor's idempotency key. `lines` sum to what is charged.
    `renewal` is the subscription that is renewed, and the number of its period.
    """

    payment_id: UUID
    account_id: UUID | None
    service_account_id: UUID | None
    method_id: UUID | None
    purpose: PaymentPurpose
    channel: PaymentChannel
    lines: Sequence[Line]
    quote_id: UUID | None = None
    plan_id: UUID | None = None
    invoice_id: UUID | None = None
    stamps: int | None = None
    renewal: tuple[UUID, int] | None = None


@dataclass(frozen=True, slots=True)
class CardOf:
    """A card at the processor and whose it is there."""

    customer: str
    token: str


async def begin(ports: Ports, intent: Intent, balance: Balance | None) -> Row:
    """Commit to a charge within the transaction under way: the payment, its hold, and the work that asks again should
    this process die. `balance` is the service's locked balance, None where it has none. Call `send` after the commit.

    Raises Refused with NOT_FOUND where the card was removed meanwhile.
    """
    if intent.account_id is not None:
        # No card is charged for an account that is being deleted, whatever it would be for.
        await lock_open_account(intent.account_id)
    now, lines = ports.now(), list(intent.lines)
    amount = principal_of(lines)
    # The row's lock decides between this and a removal: what was removed before is not charged after.
    used = "update payment_methods set last_used_at = $1 where id = $2 and removed_at is null"
    if intent.method_id is not None and not await execute(used, now, intent.method_id):
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "paymentMethodId")))
    await execute(
        "insert into payments (id, account_id, quote_id, service_account_id, method_id, purpose, channel, status,"
        " amount, total, lines, plan_id, invoice_id, stamps, processor, created_at, subscription_id, period,"
        " renewal_key) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        intent.payment_id, intent.account_id, intent.quote_id, intent.service_account_id, intent.method_id,
        intent.purpose.value, intent.channel.value, PaymentStatus.PROCESSING.value, amount, total_of(lines),
        json.dumps([line.kept() for line in lines]), intent.plan_id, intent.invoice_id, intent.stamps,
        ports.processor.name, now, *(intent.renewal or (None, None)),
        ":".join(map(str, intent.renewal)) if intent.renewal else None,
    )  # fmt: skip
    if balance is not None and intent.purpose in _HELD_FOR:
        balance = await place_hold(balance, HoldKind.PAYMENT, intent.payment_id, amount, now=now, expires_at=None)
        await save(balance, now, UpdateCause.PAYMENT_PENDING)
    await due_work.enqueue(WORK_KIND, str(intent.payment_id), now + ASK_AFTER)
    return await payment_row(intent.payment_id)


async def send(ports: Ports, payment: Row, card: CardOf, return_url: str | None = None) -> Row:
    """Ask the processor to charge a payment that `begin` committed, and commit what it says; a repeat is safe.

    An outcome that nobody knows leaves the payment as it is. Without a `return_url` the bank's page leads a holder who
    pays online to our own; AutoPay and TextPay charge while nobody is there.
    """
    payment_id = read_uuid(payment["id"])
    if ports.now() - read_time(payment["created_at"]) > SEND_WITHIN:
        return await payment_row(payment_id)
    if return_url is None and payment["channel"] == PaymentChannel.CARD_ONLINE.value:
        return_url = ports.public_url
    try:
        async with asyncio.timeout(PROCESSOR_SECONDS_MAX):
            charge = await ports.processor.charge(
                key=str(payment_id),
                customer=card.customer,
                card=card.token,
                amount_cents=payment["total"],
                return_url=return_url,
                at=ports.now(),
            )
    except (ProcessorUnavailable, TimeoutError):
        _log.warning("the outcome of a payment is unknown", payment=str(payment_id))
        return await payment_row(payment_id)
    except ProcessorConflict:
        # The key was given up before this order came, e.g. since this process stood still; nothing was charged by it.
        _log.error("the processor knows the key of a payment for something else", payment=str(payment_id))
        return await payment_row(payment_id)
    except CardRefused as refusal:
        return await settle(ports, payment_id, PaymentStatus.FAILED, None, refusal.reason)
    return await take(ports, payment_id, charge)


async def ask_processor(ports: Ports, claim: due_work.Claim) -> None:
    """Ask for the outcome of a payment that is not decided yet; due work of kind "payment"."""
    payment_id = UUID(claim.key)
    payment = await fetch_one("select * from payments where id = $1", payment_id)
    now = ports.now()
    if payment is None or PaymentStatus(payment["status"]) not in _UNDECIDED:
        await _finish_work(ports, claim)
        return
    age = now - read_time(payment["created_at"])
    is_late = age >= NEVER_SEEN_AFTER
    # A check by the bank that nobody comes back from ends, so that the money stops showing as incoming.
    is_over = payment["status"] == PaymentStatus.REQUIRES_ACTION.value and age >= payment_limits().action_lives
    ask = ports.processor.cancel if is_over else ports.processor.abandon if is_late else ports.processor.inquire
    async with asyncio.timeout(PROCESSOR_SECONDS_MAX):
        # A request of ours may be under way all the same: in the sandbox ten minutes pass in a moment.
        charge = await ask(str(payment_id))
    if charge is not None:
        payment = await take(ports, payment_id, charge)
    elif is_late:
        payment = await settle(ports, payment_id, PaymentStatus.FAILED, None, DeclineReason.PROCESSOR_UNAVAILABLE)
    if PaymentStatus(payment["status"]) in _UNDECIDED:
        # The longer nothing happened, e.g. at the bank's page, the less often it is worth asking.
        await _ask_again(ports, payment_id, min(max(ASK_AGAIN_AFTER, age / 2), ASK_AGAIN_AFTER_MAX))


async def ask_now(ports: Ports, payment_id: UUID) -> Row | None:
    """Ask the processor at once, e.g. when the holder comes back from the bank's page; return the payment."""
    charge = await ports.processor.inquire(str(payment_id))
    return await take(ports, payment_id, charge) if charge else None


async def cancel(ports: Ports, payment_id: UUID) -> None:
    """Have the processor end a payment that waits for its holder, and commit what it says; a repeat is safe.

    Raises ProcessorUnavailable or TimeoutError.
    """
    async with asyncio.timeout(PROCESSOR_SECONDS_MAX):
        charge = await ports.processor.cancel(str(payment_id))
    if charge is not None:
        await take(ports, payment_id, charge)


def may_change(payment: Row) -> bool:
    """Tell whether the processor may have news of a payment: it is undecided, or was given up unheard."""
    return PaymentStatus(payment["status"]) in _UNDECIDED or _was_given_up(payment)


@transactional
async def wake(ports: Ports, payment_id: UUID) -> None:
    """Have the processor asked at once, e.g. since the holder came back from the bank's page; a repeat is safe."""
    await due_work.hasten(WORK_KIND, str(payment_id), ports.now())


@transactional
async def _finish_work(ports: Ports, claim: due_work.Claim) -> None:
    await due_work.complete(claim)


@transactional
async def _ask_again(ports: Ports, payment_id: UUID, after: timedelta) -> None:
    await due_work.postpone(WORK_KIND, str(payment_id), ports.now() + after)


async def take(ports: Ports, payment_id: UUID, charge: Charge) -> Row:
    """Commit what the processor says of a payment.

    A charge of AutoPay or TextPay that asks for its holder is ended at the processor first, and has failed for
    AUTHENTICATION_REQUIRED: nobody is there to act. Without an answer to that it is asked again later.
    """
    if charge.status is ChargeStatus.REQUIRES_ACTION and (await payment_row(payment_id))["channel"] in _UNATTENDED:
        try:
            async with asyncio.timeout(PROCESSOR_SECONDS_MAX):
                charge = await ports.processor.cancel(str(payment_id)) or charge
        except (ProcessorUnavailable, TimeoutError):
            return await payment_row(payment_id)
    status = {
        ChargeStatus.SUCCEEDED: PaymentStatus.SUCCEEDED,
        ChargeStatus.DECLINED: PaymentStatus.FAILED,
        ChargeStatus.REQUIRES_ACTION: PaymentStatus.REQUIRES_ACTION,
        ChargeStatus.PROCESSING: PaymentStatus.PROCESSING,
    }[charge.status]
    return await settle(ports, payment_id, status, charge, charge.decline_reason)


@transactional
async def settle(
    ports: Ports, payment_id: UUID, status: PaymentStatus, charge: Charge | None, reason: DeclineReason | None
) -> Row:
    """Move a payment on; a repeat, or news that come after the end, change nothing."""
    payment, balance = await lock_payment(payment_id)
    before = PaymentStatus(payment["status"])
    came_late = _was_given_up(payment) and status is PaymentStatus.SUCCEEDED
    if came_late:
        _log.error("a charge turned up after its payment was given up; it is credited", payment=str(payment_id))
    elif before not in _UNDECIDED or not advance(before, status):
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
        return await payment_row(payment_id)
    if balance is not None and (hold := await find_hold(payment_id)) and hold.state is HoldState.PENDING:
        state = HoldState.POSTED if status is PaymentStatus.SUCCEEDED else HoldState.VOIDED
        balance = await end_hold(balance, HoldKind.PAYMENT, hold, state, now)
        if status is PaymentStatus.FAILED:
            balance = await save(balance, now, UpdateCause.PAYMENT_FAILED)
    if status is PaymentStatus.SUCCEEDED:
        balance = await post_payment(payment, balance, now)
    await due_work.drop(WORK_KIND, str(payment_id))
    payment = await payment_row(payment_id)
    await after_payment(ports, payment, balance)
    return payment


async def lock_payment(payment_id: UUID) -> tuple[Row, Balance | None]:
    """Lock a payment, after its service's balance where it has one; return both as they stand."""
    payment = await payment_row(payment_id)
    service_id = payment["service_account_id"]
    balance = await lock_balance(read_uuid(service_id)) if service_id else None
    row = await fetch_one("select * from payments where id = $1 for update", payment_id)
    assert row is not None, "payments are never deleted"
    return row, balance


def _was_given_up(payment: Row) -> bool:
    """Tell whether a payment failed only because the processor had never heard of it."""
    given_up = (PaymentStatus.FAILED.value, DeclineReason.PROCESSOR_UNAVAILABLE.value)
    return (payment["status"], payment["decline_reason"]) == given_up


async def payment_row(payment_id: UUID) -> Row:
    """Return a payment that there is."""
    row = await fetch_one("select * from payments where id = $1", payment_id)
    assert row is not None, "payments are never deleted"
    return row
