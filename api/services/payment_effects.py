"""What a payment does once it is over: its entry in the ledger by purpose, and what else follows from it.

Features that begin charges import `charges`, which imports this; so nothing here may import them back.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from api.adapters.database import Row, fetch_one, read_json, read_uuid
from api.adapters.ports import Ports
from api.domain.charge_lines import Line, LineKind
from api.domain.ledger import LedgerKind, Leg, TransactionKind, Unit, UpdateCause
from api.domain.payments import PaymentChannel, PaymentPurpose, PaymentStatus
from api.services import closure_payments
from api.services.card_tries import note_decline
from api.services.invoices import pay_off
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.payment_receipts import queue_receipt
from api.services.renewal_outcomes import after_renewal
from api.services.subscription_begins import begin_subscription
from api.services.top_up_outcomes import after_top_up

LedgerKey = tuple[LedgerKind, str]


class _Effect(NamedTuple):
    """Where the principal goes, and what it is called in the holder's list."""

    credit: LedgerKind
    kind: TransactionKind = TransactionKind.FUNDING
    cause: UpdateCause = UpdateCause.FUNDED


_EFFECTS = {
    PaymentPurpose.FUND_ADVANCE_CONNECT: _Effect(LedgerKind.PREPAID),
    PaymentPurpose.PAY_INVOICE: _Effect(
        LedgerKind.BILLED, TransactionKind.INVOICE_PAYMENT, UpdateCause.INVOICE_PAYMENT
    ),
    PaymentPurpose.FUND_DEBIT: _Effect(LedgerKind.DEBIT_FUNDS),
    PaymentPurpose.BUY_STAMPS: _Effect(LedgerKind.STAMP_REVENUE),
    PaymentPurpose.SUBSCRIPTION: _Effect(LedgerKind.PLAN_REVENUE),
    PaymentPurpose.VIDEO_SESSION: _Effect(LedgerKind.VIDEO_REVENUE),
}
_CAUSES = {PaymentChannel.AUTOPAY: UpdateCause.AUTOPAY, PaymentChannel.TEXTPAY: UpdateCause.TEXTPAY}


async def ledger_key_of(payment: Row) -> LedgerKey:
    """Return the ledger account that a payment's principal is credited to."""
    credit = _EFFECTS[PaymentPurpose(payment["purpose"])].credit
    if credit in (LedgerKind.PREPAID, LedgerKind.BILLED):
        return credit, str(read_uuid(payment["service_account_id"]))
    if credit is LedgerKind.DEBIT_FUNDS:
        service_id = read_uuid(payment["service_account_id"])
        service = await fetch_one("select incarcerated_person_id from service_accounts where id = $1", service_id)
        assert service is not None, "a Debit account names its person"
        return credit, str(read_uuid(service["incarcerated_person_id"]))
    return credit, OPERATOR


async def post_payment(payment: Row, balance: Balance | None, now: datetime) -> Balance | None:
    """Post a card payment that succeeded, and save the balance that it moves; return it. Its entry's source is the
    payment, so a second one fails on the database's constraint."""
    effect = _EFFECTS[PaymentPurpose(payment["purpose"])]
    clearing = (LedgerKind.PROCESSOR_CLEARING, str(payment["processor"]))
    principal = await ledger_key_of(payment)
    lines = [Line.of(kept) for kept in read_json(payment["lines"])]
    legs = [Leg(clearing, _target_of(line, principal), line.amount) for line in lines]
    own = principal
    if payment["stamps"]:
        own = (LedgerKind.STAMPS, str(read_uuid(payment["service_account_id"])))
        legs.append(Leg((LedgerKind.STAMPS_ISSUED, OPERATOR), own, payment["stamps"], Unit.STAMP))
    moved, entry = await post(
        f"payment:{read_uuid(payment['id'])}", legs, now=now, occurred_at=now, balance=balance, own=own,
        kind=effect.kind, payment_id=read_uuid(payment["id"]),
    )  # fmt: skip
    if moved is None:
        return None
    cause = _CAUSES.get(PaymentChannel(payment["channel"]), effect.cause)
    return await save(moved, now, cause, entry)


def _target_of(line: Line, principal: LedgerKey) -> LedgerKey:
    match line.kind:
        case LineKind.PRINCIPAL:
            return principal
        case LineKind.FEE:
            return LedgerKind.FEE_REVENUE, OPERATOR
        case LineKind.TAX:
            assert line.jurisdiction is not None, "a tax names its jurisdiction"
            return LedgerKind.TAX_PAYABLE, line.jurisdiction


async def after_payment(ports: Ports, payment: Row, balance: Balance | None) -> None:
    """Do what else follows from a payment that has just succeeded or failed, within the same transaction."""
    await after_top_up(ports, payment, balance)
    await note_decline(ports, payment)
    if payment["subscription_id"]:
        await after_renewal(ports, payment)
    if payment["status"] == PaymentStatus.SUCCEEDED.value:
        await _after_success(ports, payment)
        await queue_receipt(ports, payment, balance)
    await closure_payments.after_payment(ports, payment, balance)


async def _after_success(ports: Ports, payment: Row) -> None:
    if payment["purpose"] == PaymentPurpose.PAY_INVOICE.value:
        first = read_uuid(payment["invoice_id"]) if payment["invoice_id"] else None
        await pay_off(ports, read_uuid(payment["service_account_id"]), payment["amount"], first)
    if payment["plan_id"] and not payment["subscription_id"]:
        await begin_subscription(ports, payment)
