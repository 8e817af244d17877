"""Chargebacks: what a card's bank takes back is posted once, and once more the other way when the dispute is won.

What was paid into a holder's balance leaves it, below zero if need be; what cannot be taken from there is the
operator's loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.payments import Dispute, DisputeStatus
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.days import day_of
from api.domain.ledger import LedgerKind, Leg, TransactionKind, Unit, UpdateCause
from api.domain.money import format_money
from api.domain.payments import PAYMENT_MOVES, PaymentStatus, payment_of_key
from api.domain.service_accounts import ServiceStatus
from api.services import charges, closure_payments
from api.services.invoices import make_due
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.mails import queue_mail
from api.services.payment_effects import LedgerKey, ledger_key_of
from api.services.refund_disputes import pay_out_won

_TAKEN_FROM_HOLDER = (LedgerKind.PREPAID, LedgerKind.BILLED)
_TAKEN_BACK = (PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED)

_log = structlog.get_logger("api.chargebacks")


@dataclass(frozen=True, slots=True)
class _Chargeback:
    """A dispute of ours: its row's id, and its payment with the balance that is locked."""

    id: UUID
    payment: Row
    balance: Balance | None
    now: datetime

    @property
    def clearing(self) -> LedgerKey:
        return LedgerKind.PROCESSOR_CLEARING, str(self.payment["processor"])


async def follow(ports: Ports, reference: str) -> bool:
    """Bring a chargeback up to what the processor says of it now; a repeat, also at once, changes nothing.

    Returns False where the processor does not know it, or its payment is not known or not decided here.
    """
    dispute = await ports.processor.dispute(reference)
    payment_id = payment_of_key(dispute.charge_key) if dispute and dispute.charge_key else None
    if dispute is None or payment_id is None:
        return False
    payment = await fetch_one("select * from payments where id = $1", payment_id)
    if payment is not None and charges.may_change(payment):
        # It was charged, or there would be nothing to take back.
        payment = await charges.ask_now(ports, payment_id)
    if payment is None or PaymentStatus(payment["status"]) not in (*_TAKEN_BACK, PaymentStatus.CHARGED_BACK):
        return False
    await _take(ports, payment_id, dispute)
    return True


@transactional
async def _take(ports: Ports, payment_id: UUID, dispute: Dispute) -> None:
    payment, balance = await charges.lock_payment(payment_id)
    known = await fetch_one(
        "select * from disputes where processor = $1 and reference = $2", payment["processor"], dispute.id
    )
    before = DisputeStatus(known["status"]) if known else None
    chargeback = _Chargeback(read_uuid(known["id"]) if known else uuid7(), payment, balance, ports.now())
    if before is None:
        chargeback = await _open(ports, chargeback, dispute)
    if before in (None, DisputeStatus.OPEN) and dispute.status is not DisputeStatus.OPEN:
        await execute(
            "update disputes set status = $1, closed_at = $2 where id = $3",
            dispute.status.value, chargeback.now, chargeback.id,
        )  # fmt: skip
        if dispute.status is DisputeStatus.WON:
            await _give_back(ports, chargeback)
        await _mail(ports, chargeback, dispute.status.value.lower(), dispute.amount_cents)


async def _open(ports: Ports, chargeback: _Chargeback, dispute: Dispute) -> _Chargeback:
    payment, left = chargeback.payment, await _left_of(chargeback.payment)
    await execute(
        "insert into disputes (id, payment_id, processor, reference, amount, status, opened_at, closed_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, null)",
        chargeback.id, read_uuid(payment["id"]), payment["processor"], dispute.id, dispute.amount_cents,
        DisputeStatus.OPEN.value, dispute.opened_at,
    )  # fmt: skip
    amount = min(dispute.amount_cents, left)
    if amount < dispute.amount_cents:
        _log.error("a chargeback is larger than what is left of its payment", dispute=dispute.id, left=left)
    if amount > 0:
        chargeback = await _take_back(chargeback, amount)
    before = PaymentStatus(payment["status"])
    if PaymentStatus.CHARGED_BACK in PAYMENT_MOVES[before]:
        await _set_status(payment, PaymentStatus.CHARGED_BACK)
    await _mail(ports, chargeback, "opened", dispute.amount_cents)
    return chargeback


async def _left_of(payment: Row) -> int:
    """Return what of a payment neither went back nor is under way to: never more leaves than was captured."""
    payment_id = read_uuid(payment["id"])
    rows = await fetch(
        "select coalesce(sum(amount), 0) as n from refund_parts where payment_id = $1 and status <> 'REFUSED'"
        " union all select coalesce(sum(l.amount), 0) from disputes d"
        " join journal_entries e on e.source_key = 'dispute:' || cast(d.id as text) join legs l on l.entry_id = e.id"
        " where d.payment_id = $1 and d.status <> 'WON'",
        payment_id,
    )
    return int(payment["total"]) - sum(int(row["n"]) for row in rows)


async def _take_back(chargeback: _Chargeback, amount: int) -> _Chargeback:
    payment = chargeback.payment
    own = await ledger_key_of(payment)
    is_theirs = own[0] in _TAKEN_FROM_HOLDER and not await _is_closed(payment)
    taken = min(amount, await _credited_still(payment, own)) if is_theirs else 0
    legs = [Leg(own, chargeback.clearing, taken)] if taken else []
    if amount > taken:
        # Fees and taxes that came with it, and what no holder answers for.
        legs.append(Leg((LedgerKind.CHARGEBACK_LOSS, OPERATOR), chargeback.clearing, amount - taken))
    balance = await _post(chargeback, f"dispute:{chargeback.id}", legs, own, TransactionKind.CHARGEBACK)
    if taken and own[0] is LedgerKind.BILLED:
        await make_due(payment["invoice_id"], taken, chargeback.now)
    return replace(chargeback, balance=balance)


async def _credited_still(payment: Row, own: LedgerKey) -> int:
    """Return what of a payment's principal no earlier chargeback took from the holder's balance."""
    row = await fetch_one(
        "select coalesce(sum(l.amount), 0) as n from disputes d"
        " join journal_entries e on e.source_key = 'dispute:' || cast(d.id as text) join legs l on l.entry_id = e.id"
        " join ledger_accounts a on a.id = l.debit_id and a.kind = $2 and a.key = $3"
        " where d.payment_id = $1 and d.status <> 'WON'",
        read_uuid(payment["id"]), own[0].value, own[1],
    )  # fmt: skip
    return max(0, int(payment["amount"]) - (int(row["n"]) if row else 0))


async def _give_back(ports: Ports, chargeback: _Chargeback) -> None:
    """Post the exact reverse of what was taken, and put the payment back to what it was. What a service that was closed
    meanwhile holds by that is refunded."""
    rows = await fetch(
        "select d.kind as debit_kind, d.key as debit_key, c.kind as credit_kind, c.key as credit_key, l.amount, l.unit"
        " from legs l join journal_entries e on e.id = l.entry_id"
        " join ledger_accounts d on d.id = l.debit_id join ledger_accounts c on c.id = l.credit_id"
        " where e.source_key = $1 order by l.id",
        f"dispute:{chargeback.id}",
    )
    payment, own = chargeback.payment, await ledger_key_of(chargeback.payment)
    legs = [
        Leg((LedgerKind(row["credit_kind"]), row["credit_key"]), (LedgerKind(row["debit_kind"]), row["debit_key"]),
            row["amount"], Unit(row["unit"]))
        for row in rows
    ]  # fmt: skip
    balance = chargeback.balance
    if legs:
        balance = await _post(chargeback, f"dispute:{chargeback.id}:won", legs, own, TransactionKind.ADJUSTMENT)
    await pay_out_won(ports, chargeback.id)
    returned = sum(leg.amount for leg in legs if leg.credit == own)
    if returned and own[0] is LedgerKind.BILLED:
        await make_due(payment["invoice_id"], -returned, chargeback.now)
    others = await fetch_one(
        "select id from disputes where payment_id = $1 and status <> 'WON' and id <> $2",
        read_uuid(payment["id"]), chargeback.id,
    )  # fmt: skip
    now_is = await fetch_one("select status from payments where id = $1", read_uuid(payment["id"]))
    assert now_is is not None, "payments are never deleted"
    if others is None and now_is["status"] == PaymentStatus.CHARGED_BACK.value:
        is_whole = await _left_of(payment) == payment["total"]
        await _set_status(payment, PaymentStatus.SUCCEEDED if is_whole else PaymentStatus.PARTIALLY_REFUNDED)
    if returned and balance is not None:
        await closure_payments.after_dispute_won(ports, chargeback.id, balance)


async def _post(
    chargeback: _Chargeback, source: str, legs: list[Leg], own: LedgerKey, kind: TransactionKind
) -> Balance | None:
    now, payment_id = chargeback.now, read_uuid(chargeback.payment["id"])
    balance = chargeback.balance if any(own in (leg.debit, leg.credit) for leg in legs) else None
    moved, entry = await post(
        source, legs, now=now, occurred_at=now, balance=balance, own=own if balance else None,
        kind=kind if balance else None, payment_id=payment_id,
    )  # fmt: skip
    if moved is None:
        return chargeback.balance
    # A chargeback alone may leave a prepaid balance below zero, or below what calls under way hold (rule 13).
    moved = replace(moved, may_be_negative=own[0] is LedgerKind.PREPAID and moved.posted < moved.held)
    return await save(moved, now, UpdateCause.CHARGEBACK, entry)


async def _is_closed(payment: Row) -> bool:
    row = await fetch_one("select status from service_accounts where id = $1", read_uuid(payment["service_account_id"]))
    return row is None or row["status"] == ServiceStatus.CLOSED.value


async def _set_status(payment: Row, status: PaymentStatus) -> None:
    await execute("update payments set status = $1 where id = $2", status.value, read_uuid(payment["id"]))


async def _mail(ports: Ports, chargeback: _Chargeback, what: str, cents: int) -> None:
    """Mail the holder; nobody can turn that off, since it may leave them owing."""
    payment = chargeback.payment
    if payment["account_id"] is None:
        return
    account = await fetch_one("select * from accounts where id = $1", read_uuid(payment["account_id"]))
    if account is None or account["status"] != AccountStatus.ACTIVE.value:
        return
    card = await fetch_one("select last4 from payment_methods where id = $1", payment["method_id"])
    await queue_mail(
        ports,
        f"chargebacks.{what}",
        to=account["email"],
        locale=account["locale"],
        key=f"chargeback-{what}-{chargeback.id}",
        params={
            "amount": format_money(cents, account["locale"]),
            "last4": card["last4"] if card else "",
            "date": day_of(read_time(payment["created_at"])).isoformat(),
        },
    )
