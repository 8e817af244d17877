"""Payments by Western Union, MoneyGram and mail: reported once by control number, never dropped (rules 13a, 15)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Raced, Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.charge_lines import Line
from api.domain.external_payments import (
    EXTERNAL_CHANNELS,
    PURPOSES,
    REFERENCE_LENGTH_MAX,
    external_limits,
    is_printed_number,
    plain_number,
    plain_reference,
)
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.ledger import LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.money import cents_of, format_money
from api.domain.payments import PaymentChannel, PaymentPurpose, PaymentStatus
from api.domain.service_accounts import Product, ServiceStatus
from api.services.invoices import unpaid_invoices
from api.services.ledger import Balance, lock_balance, post, save
from api.services.payment_effects import LedgerKey, after_payment, ledger_key_of


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a partner reports; `account_number` as the payer gave it."""

    account_number: str
    channel: PaymentChannel
    amount: Decimal
    reference: str
    paid_at: datetime


class Recorded(NamedTuple):
    """The payment, and whether it was reported before."""

    payment: Row
    replayed: bool

    @property
    def is_applied(self) -> bool:
        """True once it found its account; else staff apply it."""
        return self.payment["applied_at"] is not None


@transactional
async def record_external(ports: Ports, recorded_by: UUID, receipt: Receipt) -> Recorded:
    """Take note of a payment that a partner received, once per channel and control number; a repeat changes nothing.

    It funds the open service of the printed number. Where there is none, or its product takes no money by number, the
    money is kept as unapplied for staff. Raises Refused: INVALID for what cannot be a payment, IDEMPOTENCY_CONFLICT for
    a control number that was reported with other facts.
    """
    now = ports.now()
    cents = _check(receipt, now)
    number, reference = plain_number(receipt.account_number), receipt.reference.strip()
    source = f"external:{receipt.channel.value}:{plain_reference(reference)}"
    service, balance = await lock_service(await _service_of(number))
    known = await fetch_one(
        "select * from payments where id in (select payment_id from journal_entries where source_key = $1)"
        " or (channel = $2 and external_reference = $3)",
        source, receipt.channel.value, reference,
    )  # fmt: skip
    if known is not None:
        return _replay(known, receipt, cents, number)
    if service is not None and not await is_payable(service):
        service, balance = None, None
    payment_id, at = uuid7(), now if service else None
    purpose = PURPOSES[Product(service["product"])] if service else PaymentPurpose.FUND_ADVANCE_CONNECT
    inserted = await execute(
        "insert into payments (id, account_id, service_account_id, purpose, channel, status, amount, total, lines,"
        " external_reference, account_number, recorded_by, paid_at, applied_at, created_at, settled_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $14)"
        " on conflict (channel, external_reference) do nothing",
        payment_id, service["account_id"] if service else None, service["id"] if service else None, purpose.value,
        receipt.channel.value, PaymentStatus.SUCCEEDED.value, cents,
        json.dumps([Line("payments.line_deposit", cents).kept()]), reference, number, recorded_by,
        receipt.paid_at, at, now,
    )  # fmt: skip
    if not inserted:
        raise Raced
    payment = await _payment(payment_id)
    clearing = (LedgerKind.PARTNER_CLEARING, receipt.channel.value)
    try:
        if service is None:
            unapplied = (LedgerKind.UNAPPLIED_RECEIPTS, str(payment_id))
            await post(
                source, [Leg(clearing, unapplied, cents)], now=now, occurred_at=receipt.paid_at, payment_id=payment_id
            )
            return Recorded(payment, False)
        balance = await credit(source, clearing, payment, balance, now)
    except IntegrityError:
        raise Raced from None  # The same number, written differently, was reported at the same time.
    await after_payment(ports, payment, balance)
    return Recorded(payment, False)


async def lock_service(service_id: UUID | None) -> tuple[Row | None, Balance | None]:
    """Lock a service's balance where it has one, else its row; return both as they then stand."""
    if service_id is None:
        return None, None
    balance = await lock_balance(service_id)
    query = "select * from service_accounts where id = $1"
    return await fetch_one(query if balance else f"{query} for update", service_id), balance


async def is_payable(service: Row) -> bool:
    """Tell whether money by printed number may go to a service: it is of a product that takes it, and open, or being
    closed with invoices that are still to be paid. Its balance is locked."""
    product = Product(service["product"])
    if service["status"] == ServiceStatus.ACTIVE.value or product not in PURPOSES:
        return product in PURPOSES
    return product is Product.DIRECT_BILL and bool(await unpaid_invoices(read_uuid(service["id"])))


async def credit(source: str, debit: LedgerKey, payment: Row, balance: Balance | None, now: datetime) -> Balance | None:
    """Post a payment of a partner to its service, from `debit`; return the saved balance, None where it has none."""
    is_invoice = payment["purpose"] == PaymentPurpose.PAY_INVOICE.value
    own = await ledger_key_of(payment)
    moved, entry = await post(
        source, [Leg(debit, own, payment["amount"])], now=now, occurred_at=read_time(payment["paid_at"]),
        balance=balance, own=own, kind=TransactionKind.INVOICE_PAYMENT if is_invoice else TransactionKind.FUNDING,
        payment_id=read_uuid(payment["id"]),
    )  # fmt: skip
    if moved is None:
        return None
    return await save(moved, now, UpdateCause.INVOICE_PAYMENT if is_invoice else UpdateCause.FUNDED, entry)


def _replay(known: Row, receipt: Receipt, cents: int, number: str) -> Recorded:
    """Return what the control number was reported as; raises Refused where that was something else."""
    same = (known["amount"], known["account_number"], read_time(known["paid_at"]))
    if same != (cents, number, receipt.paid_at):
        facts = {"first_used_at": read_time(known["created_at"])}
        raise Refused(
            Fault(
                ErrorCode.IDEMPOTENCY_CONFLICT,
                "external_payments.number_used",
                ("input", "externalReference"),
                facts=facts,
            )
        )
    return Recorded(known, True)


def _check(receipt: Receipt, now: datetime) -> int:
    """Return the amount in cents; raises Refused with all that is wrong."""
    limits, faults, cents = external_limits(), [], 0
    path = ("input", "amount")
    try:
        cents = cents_of(receipt.amount)
    except ValueError:
        faults.append(Fault(ErrorCode.INVALID, "payments.amount_places", path))
    else:
        if cents <= 0:
            faults.append(Fault(ErrorCode.INVALID, "payments.amount_not_positive", path))
        elif cents > limits.amount_max:
            params = {"limit": format_money(limits.amount_max, "en")}
            facts = {"limit": limits.amount_max, "remaining": limits.amount_max, "resets_at": None}
            faults.append(Fault(ErrorCode.LIMIT_EXCEEDED, "payments.amount_too_large", path, params, facts))
    if receipt.channel not in EXTERNAL_CHANNELS:
        faults.append(Fault(ErrorCode.INVALID, "external_payments.channel", ("input", "channel")))
    reference = receipt.reference.strip()
    is_short = 1 <= len(reference) <= REFERENCE_LENGTH_MAX >= len(plain_reference(reference))
    if not is_short or not reference.isprintable():
        faults.append(Fault(ErrorCode.INVALID, "errors.invalid", ("input", "externalReference")))
    if receipt.paid_at > now + limits.clock_skew:
        faults.append(Fault(ErrorCode.INVALID, "external_payments.in_the_future", ("input", "paidAt")))
    elif receipt.paid_at < now - limits.paid_ago_max:
        faults.append(Fault(ErrorCode.INVALID, "errors.invalid", ("input", "paidAt")))
    refuse_if(faults)
    return cents


async def _service_of(number: str) -> UUID | None:
    if not is_printed_number(number):
        return None
    row = await fetch_one("select id from service_accounts where number = $1", number)
    return read_uuid(row["id"]) if row else None


async def _payment(payment_id: UUID) -> Row:
    row = await fetch_one("select * from payments where id = $1", payment_id)
    assert row is not None, "payments are never deleted"
    return row
