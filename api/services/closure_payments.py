"""Money that comes in once its service was closed, late payments and won disputes: posted, then given back."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.ledger import LedgerKind, Leg, TransactionKind, Unit, UpdateCause
from api.domain.payments import PaymentPurpose, PaymentStatus
from api.domain.service_accounts import Product
from api.services import closure_refunds
from api.services.closure_states import look
from api.services.ledger import OPERATOR, Balance, lock_balance, post, save
from api.services.taken_back import LOSS, covered_of


async def after_payment(ports: Ports, payment: Row, balance: Balance | None) -> None:
    """Do what follows for a closing from a payment that has just succeeded or failed, under its balance's lock.

    Before the amount is fixed the money joins the refund; after that it becomes a refund of its own. Stamps are lost
    as the others were, and a deposit is the person's in custody, as ever.
    """
    if payment["plan_id"] is not None and payment["account_id"] is not None:
        await _end_plan(ports, payment)
    if payment["service_account_id"] is None:
        return
    service_id = read_uuid(payment["service_account_id"])
    closed = await _closed(service_id)
    if closed is None:
        return
    closure_id = read_uuid(closed["closure_id"])
    if payment["status"] == PaymentStatus.SUCCEEDED.value and closed["settled_at"] is not None and balance is not None:
        await _give_back(ports, closure_id, payment, balance)
    await look(ports, closure_id)


@transactional
async def after_won_dispute(ports: Ports, dispute_id: UUID, service_id: UUID) -> None:
    """Give back what a won dispute brought back to a service that was settled meanwhile; a repeat changes nothing.

    What was written off of the service when it closed is recovered first: the money was the holder's to owe.
    """
    balance = await lock_balance(service_id)
    closed = await _closed(service_id)
    if balance is None or closed is None or closed["settled_at"] is None:
        return
    closure_id = read_uuid(closed["closure_id"])
    if balance.product is Product.ADVANCE_CONNECT:
        balance = await _recover(ports, dispute_id, await _restore(ports, dispute_id, balance))
    credit = -balance.posted if balance.product is Product.DIRECT_BILL else balance.posted
    if credit > 0:
        await _refund(ports, closure_id, balance, f"closure:{closure_id}:dispute:{dispute_id}")
    await look(ports, closure_id)


async def _restore(ports: Ports, dispute_id: UUID, balance: Balance) -> Balance:
    """Give a balance back what a refund of it covered of the chargeback, once."""
    now, own, source = (
        ports.now(),
        (LedgerKind.PREPAID, str(balance.service_account_id)),
        f"dispute:{dispute_id}:restored",
    )
    dispute = await fetch_one("select payment_id, amount from disputes where id = $1", dispute_id)
    assert dispute is not None, "disputes are never deleted"
    covered = min(int(dispute["amount"]), await covered_of(read_uuid(dispute["payment_id"])))
    if covered <= 0 or await fetch_one("select id from journal_entries where source_key = $1", source):
        return balance
    leg = Leg(LOSS, own, covered)
    moved, entry = await post(
        source, [leg], now=now, occurred_at=now, balance=balance, own=own, kind=TransactionKind.ADJUSTMENT
    )
    assert moved is not None
    return await save(moved, now, UpdateCause.CHARGEBACK, entry)


async def _recover(ports: Ports, dispute_id: UUID, balance: Balance) -> Balance:
    now, own = ports.now(), (LedgerKind.PREPAID, str(balance.service_account_id))
    row = await fetch_one(
        "select coalesce(sum(case when d.kind = $1 then l.amount else -l.amount end), 0) as n from legs l"
        " join ledger_accounts d on d.id = l.debit_id join ledger_accounts c on c.id = l.credit_id"
        " where (d.kind = $1 and c.kind = $2 and c.key = $3) or (c.kind = $1 and d.kind = $2 and d.key = $3)",
        LedgerKind.BAD_DEBT_EXPENSE.value, own[0].value, own[1],
    )  # fmt: skip
    owed = min(int(row["n"]) if row else 0, balance.posted)
    if owed <= 0:
        return balance
    leg = Leg(own, (LedgerKind.BAD_DEBT_EXPENSE, OPERATOR), owed)
    moved, entry = await post(
        f"dispute:{dispute_id}:recovered", [leg], now=now, occurred_at=now, balance=balance, own=own,
        kind=TransactionKind.ADJUSTMENT,
    )  # fmt: skip
    assert moved is not None
    return await save(moved, now, UpdateCause.CLOSURE, entry)


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
        await _refund(ports, closure_id, balance, f"closure:{closure_id}:payment:{read_uuid(payment['id'])}")


async def _refund(ports: Ports, closure_id: UUID, balance: Balance, origin: str) -> None:
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
