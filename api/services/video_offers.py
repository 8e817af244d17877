"""What facilities offer of video visits: the hours in which they are held, and what each length costs there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_date, read_uuid
from api.domain.days import day_of
from api.domain.video_sessions import Opening, video_session_terms

ROWS_MAX = 10_000


class Offer(NamedTuple):
    """A facility's hours, and its rows of prices that are in force by now somewhere on earth."""

    openings: tuple[Opening, ...]
    prices: tuple[Row, ...]

    def price_of(self, minutes: int, zone: str, now: datetime) -> int | None:
        """Return what a visit costs today by the facility's calendar, in cents; None where it has no price."""
        today = day_of(now, zone)
        dated = [
            (read_date(row["effective_from"]), int(row["price"]))
            for row in self.prices
            if row["duration_minutes"] == minutes and read_date(row["effective_from"]) <= today
        ]
        return max(dated)[1] if dated else None


async def offers_at(facility_ids: Sequence[UUID], now: datetime) -> list[Offer]:
    """Return what facilities offer, in their order; two statements for all of them."""
    places = ", ".join(f"${n + 1}" for n in range(len(facility_ids)))
    hours = await fetch(
        f"select * from visiting_hours where facility_id in ({places}) order by weekday, opens limit {ROWS_MAX}",
        *facility_ids,
    )
    prices = await fetch(
        f"select * from video_prices where facility_id in ({places}) and effective_from <= ${len(facility_ids) + 1}"
        f" order by effective_from desc limit {ROWS_MAX}",
        *facility_ids, day_of(now) + timedelta(days=1),
    )  # fmt: skip
    return [Offer(_openings(_of(hours, key)), tuple(_of(prices, key))) for key in facility_ids]


async def offer_at(facility_id: UUID, now: datetime) -> Offer:
    """Return what a facility offers."""
    return (await offers_at([facility_id], now))[0]


async def find_facility(facility_id: UUID) -> Row | None:
    """Return a facility, or None."""
    return await fetch_one("select * from facilities where id = $1", facility_id)


def is_length(minutes: int) -> bool:
    """Tell whether a visit may last so long."""
    return minutes in video_session_terms().lengths


def _of(rows: Iterable[Row], facility_id: UUID) -> list[Row]:
    return [row for row in rows if read_uuid(row["facility_id"]) == facility_id]


def _openings(rows: Iterable[Row]) -> tuple[Opening, ...]:
    return tuple(Opening(row["weekday"], row["opens"], row["closes"]) for row in rows)
