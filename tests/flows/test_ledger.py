"""The ledger as the database itself keeps it, whoever asks (rule 12)."""

from __future__ import annotations

from typing import Any

import pytest
from tortoise.exceptions import BaseORMException, IntegrityError

from api.adapters.database import dialect, execute, fetch, transactional
from api.domain.ledger import LedgerKind, Leg
from api.services.ledger import OPERATOR, post
from tests import factories
from tests.flows.conftest import Service
from tests.flows.money import authorize, count, pay, record

pytestmark = pytest.mark.rule("12")

REFUSED = [
    "update journal_entries set amount = amount + 1",
    "update journal_entries set source_key = 'another'",
    "update journal_entries set occurred_at = posted_at",
    "delete from journal_entries",
    "update legs set amount = amount + 1",
    "update legs set debit_id = credit_id",
    "delete from legs",
    "update ledger_accounts set kind = 'BANK'",
    "delete from ledger_accounts",
    "update holds set state = 'VOIDED' where state = 'POSTED'",
    "update holds set amount = 0 where state <> 'PENDING'",
    "delete from holds",
    "delete from holds where state = 'PENDING'",
    "update balances set posted = -1",
    "update balances set held = posted + 1",
    "update balances set held = -1",
    "update balances set incoming = -1",
    "update balances set sequence = revision + 1",
    "update payments set quote_id = (select id from quotes order by id limit 1)",
    "update calls set duration_seconds = -1",
]


async def journey(service: Service) -> None:
    ann = await factories.holder(service)
    opened, key = await ann.advance_connect(500), await factories.switch_key(service)
    card = await ann.card()
    await pay(service, ann, await ann.quote(opened), card)
    await pay(service, ann, await ann.quote(opened), card, "another")
    await authorize(service, key, opened.phone)
    await record(service, key, opened.phone, 60)
    await authorize(service, key, opened.phone, "under way")


async def everything() -> list[Any]:
    tables = ("journal_entries", "legs", "ledger_accounts", "holds", "balances", "payments", "calls")
    return [[dict(row) for row in await fetch(f"select * from {table} order by id")] for table in tables]


@pytest.mark.row("I8")
@pytest.mark.parametrize("statement", REFUSED)
async def test_the_database_refuses_what_would_falsify_the_books(service: Service, statement: str) -> None:
    await journey(service)
    before = await everything()

    with pytest.raises(BaseORMException):
        await execute(statement)

    assert await everything() == before


@pytest.mark.row("I8")
@pytest.mark.parametrize("table", ["journal_entries", "legs", "ledger_accounts", "holds"])
async def test_a_table_of_the_books_cannot_be_emptied(service: Service, table: str) -> None:
    await journey(service)
    kept = await count(table)

    with pytest.raises(BaseORMException):
        await execute(f"truncate {table} cascade" if dialect() == "postgres" else f"delete from {table}")

    assert await count(table) == kept > 0


@pytest.mark.row("I4")
async def test_a_source_makes_one_entry(service: Service) -> None:
    await journey(service)
    entries = await count("journal_entries")

    @transactional
    async def again(ports: Any) -> None:
        leg = Leg((LedgerKind.BAD_DEBT_EXPENSE, OPERATOR), (LedgerKind.CALL_REVENUE, OPERATOR), 1)
        await post("the same source", [leg], now=ports.now(), occurred_at=ports.now())

    await again(service.ports)
    with pytest.raises(IntegrityError):
        await again(service.ports)

    assert await count("journal_entries") == entries + 1


@pytest.mark.row("I1", "I2")
async def test_each_entry_sums_to_zero_and_so_do_the_books(service: Service) -> None:
    await journey(service)

    sums = await fetch(
        "select x.unit, sum(x.amount) as total from (select unit, amount, credit_id from legs"
        " union all select unit, -amount, debit_id from legs) x group by x.unit"
    )
    balances = await fetch(
        "select a.kind, sum(case when l.credit_id = a.id then l.amount else -l.amount end) as total"
        " from ledger_accounts a join legs l on a.id in (l.debit_id, l.credit_id) group by a.kind order by a.kind"
    )

    assert [(row["unit"], row["total"]) for row in sums] == [("USD_CENT", 0)]
    assert {row["kind"]: row["total"] for row in balances} == {
        "CALL_REVENUE": 10,
        "PREPAID": 5_490,
        "PROCESSOR_CLEARING": -5_500,
    }


async def test_a_leg_moves_a_positive_amount_between_two_accounts(service: Service) -> None:
    await journey(service)
    columns = "select $1, entry_id, debit_id, {credit}, {amount}, unit from legs order by id limit 1"

    for credit, amount in (("credit_id", "0"), ("credit_id", "-1"), ("debit_id", "1")):
        select = columns.format(credit=credit, amount=amount)
        with pytest.raises(IntegrityError):
            await execute(
                f"insert into legs (id, entry_id, debit_id, credit_id, amount, unit) {select}", factories.uuid7()
            )


async def test_a_balance_grows_by_one_revision_with_each_change(service: Service) -> None:
    await journey(service)

    (row,) = await fetch("select revision, sequence, event_number from balances, accounts")
    numbers = [event["number"] for event in await fetch("select number from outbox_events order by number")]

    assert (row["revision"], row["sequence"]) == (8, 4)
    assert numbers == list(range(1, row["event_number"] + 1))
