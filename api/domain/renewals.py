"""Renewals of monthly plans: their periods, tries and prices (rule 28). Pure functions over `data/renewals.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from api.domain.days import day_of
from api.domain.plans import months_after

PERIODS_MAX = 1_200
"""How far ahead a price is looked for: a hundred years."""


class Period(NamedTuple):
    """A month of a subscription, by its number: 0 is the one that it began with."""

    number: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """When a renewal is tried, how long a try may wait, when it is reminded of, and how long ahead a price is told."""

    try_days: tuple[int, ...]
    unreachable_after: timedelta
    put_off_max: timedelta
    reminder_before: timedelta
    notice: timedelta
    ahead_max: timedelta


@cache
def renewal_rules() -> RenewalRules:
    """Return the rules that ship."""
    tables = tomllib.loads((files("api") / "data" / "renewals.toml").read_text("utf-8"))
    return RenewalRules(
        tuple(tables["tries"]["days"]),
        timedelta(hours=tables["tries"]["unreachable_hours"]),
        timedelta(hours=tables["tries"]["put_off_hours"]),
        timedelta(days=tables["reminder"]["days_before"]),
        timedelta(days=tables["prices"]["notice_days"]),
        timedelta(days=tables["prices"]["ahead_days_max"]),
    )


def period_of(started_at: datetime, number: int, zone: str) -> Period:
    """Return a period of a subscription, by its number and the facility's zone; no period depends on another."""
    start = months_after(started_at, number, zone) if number else started_at
    return Period(number, start, months_after(started_at, number + 1, zone))


def period_at(started_at: datetime, at: datetime, zone: str) -> Period:
    """Return the period of a subscription in which `at` lies, which is not before `started_at`."""
    first, local = started_at.astimezone(ZoneInfo(zone)), at.astimezone(ZoneInfo(zone))
    number = (local.year - first.year) * 12 + local.month - first.month
    found = period_of(started_at, number, zone)
    return found if found.start <= at else period_of(started_at, number - 1, zone)


def try_at(start: datetime, number: int, zone: str) -> datetime | None:
    """Return when a period that begins at `start` is tried, 0 for the first time; None past the last try."""
    days = renewal_rules().try_days
    return _days_after(start, days[number], zone) if number < len(days) else None


def next_try_at(start: datetime, tries: int, now: datetime, zone: str) -> datetime | None:
    """Return when a renewal that failed `tries` times is tried again; None when it is not.

    A try that came late, e.g. after an outage, puts off the next one, so that a day lies between the two.
    """
    planned = try_at(start, tries, zone)
    return max(planned, now + timedelta(days=1)) if planned is not None and planned <= now else planned


def last_try_at(start: datetime, zone: str) -> datetime:
    """Return when a period that begins at `start` is tried for the last time."""
    return _days_after(start, renewal_rules().try_days[-1], zone)


def reminder_at(renews_at: datetime) -> datetime:
    """Return when the holder is reminded of a renewal."""
    return renews_at - renewal_rules().reminder_before


def price_applies_at(started_at: datetime, number: int, zone: str, effective_from: date, told_at: datetime) -> datetime:
    """Return the first renewal, of period `number` or later, that a new price applies to: on its day or later, and long
    enough after it was told."""
    earliest = told_at + renewal_rules().notice
    for ahead in range(PERIODS_MAX):
        start = period_of(started_at, number + ahead, zone).start
        if start >= earliest and day_of(start, zone) >= effective_from:
            return start
    raise ValueError("a price must not be of another century")


def _days_after(at: datetime, days: int, zone: str) -> datetime:
    """Return the same hour so many calendar days later; an hour that a clock skips is the one after it."""
    return (at.astimezone(ZoneInfo(zone)) + timedelta(days=days)).replace(fold=0).astimezone(UTC)
