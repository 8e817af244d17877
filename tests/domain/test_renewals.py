"""Periods, tries, reminders and prices of plans, by the facility's calendar (rule 28)."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.days import day_of
from api.domain.renewals import (
    last_try_at,
    next_try_at,
    period_at,
    period_of,
    price_applies_at,
    reminder_at,
    renewal_rules,
    try_at,
)

pytestmark = pytest.mark.rule("28")
DENVER = "America/Denver"
ZONES = (DENVER, "America/Chicago", "America/Phoenix", "Pacific/Honolulu", "America/Havana", "Asia/Kolkata")
"""With summer time and without, one whose clock skips midnight, one on the other side of UTC."""
MONTHS = 24
DAY = timedelta(days=1)


def at(text: str, zone: str = DENVER) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def expected_day(first: date, months: int) -> date:
    """Return the day of a later month, counted here in another way than in the domain."""
    year, month = first.year, first.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(first.day, monthrange(year, month)[1]))


@pytest.mark.parametrize("hour", [time(0, 0), time(2, 30), time(23, 59)], ids=str)
@pytest.mark.parametrize("zone", ZONES)
def test_plans_begun_on_each_day_of_a_leap_year_renew_once_a_month_on_the_right_day(zone: str, hour: time) -> None:
    for number in range(366):
        day = date(2028, 1, 1) + number * DAY
        started_at = datetime.combine(day, hour, ZoneInfo(zone)).astimezone(UTC)
        first = day_of(started_at, zone)
        periods = [period_of(started_at, n, zone) for n in range(MONTHS + 1)]

        assert periods[0].start == started_at
        assert [day_of(period.start, zone) for period in periods] == [expected_day(first, n) for n in range(MONTHS + 1)]
        assert all(before.end == after.start for before, after in pairwise(periods))


def test_in_a_night_in_which_an_hour_comes_twice_the_period_is_found_once() -> None:
    second_half_past_one = at("2027-11-07 01:30") + timedelta(hours=1)
    first, second = period_of(second_half_past_one, 0, DENVER), period_of(second_half_past_one, 1, DENVER)

    assert (first.start, first.end) == (second_half_past_one, at("2027-12-07 01:30"))
    assert (second.start, second.end) == (first.end, at("2028-01-07 01:30"))
    assert period_at(second_half_past_one, second_half_past_one, DENVER) == first


@given(
    st.datetimes(datetime(2026, 10, 1), datetime(2027, 3, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 400),
)
def test_a_moment_is_in_the_period_that_began_before_and_ends_after(started_at: datetime, days: int) -> None:
    moment = started_at + days * DAY
    period = period_at(started_at, moment, DENVER)

    assert started_at <= period.start <= moment < period.end
    assert period in [period_of(started_at, number, DENVER) for number in range(15)]


@pytest.mark.parametrize(
    "start", ["2027-01-31 12:00", "2027-03-12 09:00", "2027-10-31 09:00", "2028-02-29 00:00", "2027-03-07 02:30"]
)
def test_a_period_is_tried_on_its_days_0_3_and_7_by_the_facilitys_calendar(start: str) -> None:
    due = at(start)
    tries = [try_at(due, n, DENVER) for n in range(4)]

    assert renewal_rules().try_days == (0, 3, 7)
    assert tries[0] == due
    assert [moment and (day_of(moment, DENVER) - day_of(due, DENVER)).days for moment in tries] == [0, 3, 7, None]
    assert last_try_at(due, DENVER) == tries[2]
    assert [next_try_at(due, n, due, DENVER) for n in (1, 2, 3)] == tries[1:]


def test_a_try_that_came_late_puts_the_next_one_off_and_the_last_is_the_last() -> None:
    due = at("2027-01-31 12:00")

    assert next_try_at(due, 1, due + 5 * DAY, DENVER) == due + 6 * DAY
    assert next_try_at(due, 2, due + 9 * DAY, DENVER) == due + 10 * DAY
    assert next_try_at(due, 3, due + 9 * DAY, DENVER) is None


def test_the_reminder_comes_three_days_before() -> None:
    assert reminder_at(at("2027-03-01 12:00")) == at("2027-02-26 12:00")


@pytest.mark.parametrize(
    "told, effective, applies",
    [
        ("2027-02-01 12:00", "2027-01-01", "2027-03-10 12:00"),  # 10 February comes too soon.
        ("2027-02-08 12:00", "2027-01-01", "2027-03-10 12:00"),  # 30 days before, to the second.
        ("2027-02-08 12:01", "2027-01-01", "2027-04-10 12:00"),  # A minute less.
        ("2027-01-11 12:00", "2027-03-10", "2027-03-10 12:00"),  # From its day on, though the plan renews that day.
        ("2027-01-11 12:00", "2027-03-11", "2027-04-10 12:00"),
        ("2027-01-11 12:00", "2028-02-01", "2028-02-10 12:00"),
    ],
)
def test_a_price_applies_from_the_first_renewal_thirty_days_after_its_notice(
    told: str, effective: str, applies: str
) -> None:
    started_at = at("2027-01-10 12:00")

    assert price_applies_at(started_at, 1, DENVER, date.fromisoformat(effective), at(told)) == at(applies)
    with pytest.raises(ValueError, match="another century"):
        price_applies_at(started_at, 1, DENVER, date(2200, 1, 1), at(told))
