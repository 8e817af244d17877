"""Transactions: a service's ledger as its holder reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch
from api.domain.ledger import TransactionKind
from api.services.pages import Page, PageRequest, newest_first


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions on transactions; those that are left out hold for all. Amounts are signed dollars."""

    kinds: tuple[TransactionKind, ...] = ()
    posted_from: datetime | None = None
    posted_before: datetime | None = None
    amount_min: Decimal | None = None
    amount_max: Decimal | None = None


async def transactions_page(service_account_id: UUID, wanted: Wanted, request: PageRequest) -> Page:
    """Return a service's transactions, newest first; one statement."""
    query, values = _select(service_account_id, wanted)
    return await newest_first(query, values, [("sequence", int)], request)


async def transactions_after(
    service_account_id: UUID, wanted: Wanted, after: int, until: int, size: int
) -> Sequence[Row]:
    """Return the next transactions of a service in their order, of sequences above `after` up to `until`, with what
    they tell of; one statement."""
    query, values = _select(service_account_id, wanted, columns=_TOLD, joins=_TOLD_JOINS)
    places = len(values)
    query += f" and e.sequence > ${places + 1} and e.sequence <= ${places + 2} order by e.sequence limit {size}"
    return await fetch(query, *values, after, until)


_TOLD = (
    "e.*, c.phone as call_phone, c.duration_seconds as call_seconds, p.channel as payment_channel,"
    " p.external_reference as payment_reference"
)
_TOLD_JOINS = " left join calls c on c.id = e.call_id left join payments p on p.id = e.payment_id"


def _select(service_account_id: UUID, wanted: Wanted, columns: str = "e.*", joins: str = "") -> tuple[str, list[Any]]:
    values: list[Any] = [service_account_id]
    query = (
        f"select {columns} from journal_entries e{joins}"
        " where e.balance_id = (select id from balances where service_account_id = $1)"
    )

    def condition(text: str, value: Any) -> None:
        nonlocal query
        values.append(value)
        query += f" and {text} ${len(values)}"

    if wanted.kinds:
        places = [f"${len(values) + n + 1}" for n in range(len(set(wanted.kinds)))]
        values += [kind.value for kind in dict.fromkeys(wanted.kinds)]
        query += f" and e.kind in ({', '.join(places)})"
    if wanted.posted_from:
        condition("e.posted_at >=", wanted.posted_from)
    if wanted.posted_before:
        condition("e.posted_at <", wanted.posted_before)
    if wanted.amount_min is not None:
        condition("e.amount >=", _cents(wanted.amount_min, ROUND_CEILING))
    if wanted.amount_max is not None:
        condition("e.amount <=", _cents(wanted.amount_max, ROUND_FLOOR))
    return query, values


def _cents(amount: Decimal, rounding: str) -> int:
    """Return a bound in cents; one between two cents is moved to the one that lies within it."""
    return int((amount * 100).to_integral_value(rounding))
