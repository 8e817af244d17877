"""Monthly statements: what a month's entries come to, and which months are to be stated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from api.domain.days import first_of_month, first_of_next_month


class Sums(NamedTuple):
    """A month of a service in cents. Prepaid: opening + deposits - charges = closing; Direct Bill, whose balance is
    what is owed: opening - deposits + charges = closing."""

    opening: int
    deposits: int
    charges: int
    closing: int


def sums(opening: int, up: int, down: int, *, owes: bool) -> Sums:
    """Return a month's sums; `up` and `down` are what entries added to the balance and took from it, both >= 0."""
    deposits, charges = (down, up) if owes else (up, down)
    return Sums(opening, deposits, charges, opening + up - down)


def months_to_state(
    month: date, *, last: date | None, opened: date, closed: date | None, before_max: int
) -> Iterator[date]:
    """Yield the first days of the months, up to `month`, that have no statement yet and in which the service was open.

    `last` is the first day of the last month stated; without one at most `before_max` months before `month` follow.
    """
    first = first_of_next_month(last) if last else max(first_of_month(opened), _months_before(month, before_max))
    while first <= month:
        if closed is None or first_of_month(closed) >= first:
            yield first
        first = first_of_next_month(first)


def _months_before(month: date, count: int) -> date:
    whole = month.year * 12 + month.month - 1 - count
    return date(whole // 12, whole % 12 + 1, 1)
