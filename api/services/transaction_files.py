"""Transactions as CSV: written in pages of the ledger's order, so that no file is ever held as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_time
from api.adapters.ports import Ports
from api.domain.csv_text import Plain, csv_line
from api.domain.ledger import TransactionKind
from api.domain.money import dollars
from api.domain.texts import render
from api.services.file_links import file_url, read_file_link
from api.services.statements import find_statement
from api.services.transactions import Wanted, transactions_after

NAME = "transactions.csv"
PAGE = 500
_COLUMNS = (
    "sequence", "posted_at", "occurred_at", "kind", "description", "amount", "balance_after", "phone", "seconds",
    "channel", "reference",
)  # fmt: skip


class CsvFile(NamedTuple):
    """A file's name for whoever saves it, and its lines, page by page."""

    name: str
    pages: AsyncIterator[str]


def transactions_url(ports: Ports, account_id: UUID, service_account_id: UUID, wanted: Wanted) -> str:
    """Return a link to a service's transactions as CSV; the service is the account's."""
    facts = {
        "service": str(service_account_id),
        "kinds": [kind.value for kind in wanted.kinds],
        "from": wanted.posted_from and wanted.posted_from.isoformat(),
        "before": wanted.posted_before and wanted.posted_before.isoformat(),
        "min": None if wanted.amount_min is None else str(wanted.amount_min),
        "max": None if wanted.amount_max is None else str(wanted.amount_max),
    }
    return file_url(ports, NAME, account_id, facts)


def statement_url(ports: Ports, account_id: UUID, statement_id: UUID) -> str:
    """Return a link to a statement's transactions as CSV; the statement is the account's."""
    return file_url(ports, NAME, account_id, {"statement": str(statement_id)})


async def open_csv(ports: Ports, token: str) -> CsvFile | None:
    """Return the file that a link asks for, as the ledger is now; None when the link is not, or no longer, good."""
    asked = await read_file_link(ports, NAME, token)
    if asked is None:
        return None
    account_id, facts, locale = UUID(asked.facts["account"]), asked.facts, asked.account["locale"]
    if "statement" in facts:
        stated = await find_statement(account_id, UUID(facts["statement"]))
        if stated is None:
            return None
        service_id, wanted = UUID(str(stated["service_account_id"])), Wanted()
        since, until = stated["sequence_from"] - 1, stated["sequence_to"]
    else:
        service_id, wanted, since = UUID(facts["service"]), _wanted(facts), 0
        until = await _last_sequence(account_id, service_id)
    service = await fetch_one(
        "select number from service_accounts where id = $1 and account_id = $2", service_id, account_id
    )
    if service is None:
        return None
    return CsvFile(f"transactions-{service['number']}.csv", _pages(service_id, wanted, since, until, locale))


async def _last_sequence(account_id: UUID, service_id: UUID) -> int:
    row = await fetch_one(
        "select sequence from balances where service_account_id = $1 and account_id = $2", service_id, account_id
    )
    return row["sequence"] if row else 0


def _wanted(facts: dict[str, Any]) -> Wanted:
    return Wanted(
        tuple(TransactionKind(kind) for kind in facts["kinds"]),
        datetime.fromisoformat(facts["from"]) if facts["from"] else None,
        datetime.fromisoformat(facts["before"]) if facts["before"] else None,
        Decimal(facts["min"]) if facts["min"] is not None else None,
        Decimal(facts["max"]) if facts["max"] is not None else None,
    )


async def _pages(service_id: UUID, wanted: Wanted, since: int, until: int, locale: str) -> AsyncIterator[str]:
    yield csv_line([render(locale, f"files.{column}") for column in _COLUMNS])
    while rows := await transactions_after(service_id, wanted, since, until, PAGE):
        yield "".join(csv_line(_cells(row, locale)) for row in rows)
        since = rows[-1]["sequence"]


def _cells(row: Row, locale: str) -> list[str]:
    kind = str(row["kind"])
    return [
        Plain(row["sequence"]),
        Plain(_instant(row["posted_at"])),
        Plain(_instant(row["occurred_at"])),
        kind,
        render(locale, f"transactions.{kind.lower()}"),
        Plain(dollars(row["amount"])),
        Plain(dollars(row["balance_after"])),
        row["call_phone"] or "",
        Plain("" if row["call_seconds"] is None else row["call_seconds"]),
        row["payment_channel"] or "",
        row["payment_reference"] or "",
    ]


def _instant(value: Any) -> str:
    return read_time(value).astimezone(UTC).isoformat().replace("+00:00", "Z")
