"""Payments that were under way when their service was closed: posted as ever, then given back (rule 21)."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.ledger import LedgerKind, Leg, TransactionKind, Unit, UpdateCause
from api.domain.payments import PaymentPurpose, PaymentStatus
from api.domain.service_accounts import Product
from api.services import closure_refunds
from api.services.closure_states import look
from api.services.ledger import OPERATOR, Balance, post, save


async def after_payment(ports: Ports, payment: Row, balance: Balance | None) -> None:
    """Do what follows for a closing from a payment that has just succeeded or failed, under its balance's lock.

    Before the amount is fixed the money joins the refund; after that it becomes a refund of its own. Stamps are lost
    as the others were, and a deposit is the person's in custody, as ever.
    """
    if payment["plan_id"] is not None and payment["account_id"] is not None:
        await _end_plan(ports, payment)
    if payment["service_account_id"] is None:
        return
    closed = await _closed(read_uuid(payment["service_account_id"]))
    if closed is None:
        return
    closure_id = read_uuid(closed["closure_id"])
    if payment["status"] == PaymentStatus.SUCCEEDED.value and closed["settled_at"] is not None and balance is not None:
        await _give_back(ports, closure_id, payment, balance)
    await look(ports, closure_id)


async def gives_back(service: Row) -> bool:
    """Tell whether money that is put on a service that is closed, or being closed, is given back: a prepaid one whose
    holder is known still."""
    if Product(service["product"]) is not Product.ADVANCE_CONNECT or not await _closed(read_uuid(service["id"])):
        return False
    account = await fetch_one("select email from accounts where id = $1", read_uuid(service["account_id"]))
    return account is not None and account["email"] != ""


async def after_win(ports: Ports, dispute_id: UUID, balance: Balance) -> None:
    """Give back what a chargeback that was won brought to a prepaid balance whose amount was fixed already, under its
    lock; what had been written off of the balance is covered first."""
    closed = await _closed(balance.service_account_id)
    if closed is None or closed["settled_at"] is None or balance.posted <= 0:
        return
    closure_id = read_uuid(closed["closure_id"])
    balance = await _cover_write_off(ports, dispute_id, balance)
    if balance.posted > 0:
        await _refund(ports, closure_id, f"closure:{closure_id}:dispute:{dispute_id}", balance)
    await look(ports, closure_id)


async def _cover_write_off(ports: Ports, dispute_id: UUID, balance: Balance) -> Balance:
    now, own = ports.now(), (LedgerKind.PREPAID, str(balance.service_account_id))
    loss = (LedgerKind.BAD_DEBT_EXPENSE, OPERATOR)
    row = await fetch_one(
        "select coalesce(sum(case when c.kind = $1 then l.amount else -l.amount end), 0) as cents from legs l"
        " join ledger_accounts d on d.id = l.debit_id join ledger_accounts c on c.id = l.credit_id"
        " where (c.kind = $1 and c.key = $2 and d.kind = $3) or (d.kind = $1 and d.key = $2 and c.kind = $3)",
        own[0].value, own[1], loss[0].value,
    )  # fmt: skip
    cents = min(balance.posted, int(row["cents"])) if row else 0
    if cents <= 0:
        return balance
    moved, entry = await post(
        f"dispute:{dispute_id}:covered", [Leg(own, loss, cents)], now=now, occurred_at=now, balance=balance, own=own,
        kind=TransactionKind.ADJUSTMENT,
    )  # fmt: skip
    assert moved is not None
    return await save(moved, now, UpdateCause.CHARGEBACK, entry)


async def _closed(service_id: UUID) -> Row | None:
    return await fetch_one(
        "select s.closure_id, s.settled_at from closed_services s join closures c on c.id = s.closure_id"
        " where s.service_account_id = $1 and c.status <> 'WITHDRAWN' order by c.requested_at desc limit 1",
        service_id,
    )


async def _end_plan(ports: Ports, payment: Row) -> None:
    """End a plan that was paid while its account was being deleted, as the others were: it is not refunded either."""
    await execute(
        "update plan_subscriptions set status = 'CANCELLED_BY_CLOSURE', renews_at = null, access_until = $1,"
        " live_key = null where account_id = $2 and live_key is not null"
        " and account_id in (select id from accounts where status in ('CLOSING', 'DELETED'))",
        ports.now(), read_uuid(payment["account_id"]),
    )  # fmt: skip


async def _give_back(ports: Ports, closure_id: UUID, payment: Row, balance: Balance) -> None:
    purpose = PaymentPurpose(payment["purpose"])
    if purpose is PaymentPurpose.BUY_STAMPS:
        await _lose_stamps(ports, closure_id, payment, balance)
    elif purpose is PaymentPurpose.FUND_ADVANCE_CONNECT:
        await _refund(ports, closure_id, f"closure:{closure_id}:payment:{read_uuid(payment['id'])}", balance)


async def _refund(ports: Ports, closure_id: UUID, origin: str, balance: Balance) -> None:
    closure = await fetch_one("select * from closures where id = $1", closure_id)
    service = await fetch_one("select * from service_accounts where id = $1", balance.service_account_id)
    account = await fetch_one("select * from accounts where id = $1", balance.account_id)
    assert closure is not None
    assert service is not None
    assert account is not None
    await closure_refunds.begin(ports, closure, account, service, origin=origin)
    await closure_refunds.fix(ports, closure_id, balance.service_account_id, balance)


async def _lose_stamps(ports: Ports, closure_id: UUID, payment: Row, balance: Balance) -> None:
    now, own = ports.now(), (LedgerKind.STAMPS, str(balance.service_account_id))
    leg = Leg(own, (LedgerKind.STAMPS_ISSUED, OPERATOR), balance.posted, Unit.STAMP)
    moved, entry = await post(
        f"closure:{closure_id}:stamps:{read_uuid(payment['id'])}", [leg], now=now,
        occurred_at=read_time(payment["created_at"]), balance=balance, own=own, kind=TransactionKind.WRITE_OFF,
    )  # fmt: skip
    assert moved is not None
    await save(moved, now, UpdateCause.CLOSURE, entry)
