"""Payments of a service that is closed, or being closed: posted as ever, then given back (rule 21)."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.ledger import LedgerKind, Leg, TransactionKind, Unit, UpdateCause
from api.domain.payments import PaymentPurpose, PaymentStatus
from api.domain.plans import SubscriptionStatus
from api.domain.service_accounts import Product
from api.services import closure_refunds
from api.services.closure_states import look
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.refund_amounts import own_key
from api.services.subscription_states import change


async def after_payment(ports: Ports, payment: Row, balance: Balance | None) -> None:
    """Do what follows for a closing from a payment that has just succeeded or failed, under its balance's lock.

    Before the amount is fixed the money joins the refund; after that it becomes a refund of its own, of Direct Bill
    what its invoices do not take. Stamps are lost as the others were; a deposit is the person's in custody, as ever.
    """
    if payment["plan_id"] is not None and payment["account_id"] is not None:
        await _end_plan(ports, payment)
    if payment["service_account_id"] is None:
        return
    closed = await _closing_of(read_uuid(payment["service_account_id"]))
    if closed is None:
        return
    closure_id = read_uuid(closed["closure_id"])
    if payment["status"] == PaymentStatus.SUCCEEDED.value and closed["settled_at"] is not None and balance is not None:
        await _give_back(ports, closure_id, payment, balance)
    await look(ports, closure_id)


async def after_void(ports: Ports, service_id: UUID) -> None:
    """Bring the closing of a service up to an invoice that nobody has to pay any more, under its balance's lock."""
    closed = await _closing_of(service_id)
    if closed is not None:
        await look(ports, read_uuid(closed["closure_id"]))


async def gives_back(service: Row) -> bool:
    """Tell whether money that is put on a service that is closed, or being closed, is given back: a prepaid one whose
    holder is known still."""
    if Product(service["product"]) is not Product.ADVANCE_CONNECT or not await _closing_of(read_uuid(service["id"])):
        return False
    account = await fetch_one("select email from accounts where id = $1", read_uuid(service["account_id"]))
    return account is not None and account["email"] != ""


async def after_dispute_won(ports: Ports, dispute_id: UUID, balance: Balance) -> None:
    """Refund what a chargeback that was won put back into a locked balance whose service was closed meanwhile.

    What was written off since the chargeback had left it below zero is recovered first. Before the amount is fixed the
    money joins the refund.
    """
    closed = await _closing_of(balance.service_account_id)
    if closed is None or closed["settled_at"] is None:
        return
    closure_id = read_uuid(closed["closure_id"])
    balance = await _recover(ports, dispute_id, balance)
    await _refund_credit(ports, closure_id, f"dispute:{dispute_id}", balance)
    await look(ports, closure_id)


async def _closing_of(service_id: UUID) -> Row | None:
    """Return the closing that ended a service, and when its amount was fixed; None for one that is open."""
    return await fetch_one(
        "select s.closure_id, s.settled_at from closed_services s join closures c on c.id = s.closure_id"
        " where s.service_account_id = $1 and c.status <> 'WITHDRAWN' order by c.requested_at desc limit 1",
        service_id,
    )


async def _recover(ports: Ports, dispute_id: UUID, balance: Balance) -> Balance:
    """Take back, of what a balance holds for its holder now, what was written off of it."""
    row = await fetch_one(
        "select coalesce(sum(amount), 0) as n from journal_entries where balance_id = $1 and kind = 'WRITE_OFF'",
        balance.id,
    )
    lost = int(row["n"]) if row else 0
    amount = min(-lost if balance.product is Product.DIRECT_BILL else lost, _credit(balance))
    if amount <= 0:
        return balance
    now, own = ports.now(), own_key(balance)
    moved, entry = await post(
        f"dispute:{dispute_id}:recovered", [Leg(own, (LedgerKind.BAD_DEBT_EXPENSE, OPERATOR), amount)], now=now,
        occurred_at=now, balance=balance, own=own, kind=TransactionKind.WRITE_OFF,
    )  # fmt: skip
    assert moved is not None
    return await save(moved, now, UpdateCause.CLOSURE, entry)


def _credit(balance: Balance) -> int:
    """Return what a balance holds for its holder, in cents; below zero what the holder owes."""
    return -balance.posted if balance.product is Product.DIRECT_BILL else balance.posted


async def _end_plan(ports: Ports, payment: Row) -> None:
    """End a plan that was paid while its account was being deleted, or its service closed, as the others were: it is
    not refunded either. Where the holder has such a service again, the plan is used by that."""
    rows = await fetch(
        "select t.* from plan_subscriptions t join plans p on p.id = t.plan_id"
        " where t.account_id = $1 and t.live_key is not null and (t.account_id in (select id from accounts"
        " where status in ('CLOSING', 'DELETED')) or (t.payment_id = $2 and exists (select 1 from closed_services k"
        " join closures c on c.id = k.closure_id where c.account_id = t.account_id and k.product = p.product"
        " and c.status <> 'WITHDRAWN' and c.requested_at >= $3) and not exists (select 1 from service_accounts s"
        " where s.account_id = t.account_id and s.product = p.product and s.status = 'ACTIVE')))"
        " order by t.id limit 100",
        read_uuid(payment["account_id"]), read_uuid(payment["id"]), read_time(payment["created_at"]),
    )  # fmt: skip
    for row in rows:
        await change(ports, row, SubscriptionStatus.CANCELLED_BY_CLOSURE, access_until=ports.now())


async def _give_back(ports: Ports, closure_id: UUID, payment: Row, balance: Balance) -> None:
    purpose = PaymentPurpose(payment["purpose"])
    if purpose is PaymentPurpose.BUY_STAMPS:
        await _lose_stamps(ports, closure_id, payment, balance)
    elif purpose in (PaymentPurpose.FUND_ADVANCE_CONNECT, PaymentPurpose.PAY_INVOICE):
        await _refund_credit(ports, closure_id, f"payment:{read_uuid(payment['id'])}", balance)


async def _refund_credit(ports: Ports, closure_id: UUID, origin: str, balance: Balance) -> None:
    """Refund what a locked balance of a closed service holds, as a refund of its own; an invoice takes its part first.

    Nothing where it holds nothing.
    """
    if _credit(balance) > 0:
        closure = await fetch_one("select * from closures where id = $1", closure_id)
        service = await fetch_one("select * from service_accounts where id = $1", balance.service_account_id)
        account = await fetch_one("select * from accounts where id = $1", balance.account_id)
        assert closure is not None
        assert service is not None
        assert account is not None
        await closure_refunds.begin(ports, closure, account, service, origin=f"closure:{closure_id}:{origin}")
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
