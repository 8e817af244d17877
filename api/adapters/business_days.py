"""Business days: Monday to Friday less the federal holidays of the United States, as they are kept."""

from __future__ import annotations

from datetime import date
from functools import cache

from holidays import country_holidays

_HOLIDAYS = country_holidays("US")
"""Adds each year when it is first asked for."""


@cache
def is_business_day(day: date) -> bool:
    """Tell whether banks and the post work on a day."""
    return day.weekday() < 5 and day not in _HOLIDAYS
