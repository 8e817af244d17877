"""Days and months by a zone's calendar: those of facilities, and Central time where a rule says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

CENTRAL = "America/Chicago"


def day_of(at: datetime, zone: str = CENTRAL) -> date:
    """Return the calendar day of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date()


def facility_time(at: datetime, zone: str) -> str:
    """Return an instant as the clocks of a facility in that zone show it, as texts in any language write it."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def facility_time_and_zone(at: datetime, zone: str) -> str:
    """Return the same with the name of the zone, for texts that do not say that it is the facility's."""
    return f"{facility_time(at, zone)} ({zone})"


def start_of(day: date, zone: str = CENTRAL) -> datetime:
    """Return the instant, in UTC, at which a day begins in a zone."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def first_of_month(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def first_of_next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def month_of(at: datetime) -> tuple[datetime, datetime]:
    """Return when the calendar month of an instant begins and ends, by Central time; both in UTC."""
    first = first_of_month(day_of(at))
    return start_of(first), start_of(first_of_next_month(first))
