"""The hold of a Direct Bill service that is being closed, its end with the final statement and invoice, and what nobody
pays in the end (rule 24)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from api.adapters.database import Row, execute, fetch, fetch_one, read_date, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.closing_data import closing_data
from api.domain.closures import hold_is_over
from api.domain.days import day_of, first_of_month, start_of
from api.domain.invoices import InvoiceKind, credit_left
from api.domain.ledger import LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.service_accounts import Product, ServiceStatus
from api.services import closure_mails, closure_refunds, due_work
from api.services.closure_facts import balances_of
from api.services.closure_states import is_over, look
from api.services.invoices import issue_invoice, pay_off, unpaid_invoices, void_unpaid
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.refund_amounts import own_key, void_call_holds
from api.services.statements import state_months

HOLD_WORK = "closing-hold"
"""Looks on each Central day of a closing's window whether the hold ends; the key is the closing."""
WRITE_OFF_WORK = "closing-write-off"
"""Gives up what a closing's invoices still ask for; the key is the closing."""


@transactional
async def look_at_hold(ports: Ports, claim: due_work.Claim) -> None:
    """End the hold of a closing's Direct Bill services, or look again tomorrow; due work of kind "closing-hold".

    A closing that was withdrawn meanwhile is left alone.
    """
    closure_id, today = UUID(claim.key), day_of(ports.now())
    services = await _services(closure_id, "s.settled_at is null")
    balances = await balances_of(services, lock=True)
    await due_work.complete(claim)
    closure = await fetch_one("select * from closures where id = $1", closure_id)
    assert closure is not None, "closings are never deleted"
    if is_over(closure):
        return
    window = (read_date(closure["hold_earliest"]), read_date(closure["hold_latest"]))
    quiet = [await _is_quiet(key, ports.now()) for key in balances]
    if not hold_is_over(today, *window, is_quiet=all(quiet)):
        await due_work.enqueue(HOLD_WORK, str(closure_id), start_of(today + timedelta(days=1)))
        return
    for service in services:
        await _end_hold(ports, closure, service, balances[read_uuid(service["id"])])
    await look(ports, closure_id)


async def _services(closure_id: UUID, which: str) -> Sequence[Row]:
    return await fetch(
        "select a.* from service_accounts a join closed_services s on s.service_account_id = a.id"
        f" where s.closure_id = $1 and s.product = $2 and {which} order by a.id limit 200",
        closure_id, Product.DIRECT_BILL.value,
    )  # fmt: skip


async def _is_quiet(service_id: UUID, now: datetime) -> bool:
    """Tell whether the switches have reported no call of a service for so long that none is expected any more."""
    since = now - closing_data().quiet
    return await fetch_one(
        "select id from calls where service_account_id = $1 and recorded_at > $2 limit 1", service_id, since
    ) is None  # fmt: skip


async def _end_hold(ports: Ports, closure: Row, service: Row, balance: Balance) -> None:
    """State and invoice what is left of a locked balance, or refund its credit; from here on no call is charged."""
    closure_id, service_id, now = read_uuid(closure["id"]), read_uuid(service["id"]), ports.now()
    today = day_of(now)
    released = await void_call_holds(balance, now)
    if released != balance:
        balance = await save(released, now, UpdateCause.CALL_RELEASED)
    stated = await state_months(ports, balance, service, first_of_month(today), until=today)
    balance, invoice_id = await issue_invoice(ports, balance, service, first_of_month(today), InvoiceKind.FINAL)
    await _use_credit(ports, balance)
    if balance.posted < 0:
        account = await fetch_one("select * from accounts where id = $1", balance.account_id)
        assert account is not None, "accounts are never deleted"
        await closure_refunds.begin(ports, closure, account, service)
        await closure_refunds.fix(ports, closure_id, service_id, balance)
    await execute(
        "update closed_services set settled_at = $1 where closure_id = $2 and service_account_id = $3",
        now, closure_id, service_id,
    )  # fmt: skip
    await execute(
        "update service_accounts set status = $1, closed_at = $2 where id = $3",
        ServiceStatus.CLOSED.value, now, service_id,
    )  # fmt: skip
    if invoice_id is not None:
        await execute("update closures set final_invoice_id = $1 where id = $2", invoice_id, closure_id)
    elif stated and stated[-1].moved:
        await closure_mails.tell_statement(ports, closure, service, stated[-1])
    await _give_up_later(closure_id, service_id)


async def _use_credit(ports: Ports, balance: Balance) -> None:
    """Pay with what was paid beyond all invoices what is due on them, so that only the rest of it goes back."""
    due = sum(invoice.due for invoice in await unpaid_invoices(balance.service_account_id))
    credit = credit_left(balance.posted, due)
    if credit and due:
        await pay_off(ports, balance.service_account_id, credit)


async def _give_up_later(closure_id: UUID, service_id: UUID) -> None:
    row = await fetch_one(
        "select max(due_date) as last_day from invoices where service_account_id = $1"
        " and status in ('OPEN', 'PAST_DUE')",
        service_id,
    )
    if row and row["last_day"]:
        after = timedelta(days=1 + closing_data().write_off_days)
        await due_work.enqueue(WRITE_OFF_WORK, str(closure_id), start_of(read_date(row["last_day"]) + after))


@transactional
async def write_off(ports: Ports, claim: due_work.Claim) -> None:
    """Write off what a closing's invoices still ask for, and void them; due work of kind "closing-write-off".

    A payment that is under way is waited for.
    """
    closure_id, now = UUID(claim.key), ports.now()
    services = await _services(closure_id, "s.settled_at is not null")
    balances = await balances_of(services, lock=True)
    await due_work.complete(claim)
    for service_id, balance in balances.items():
        if await _is_being_paid(service_id):
            await due_work.enqueue(WRITE_OFF_WORK, str(closure_id), start_of(day_of(now) + timedelta(days=1)))
        elif await unpaid_invoices(service_id):
            await _write_off(closure_id, balance, now)
    await look(ports, closure_id)


async def _is_being_paid(service_id: UUID) -> bool:
    return await fetch_one(
        "select id from payments where service_account_id = $1 and status in ('PROCESSING', 'REQUIRES_ACTION') limit 1",
        service_id,
    ) is not None  # fmt: skip


async def _write_off(closure_id: UUID, balance: Balance, now: datetime) -> None:
    own = own_key(balance)
    if balance.posted > 0:
        moved, entry = await post(
            f"closure:{closure_id}:written-off:{balance.service_account_id}",
            [Leg((LedgerKind.BAD_DEBT_EXPENSE, OPERATOR), own, balance.posted)], now=now, occurred_at=now,
            balance=balance, own=own, kind=TransactionKind.WRITE_OFF,
        )  # fmt: skip
        assert moved is not None
        await save(moved, now, UpdateCause.CLOSURE, entry)
    await void_unpaid(balance.service_account_id, now)
