"""The first of each month, Central time: statements of the month before, and Direct Bill's invoices.

Two kinds of due work. "months" goes through the services in batches and makes the next month's when it is through;
"month" does one service, under its balance's lock. Both are safe to repeat.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.days import day_of, first_of_month, first_of_next_month, start_of
from api.domain.money import format_money
from api.domain.notifications import NotificationTopic
from api.domain.service_accounts import Product, ServiceStatus
from api.services import due_work
from api.services.inactivity_plans import plan
from api.services.invoices import issue_invoice
from api.services.ledger import lock_balance
from api.services.notifications import notify
from api.services.statements import Stated, state_months

ALL_KIND = "months"
ONE_KIND = "month"
BATCH = 200


@transactional
async def expect_month_end(ports: Ports) -> None:
    """Make the work of the next month's first day due, unless such work waits already; each process does so once.

    Such work that was given up begins anew: without it no further month would end.
    """
    if row := await fetch_one("select key, due_at, failed_at from due_work where kind = $1 order by due_at", ALL_KIND):
        if row["failed_at"]:
            await due_work.enqueue(ALL_KIND, row["key"], read_time(row["due_at"]))
        return
    month = first_of_month(day_of(ports.now()))
    await due_work.enqueue(ALL_KIND, f"{month}:", start_of(first_of_next_month(month)))


@transactional
async def fan_out(ports: Ports, claim: due_work.Claim) -> None:
    """Make each service's work of a month due, a batch at a time; due work of kind "months".

    The key names the month and the service that the batch begins after.
    """
    text, _, after = claim.key.partition(":")
    month = date.fromisoformat(text)
    rows = await fetch(
        "select service_account_id as id from balances where product in ($1, $2)"
        + (" and service_account_id > $3" if after else "")
        + f" order by service_account_id limit {BATCH}",
        Product.ADVANCE_CONNECT.value, Product.DIRECT_BILL.value, *([UUID(after)] if after else []),
    )  # fmt: skip
    await due_work.complete(claim)
    for row in rows:
        await due_work.enqueue(ONE_KIND, f"{month}:{read_uuid(row['id'])}", claim.due_at)
    if len(rows) == BATCH:
        await due_work.enqueue(ALL_KIND, f"{month}:{read_uuid(rows[-1]['id'])}", claim.due_at)
    else:
        following = first_of_next_month(month)
        await due_work.enqueue(ALL_KIND, f"{following}:", start_of(first_of_next_month(following)))


@transactional
async def end_month(ports: Ports, claim: due_work.Claim) -> None:
    """State a service's month, and invoice what is unbilled of Direct Bill; due work of kind "month".

    A closed service gets no invoice here: its closing issues the final one. Rules on inactivity that an operator has
    edited since are seen here too.
    """
    text, _, key = claim.key.partition(":")
    month, service_id = date.fromisoformat(text), UUID(key)
    balance = await lock_balance(service_id)
    service = await fetch_one("select * from service_accounts where id = $1", service_id)
    assert balance is not None, "services that have months have a balance"
    assert service is not None, "services are never deleted"
    await due_work.complete(claim)
    if balance.product is Product.ADVANCE_CONNECT and service["status"] == ServiceStatus.ACTIVE.value:
        await plan(service_id, ports.now())
    made = await state_months(ports, balance, service, month)
    invoice_id = None
    if balance.product is Product.DIRECT_BILL and service["status"] == ServiceStatus.ACTIVE.value:
        balance, invoice_id = await issue_invoice(ports, balance, service, month)
    # The invoice's mail tells of the month already.
    if made and made[-1].moved and invoice_id is None:
        await _tell(ports, service, made[-1])


async def _tell(ports: Ports, service: Row, stated: Stated) -> None:
    """Tell a service's holder that a statement is ready, within the transaction under way."""
    account = await fetch_one(
        "select * from accounts where id = $1 and status = 'ACTIVE'", read_uuid(service["account_id"])
    )
    if account is None:
        return
    await notify(
        ports,
        account,
        NotificationTopic.STATEMENT,
        "statements.ready",
        key=f"statement-{stated.month}-{read_uuid(service['id'])}",
        params={
            "number": service["number"],
            "month": f"{stated.month:%Y-%m}",
            "deposits": format_money(stated.sums.deposits, account["locale"]),
            "charges": format_money(stated.sums.charges, account["locale"]),
            "closing": format_money(stated.sums.closing, account["locale"]),
        },
    )
