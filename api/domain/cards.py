"""Cards: until when they are good, and when their holders are told that they soon are not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from api.domain.days import CENTRAL, first_of_next_month


class ExpiryNotice(NamedTuple):
    """A notice, so many days before a card's last day."""

    days: int
    due_at: datetime


def last_day(expiry_month: int, expiry_year: int) -> date:
    """Return the last day on which a card is good: the last one of its month."""
    return first_of_next_month(date(expiry_year, expiry_month, 1)) - timedelta(days=1)


def expiry_notices(
    expiry_month: int, expiry_year: int, days: Iterable[int], hour: int, now: datetime
) -> list[ExpiryNotice]:
    """Return the notices that are still to come, each at that hour of Central time."""
    ends_on = last_day(expiry_month, expiry_year)
    notices = [
        ExpiryNotice(count, datetime.combine(ends_on - timedelta(days=count), time(hour), ZoneInfo(CENTRAL)))
        for count in days
    ]
    return [notice for notice in notices if notice.due_at > now]
