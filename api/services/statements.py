"""Statements: a month of AdvanceConnect or Direct Bill, whose sums are those of the ledger's entries."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_date, read_time
from api.adapters.ports import Ports
from api.domain.days import day_of, first_of_next_month, start_of
from api.domain.invoices import invoice_terms
from api.domain.service_accounts import Product
from api.domain.statements import Sums, months_to_state, sums
from api.services.ledger import Balance
from api.services.pages import Page, PageRequest, newest_first


class Stated(NamedTuple):
    """A statement that was just made: its month, its sums, and whether anything moved in it."""

    month: date
    sums: Sums
    moved: bool


class _Range(NamedTuple):
    """Entries of a balance by their sequence, both included; `to` is `since` - 1 where there are none."""

    since: int
    to: int
    opening: int


async def state_months(
    ports: Ports, balance: Balance, service: Row, month: date, *, until: date | None = None
) -> list[Stated]:
    """Make the statements that a service lacks up to `month`, named by its first day; the balance is locked.

    A repeat makes none. Months follow each other without a gap in the entries' sequence, so an entry that was posted
    in the last moment of a month and committed after its statement is on the next one, and on one only. `until` is the
    last day of a service's final statement, which does not wait for the end of its month.
    """
    last = await fetch_one(
        "select * from statements where service_account_id = $1 order by period_start desc limit 1",
        balance.service_account_id,
    )
    months = months_to_state(
        month,
        last=read_date(last["period_start"]) if last else None,
        opened=day_of(read_time(service["opened_at"])),
        closed=day_of(read_time(service["closed_at"])) if service["closed_at"] else None,
        before_max=invoice_terms().months_before_max,
    )
    made = []
    for first in months:
        entries = await _entries_of(balance, first, last)
        made.append(await _state(ports, balance, first, entries, until))
        last = {"sequence_to": entries.to, "closing": made[-1].sums.closing}
    return made


async def _entries_of(balance: Balance, first: date, last: Row | None) -> _Range:
    """Return a month's entries: from the last statement's end to the first one posted when the month was over."""
    if last is not None:
        since, opening = last["sequence_to"] + 1, last["closing"]
    else:
        before = await fetch_one(
            "select sequence, balance_after from journal_entries where balance_id = $1 and posted_at < $2"
            " order by sequence desc limit 1",
            balance.id, start_of(first),
        )  # fmt: skip
        since, opening = (before["sequence"] + 1, before["balance_after"]) if before else (1, 0)
    later = await fetch_one(
        "select min(sequence) as first from journal_entries where balance_id = $1 and sequence >= $2"
        " and posted_at >= $3",
        balance.id, since, start_of(first_of_next_month(first)),
    )  # fmt: skip
    to = later["first"] - 1 if later and later["first"] else balance.sequence
    return _Range(since, max(to, since - 1), opening)


async def _state(ports: Ports, balance: Balance, first: date, entries: _Range, until: date | None) -> Stated:
    """Write a month's statement within the transaction under way."""
    found = await fetch_one(
        "select coalesce(sum(case when amount > 0 then amount end), 0) as up,"
        " coalesce(sum(case when amount < 0 then -amount end), 0) as down"
        " from journal_entries where balance_id = $1 and sequence between $2 and $3",
        balance.id, entries.since, entries.to,
    )  # fmt: skip
    assert found is not None
    owes = balance.product is Product.DIRECT_BILL
    month = sums(entries.opening, int(found["up"]), int(found["down"]), owes=owes)
    last_day = first_of_next_month(first) - timedelta(days=1)
    await execute(
        "insert into statements (id, account_id, service_account_id, product, period_start, period_end, sequence_from,"
        " sequence_to, opening, deposits, charges, closing, call_seconds, made_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        uuid7(), balance.account_id, balance.service_account_id, balance.product.value, first,
        min(until or last_day, last_day), entries.since, entries.to, *month,
        await _call_seconds(balance, entries, first), ports.now(),
    )  # fmt: skip
    return Stated(first, month, entries.to >= entries.since)


async def _call_seconds(balance: Balance, entries: _Range, first: date) -> int:
    """Return how long a month's calls were: by the entries that charge them, and by their record where free."""
    row = await fetch_one(
        "select coalesce(sum(duration_seconds), 0) as seconds from calls where service_account_id = $1"
        " and (id in (select call_id from journal_entries where balance_id = $2 and sequence between $3 and $4)"
        " or (cost = 0 and recorded_at >= $5 and recorded_at < $6))",
        balance.service_account_id, balance.id, entries.since, entries.to, start_of(first),
        start_of(first_of_next_month(first)),
    )  # fmt: skip
    return int(row["seconds"]) if row else 0


async def statements_page(account_id: UUID, request: PageRequest) -> Page:
    """Return an account's statements, newest month first."""
    return await newest_first("select * from statements where account_id = $1", [account_id], [("id", UUID)], request)


async def find_statement(account_id: UUID, statement_id: UUID) -> Row | None:
    """Return a statement of this account with its balance's id, or None."""
    return await fetch_one(
        "select s.*, b.id as balance_id from statements s join balances b on"
        " b.service_account_id = s.service_account_id where s.id = $1 and s.account_id = $2",
        statement_id, account_id,
    )  # fmt: skip
