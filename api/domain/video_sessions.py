"""Video visits: where one stands, which way that may move, and the hours in which a facility holds them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from api.domain.plans import SubscriptionStatus

MINUTES_OF_DAY = 24 * 60


class VideoSessionStatus(Enum):
    """Where a visit stands, as its holder sees it."""

    SCHEDULED = "SCHEDULED"
    COMPLETED = "COMPLETED"
    MISSED = "MISSED"
    CANCELLED = "CANCELLED"
    VOIDED_BY_CLOSURE = "VOIDED_BY_CLOSURE"


class PlaceStatus(Enum):
    """Where the row of a visit stands: as its holder sees it, and before there is something to see.

    AWAITING_PAYMENT keeps the time while the visit is being paid for; NOT_PAID is over. OWED was paid for when its time
    was gone: the next visit like it costs nothing.
    """

    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    NOT_PAID = "NOT_PAID"
    OWED = "OWED"
    SCHEDULED = "SCHEDULED"
    COMPLETED = "COMPLETED"
    MISSED = "MISSED"
    CANCELLED = "CANCELLED"
    VOIDED_BY_CLOSURE = "VOIDED_BY_CLOSURE"


class VideoSessionOutcome(Enum):
    """What the system that holds the visits reports of one."""

    COMPLETED = "COMPLETED"
    MISSED = "MISSED"


P = PlaceStatus
TAKES_TIME = (P.AWAITING_PAYMENT, P.SCHEDULED)
"""What no other visit of the same person, or of the same account, may overlap."""
STANDING = (P.AWAITING_PAYMENT, P.OWED, P.SCHEDULED)
"""What a closing makes void."""

# A charge may turn up after its payment was given up. A visit that nobody reported in time counts as missed until a
# report comes that says otherwise.
PLACE_MOVES: Mapping[PlaceStatus, frozenset[PlaceStatus]] = {
    P.AWAITING_PAYMENT: frozenset({P.SCHEDULED, P.NOT_PAID, P.OWED, P.VOIDED_BY_CLOSURE}),
    P.NOT_PAID: frozenset({P.SCHEDULED, P.OWED, P.VOIDED_BY_CLOSURE}),
    P.OWED: frozenset({P.SCHEDULED, P.VOIDED_BY_CLOSURE}),
    P.SCHEDULED: frozenset({P.COMPLETED, P.MISSED, P.CANCELLED, P.VOIDED_BY_CLOSURE}),
    P.MISSED: frozenset({P.COMPLETED}),
    P.COMPLETED: frozenset(),
    P.CANCELLED: frozenset(),
    P.VOIDED_BY_CLOSURE: frozenset(),
}


class ForbiddenPlaceMove(ValueError):
    """A step that no visit takes; it stays as it is."""

    def __init__(self, old: PlaceStatus, new: PlaceStatus) -> None:
        super().__init__(f"a visit cannot go from {old.value} to {new.value}")
        self.old = old
        self.new = new


def advance(old: PlaceStatus, new: PlaceStatus) -> bool:
    """Return whether the step changes anything; the same step twice does not. Raises ForbiddenPlaceMove."""
    if new is old:
        return False
    if new not in PLACE_MOVES[old]:
        raise ForbiddenPlaceMove(old, new)
    return True


class Opening(NamedTuple):
    """Hours of a weekday (1 is Monday), in minutes after midnight of the facility's clock; they end by 1440."""

    weekday: int
    opens: int
    closes: int


def is_open(openings: Iterable[Opening], zone: str, begins: datetime, ends: datetime) -> bool:
    """Tell whether the whole of a visit lies within a facility's hours, by the facility's clock.

    Hours that touch, also over midnight, are one. On a day on which the clock is put forward or back they are as long
    as the clock makes them; a time that the clock leaves out shortens them.
    """
    rows = list(openings)
    day, last = _day_of(begins, zone) - timedelta(days=1), _day_of(ends, zone)
    until: datetime | None = None
    while day <= last:
        for opens, closes in _spans(rows, day, zone):
            if (opens <= begins < closes) if until is None else opens <= until:
                until = max(until or closes, closes)
        day += timedelta(days=1)
    return until is not None and ends <= until


def hours_of_day(openings: Iterable[Opening], day: date) -> list[tuple[int, int]]:
    """Return the hours of a day, in minutes after midnight, the earliest first."""
    return sorted((each.opens, each.closes) for each in openings if each.weekday == day.isoweekday())


def clock_time(minutes: int) -> str:
    """Return minutes after midnight as a clock shows them, 1440 as 24:00."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _spans(openings: Sequence[Opening], day: date, zone: str) -> list[tuple[datetime, datetime]]:
    """Return the hours of a day as instants. Of a time that the clock shows twice hours begin at the first and end at
    the second; of one that it leaves out they begin after the gap and end before it."""
    return [
        (_instant(day, opens, zone, fold=0), _instant(day, closes, zone, fold=1))
        for opens, closes in hours_of_day(openings, day)
    ]


def _instant(day: date, minutes: int, zone: str, *, fold: int) -> datetime:
    day, minutes = day + timedelta(days=minutes // MINUTES_OF_DAY), minutes % MINUTES_OF_DAY
    return datetime.combine(day, time(minutes // 60, minutes % 60, fold=fold), ZoneInfo(zone)).astimezone(UTC)


def _day_of(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def plan_covers_until(status: SubscriptionStatus, access_until: datetime, now: datetime) -> datetime:
    """Return before when a visit must begin to be covered by a plan that has not ended.

    Nobody knows whether a month that is still to be paid will be, so a plan covers the one that is. Only what begins
    soon is covered beyond it, so that neither a renewal under way nor a card that is tried again stands in the way.
    """
    if status is SubscriptionStatus.CANCEL_SCHEDULED:
        return access_until
    return max(access_until, now + video_session_terms().plan_reaches)


@dataclass(frozen=True, slots=True)
class VideoSessionTerms:
    """What bounds visits; `lengths` in minutes."""

    lengths: tuple[int, ...]
    ahead_max: timedelta
    scheduled_max: int
    unpaid_max: int
    payment_lasts: timedelta
    plan_reaches: timedelta
    reminder: timedelta
    report_within: timedelta


@cache
def video_session_terms() -> VideoSessionTerms:
    """Return the terms that ship, read once from `data/video_sessions.toml`."""
    data = tomllib.loads((files("api") / "data" / "video_sessions.toml").read_text("utf-8"))
    return VideoSessionTerms(
        tuple(data["lengths"]),
        timedelta(days=data["days_ahead_max"]),
        data["scheduled_max"],
        data["unpaid_max"],
        timedelta(minutes=data["payment_minutes"]),
        timedelta(hours=data["plan_hours_ahead"]),
        timedelta(hours=data["reminder_hours"]),
        timedelta(minutes=data["report_minutes"]),
    )
