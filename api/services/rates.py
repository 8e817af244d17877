"""Rates of calls, dated, by facility: the one in force is the last that has begun on the facility's day."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_date
from api.domain.days import day_of

_IN_FORCE = (
    "select per_minute, effective_from from rates where facility_id = $1 and effective_from <= $2"
    " order by effective_from desc limit 1"
)


class Rate(NamedTuple):
    """Dollars per started minute, and since which day."""

    per_minute: Decimal
    effective_from: date


async def rate_at(facility: Row, now: datetime) -> Rate | None:
    """Return what a minute of a call from a facility costs now, or None where that is not set."""
    row = await fetch_one(_IN_FORCE, facility["id"], day_of(now, facility["time_zone"]))
    return Rate(Decimal(str(row["per_minute"])), read_date(row["effective_from"])) if row else None


async def rate_of_service(service_id: UUID, now: datetime) -> Decimal | None:
    """Return the rate by which to estimate what money in a service lasts for: that of the facility that called last,
    else the one that most facilities have, of equally many the higher, so as not to promise too much; None where no
    rate is set.
    """
    facility = await fetch_one(
        "select f.* from calls c join facilities f on f.id = c.facility_id where c.service_account_id = $1"
        " order by c.started_at desc, c.id desc limit 1",
        service_id,
    )
    rate = await rate_at(facility, now) if facility else None
    return rate.per_minute if rate else await _most_usual(now)


async def _most_usual(now: datetime) -> Decimal | None:
    row = await fetch_one(
        "select r.per_minute from rates r where r.effective_from = (select max(l.effective_from) from rates l"
        " where l.facility_id = r.facility_id and l.effective_from <= $1)"
        " group by r.per_minute order by count(*) desc, cast(r.per_minute as decimal) desc limit 1",
        day_of(now),
    )
    return Decimal(str(row["per_minute"])) if row else None
