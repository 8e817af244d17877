"""Every window of rules 20 to 26 against a naive oracle that counts day by day, on any day and at any instant.

The oracle knows Central time and the federal holidays by their laws, and uses no library for either.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.adapters.business_days import is_business_day
from api.domain.closing_data import closing_data
from api.domain.closures import hold_is_over
from api.domain.days import day_of, first_of_month, first_of_next_month, start_of
from api.domain.inactivity import closes_on, notice_due_on, shipped_rules
from api.domain.invoices import invoice_terms
from api.domain.refunds import RefundMethod, Window, days_window
from api.services.refund_destinations import window_of
from api.services.refund_work import stale_at

pytestmark = [pytest.mark.row("F27"), pytest.mark.rule("20", "23", "24", "26")]

DAY = timedelta(days=1)
FIRST, LAST = date(2024, 1, 1), date(2044, 12, 31)


def nth(year: int, month: int, weekday: int, number: int) -> date:
    """Return the n-th such weekday of a month; -1 is the last."""
    found = [date(year, month, 1) + n * DAY for n in range(31)]
    return [day for day in found if day.month == month and day.weekday() == weekday][number - (number > 0)]


@cache
def summer(year: int) -> tuple[datetime, datetime]:
    """Return when daylight time is kept: from 2 a.m. on March's second Sunday to 2 a.m. on November's first."""
    return (
        datetime.combine(nth(year, 3, 6, 2), time(8), UTC),
        datetime.combine(nth(year, 11, 6, 1), time(7), UTC),
    )


def offset(at: datetime) -> timedelta:
    """Return how far Central time is behind."""
    begins, ends = summer(at.year)
    return timedelta(hours=5 if begins <= at < ends else 6)


def central_day(at: datetime) -> date:
    return (at - offset(at)).date()


def midnight(day: date) -> datetime:
    """Return when a Central day begins, found minute by hour: the first instant that is on it."""
    at = datetime.combine(day, time(), UTC)
    while central_day(at) < day:
        at += timedelta(hours=1)
    return at


@cache
def holidays_of(year: int) -> set[date]:
    """Return the eleven days of 5 U.S.C. 6103; one on a Saturday is kept on Friday, one on a Sunday on Monday."""
    fixed = [date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    moving = [nth(year, 1, 0, 3), nth(year, 2, 0, 3), nth(year, 5, 0, -1), nth(year, 9, 0, 1), nth(year, 10, 0, 2),
              nth(year, 11, 3, 4)]  # fmt: skip
    return {day + {5: -1, 6: 1}.get(day.weekday(), 0) * DAY for day in (*fixed, *moving)}


def works(day: date) -> bool:
    """Tell whether banks work; New Year's of the next year may be kept on 31 December."""
    return day.weekday() < 5 and day not in holidays_of(day.year) | holidays_of(day.year + 1)


def nth_working_day(day: date, number: int) -> date:
    while number:
        day += DAY
        number -= works(day)
    return day


def special(year: int) -> list[date]:
    """Return the days of a year on which dates go wrong: clock changes, leap days, ends of months and of the year."""
    ends = [first_of_next_month(date(year, month, 1)) - DAY for month in range(1, 13)]
    return [nth(year, 3, 6, 2), nth(year, 11, 6, 1), *ends, *holidays_of(year)]


SPECIAL = sorted({day + near * DAY for year in range(2024, 2045) for day in special(year) for near in (-3, -1, 0, 1)})
days = st.one_of(st.dates(FIRST, LAST), st.sampled_from(SPECIAL))
instants = st.builds(
    lambda day, seconds: datetime.combine(day, time(), UTC) + timedelta(seconds=seconds),
    days, st.one_of(st.integers(0, 86_399), st.sampled_from([5 * 3600 - 1, 5 * 3600, 6 * 3600 - 1, 6 * 3600])),
)  # fmt: skip


def test_each_day_of_twenty_years_is_a_business_day_by_law_or_is_none() -> None:
    wrong = [day for n in range((LAST - FIRST).days) if is_business_day(day := FIRST + n * DAY) != works(day)]
    assert wrong == []


def test_each_day_of_twenty_years_begins_where_it_does_by_law() -> None:
    wrong = [day for n in range((LAST - FIRST).days) if start_of(day := FIRST + n * DAY) != midnight(day)]
    assert wrong == []


@given(instants)
def test_an_instant_is_on_the_central_day_of_the_law(at: datetime) -> None:
    assert day_of(at) == central_day(at)
    assert midnight(day_of(at)) <= at < midnight(day_of(at) + DAY)


@given(instants)
@example(datetime(2026, 12, 31, 5, 59, tzinfo=UTC))
def test_a_card_refund_is_promised_on_the_second_and_third_business_day(at: datetime) -> None:
    asked_on = central_day(at)
    assert window_of(RefundMethod.CARD, at) == Window(nth_working_day(asked_on, 2), nth_working_day(asked_on, 3))


@given(instants)
def test_a_check_is_promised_two_to_three_weeks_of_seven_days_after_the_request(at: datetime) -> None:
    day, seen = central_day(at), []
    for _ in range(21):
        day += DAY
        seen.append(day)
    window = window_of(RefundMethod.CHECK, at)
    assert (window.earliest, window.latest) == (seen[13], seen[20])
    assert window.earliest.weekday() == window.latest.weekday() == central_day(at).weekday()


@given(instants, st.booleans())
def test_a_hold_ends_on_the_seventh_midnight_when_quiet_and_else_on_the_tenth(at: datetime, quiet: bool) -> None:
    data, asked_on = closing_data(), central_day(at)
    window = days_window(asked_on, data.hold_days_min, data.hold_days_max)
    midnights, now = 0, at
    while not hold_is_over(central_day(now), window.earliest, window.latest, is_quiet=quiet):
        now = midnight(central_day(now) + DAY)
        midnights += 1
    assert midnights == (7 if quiet else 10)


@given(days)
def test_an_invoice_is_due_on_the_twentieth_day_after_its_statement(issued_on: date) -> None:
    day = issued_on
    for _ in range(20):
        day += DAY
    assert invoice_terms().due_date(issued_on) == day


@given(instants)
def test_a_check_is_too_old_as_the_hundred_and_eightieth_day_begins(at: datetime) -> None:
    day = central_day(at)
    for _ in range(180):
        day += DAY
    assert stale_at(at) == midnight(day)


@given(days, st.one_of(st.none(), st.integers(0, 400)))
def test_new_mexico_closes_after_both_180_idle_days_and_thirty_days_of_notice(
    last: date, told_after: int | None
) -> None:
    (rule,) = shipped_rules()
    notice_days, told = closing_data().inactivity_notice_days, told_after and last + told_after * DAY
    idle, noticed, day = 0, 0, last
    while idle < 180 or (told and noticed < 30):
        day += DAY
        idle += 1
        noticed += bool(told and day > told)
    assert closes_on(rule, last, told or None, notice_days) == day
    assert notice_due_on(rule, last, notice_days) == closes_on(rule, last, None, notice_days) - 30 * DAY


@given(days)
def test_months_follow_each_other_without_a_gap(day: date) -> None:
    first = day
    while first.day != 1:
        first -= DAY
    following = first
    while following.month == first.month:
        following += DAY
    assert (first_of_month(day), first_of_next_month(day)) == (first, following)
