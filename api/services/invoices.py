"""Invoices of Direct Bill: issued monthly, paid oldest first, and past due after their last day.

All of it happens under the lock of the service's balance. What is due on unpaid invoices is what the ledger has as
BILLED, less a credit where more was paid than was due; the next invoice takes that.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_date, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.days import day_of, start_of
from api.domain.invoices import (
    UNPAID,
    Due,
    InvoiceKind,
    InvoiceStatus,
    credit_left,
    invoice_terms,
    pay_invoices,
)
from api.domain.ledger import LedgerKind, Leg, UpdateCause
from api.domain.money import format_money
from api.domain.notifications import NotificationTopic
from api.services import due_work
from api.services.ledger import Balance, lock_balance, post, save
from api.services.mails import Link, queue_mail
from api.services.notifications import notify
from api.services.pages import Page, PageRequest, newest_first

WORK_KIND = "invoice"
LINK = "invoice"
"""Purpose of the links that pay an invoice."""
_REMIND, _PAST_DUE = "remind", "past_due"
_UNPAID = tuple(status.value for status in UNPAID)
_CLOSING = """
select c.contact_email, c.locale from closures c join closed_services s on s.closure_id = c.id
where s.service_account_id = $1 and c.status not in ('COMPLETED', 'WITHDRAWN') and c.contact_email is not null
order by c.requested_at desc limit 1
"""


async def issue_invoice(
    ports: Ports, balance: Balance, service: Row, month: date, kind: InvoiceKind = InvoiceKind.MONTHLY
) -> tuple[Balance, UUID | None]:
    """Put all that is unbilled on an invoice within the transaction under way; return the saved balance and its id.

    None where nothing is unbilled, and where the month has its invoice: the printed number is of service, month and
    kind, and unique. `balance` is locked. What was paid beyond earlier invoices is taken off what is due.
    """
    number = f"{service['number']}-{month:%Y%m}{'F' if kind is InvoiceKind.FINAL else ''}"
    if balance.unbilled <= 0 or await fetch_one("select id from invoices where number = $1", number):
        return balance, None
    now, invoice_id, total = ports.now(), uuid7(), balance.unbilled
    unpaid = await unpaid_invoices(balance.service_account_id)
    credit = credit_left(balance.posted - balance.unbilled, sum(invoice.due for invoice in unpaid))
    due = total - min(credit, total)
    today = day_of(now)
    last_day = invoice_terms().due_date(today)
    await execute(
        "insert into invoices (id, account_id, service_account_id, number, kind, status, statement_date, due_date,"
        " total, due, issued_at, ended_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        invoice_id, balance.account_id, balance.service_account_id, number, kind.value,
        (InvoiceStatus.OPEN if due else InvoiceStatus.PAID).value, today, last_day, total, due, now,
        None if due else now,
    )  # fmt: skip
    key = str(balance.service_account_id)
    leg = Leg((LedgerKind.BILLED, key), (LedgerKind.UNBILLED, key), total)
    # It moves nothing that the holder's balance shows, so it is no line of their list.
    await post(f"invoice:{invoice_id}", [leg], now=now, occurred_at=now)
    balance = await save(replace(balance, unbilled=0), now, UpdateCause.SNAPSHOT)
    if due:
        for step, day in (
            (_REMIND, last_day - timedelta(days=invoice_terms().reminder_days)),
            (_PAST_DUE, last_day + timedelta(days=1)),
        ):
            await due_work.enqueue(WORK_KIND, f"{invoice_id}:{step}", start_of(day))
    await _mail(ports, invoice_id, "issued")
    return balance, invoice_id


async def unpaid_invoices(service_account_id: UUID) -> list[Due]:
    """Return a service's invoices on which something is due, oldest first; read them under the balance's lock."""
    rows = await fetch(
        "select id, due from invoices where service_account_id = $1 and status in ($2, $3)"
        " order by statement_date, id limit 1000",
        service_account_id, *_UNPAID,
    )  # fmt: skip
    return [Due(read_uuid(row["id"]), row["due"]) for row in rows]


async def pay_off(ports: Ports, service_account_id: UUID, amount: int, first: UUID | None = None) -> int:
    """Take a payment of `amount` cents off what is due, within the transaction under way; return what is left over.

    It goes to the invoice `first`, then to the oldest; an invoice on which nothing is due any more is PAID, and what
    would have become due about it is dropped. What is left over stays as a credit.
    """
    unpaid = await unpaid_invoices(service_account_id)
    due_of = {invoice.id: invoice.due for invoice in unpaid}
    paying = pay_invoices(amount, unpaid, first)
    for part in paying.parts:
        if part.due < due_of[part.id]:
            await execute("update invoices set due = due - $1 where id = $2", part.due, part.id)
            continue
        await execute("update invoices set due = 0, status = 'PAID', ended_at = $1 where id = $2", ports.now(), part.id)
        for step in (_REMIND, _PAST_DUE):
            await due_work.drop(WORK_KIND, f"{part.id}:{step}")
    return paying.left


async def void_unpaid(service_account_id: UUID, now: datetime) -> None:
    """Void what nobody will pay any more, within the transaction under way; the entry in the ledger is the caller's."""
    for invoice in await unpaid_invoices(service_account_id):
        await _void(invoice.id, now)


async def void_one(ports: Ports, invoice: Row) -> None:
    """Void an invoice within the transaction under way, and tell its holder; the ledger's entry is the caller's."""
    await _void(read_uuid(invoice["id"]), ports.now())
    await _mail(ports, read_uuid(invoice["id"]), "voided")


async def _void(invoice_id: UUID, now: datetime) -> None:
    await execute(
        "update invoices set due = 0, status = 'VOID', ended_at = $1 where id = $2 and status in ($3, $4)",
        now, invoice_id, *_UNPAID,
    )  # fmt: skip
    for step in (_REMIND, _PAST_DUE):
        await due_work.drop(WORK_KIND, f"{invoice_id}:{step}")


async def make_due(invoice_id: UUID | None, cents: int, now: datetime) -> None:
    """Have an invoice ask for `cents` more (less, below zero) after a chargeback, within the transaction under way.

    Its service's balance is locked. One that was voided asks for nothing, and none for more than its total.
    """
    key = read_uuid(invoice_id) if invoice_id else None
    invoice = await fetch_one("select * from invoices where id = $1 for update", key)
    if key is None or invoice is None or invoice["status"] == InvoiceStatus.VOID.value:
        return
    due = max(0, min(invoice["total"], invoice["due"] + cents))
    past_due_on = read_date(invoice["due_date"]) + timedelta(days=1)
    if due == 0:
        status = InvoiceStatus.PAID
    elif past_due_on <= day_of(now):
        status = InvoiceStatus.PAST_DUE
    else:
        status = InvoiceStatus.OPEN
        await due_work.enqueue(WORK_KIND, f"{key}:{_PAST_DUE}", start_of(past_due_on))
    ended_at = None if due else now
    await execute(
        "update invoices set due = $1, status = $2, ended_at = $3 where id = $4", due, status.value, ended_at, key
    )


@transactional
async def follow_invoice(ports: Ports, claim: due_work.Claim) -> None:
    """Remind of an invoice, or make it past due, once; due work of kind "invoice". Nothing happens once it is paid."""
    text, step = claim.key.split(":")
    invoice = await fetch_one("select * from invoices where id = $1", UUID(text))
    assert invoice is not None, "invoices are never deleted"
    await lock_balance(read_uuid(invoice["service_account_id"]))
    await due_work.complete(claim)
    wanted = (InvoiceStatus.OPEN.value,)
    invoice = await fetch_one("select * from invoices where id = $1 for update", UUID(text))
    if invoice is None or invoice["status"] not in wanted:
        return
    if step == _PAST_DUE:
        await execute("update invoices set status = 'PAST_DUE' where id = $1", UUID(text))
    await _mail(ports, UUID(text), step)


async def _mail(ports: Ports, invoice_id: UUID, event: str) -> None:
    """Mail the holder of an invoice, with the link that pays it, within the transaction under way.

    While its service is being closed, the mail goes to the address that serves the closing (rule 27a).
    """
    row = await fetch_one(
        "select i.*, a.id as holder_id, a.email, a.phone, a.locale, a.status as account_status from invoices i"
        " join accounts a on a.id = i.account_id where i.id = $1",
        invoice_id,
    )
    if row is None:
        return
    closing = await fetch_one(_CLOSING, read_uuid(row["service_account_id"]))
    if closing is None and (row["account_status"] != "ACTIVE" or not row["email"]):
        return
    if event == "issued" and not row["due"]:
        event = "issued_paid"
    elif event == "issued" and row["kind"] == InvoiceKind.FINAL.value:
        event = "final"
    locale = closing["locale"] if closing else row["locale"]
    key = f"invoice-{event.replace('_', '-')}-{invoice_id}"
    params = {
        "number": row["number"],
        "total": format_money(row["total"], locale),
        "due": format_money(row["due"], locale),
        "due_date": read_date(row["due_date"]).isoformat(),
    }
    link = Link(LINK, (str(invoice_id),)) if row["due"] else None
    if closing is not None:
        to = closing["contact_email"]
        await queue_mail(ports, f"invoices.{event}", to=to, locale=locale, key=key, params=params, link=link)
        return
    holder = {"id": row["holder_id"], "email": row["email"], "phone": row["phone"], "locale": locale}
    await notify(ports, holder, NotificationTopic.INVOICE, f"invoices.{event}", key=key, params=params, link=link)


async def invoices_page(service_account_id: UUID, request: PageRequest) -> Page:
    """Return a service's invoices, newest first."""
    return await newest_first(
        "select * from invoices where service_account_id = $1", [service_account_id], [("id", UUID)], request
    )


def is_unpaid(invoice: Row) -> bool:
    """Tell whether something is due on an invoice."""
    return invoice["status"] in _UNPAID


def pay_link(ports: Ports, invoice: Row) -> str | None:
    """Return the address that pays an invoice without signing in; None once nothing is due on it."""
    return Link(LINK, (str(read_uuid(invoice["id"])),)).url(ports) if is_unpaid(invoice) else None
