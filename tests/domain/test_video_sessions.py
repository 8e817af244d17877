"""Video visits: the hours of facilities by their clocks, the moves of a visit, and how far a plan reaches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from api.domain.plans import SubscriptionStatus
from api.domain.video_sessions import (
    PLACE_MOVES,
    ForbiddenPlaceMove,
    Opening,
    PlaceStatus,
    VideoSessionStatus,
    advance,
    clock_time,
    hours_of_day,
    is_open,
    plan_covers_until,
    video_session_terms,
)

pytestmark = pytest.mark.rule("28")
DENVER = "America/Denver"
DAILY = [Opening(day, 9 * 60, 17 * 60) for day in range(1, 8)]
NIGHTS = [Opening(day, 0, 3 * 60) for day in range(1, 8)]
ALWAYS = [Opening(day, 0, 24 * 60) for day in range(1, 8)]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(DENVER), fold=fold).astimezone(UTC)


def fits(openings: list[Opening], begins: datetime, minutes: int) -> bool:
    return is_open(openings, DENVER, begins, begins + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "at, minutes, expected",
    [
        ("2026-11-23T09:00", 20, True),
        ("2026-11-23T08:59", 20, False),
        ("2026-11-23T16:40", 20, True),
        ("2026-11-23T16:41", 20, False),
        ("2026-11-23T17:00", 20, False),
        ("2026-11-23T09:00", 8 * 60, True),
        ("2026-11-23T09:00", 8 * 60 + 1, False),
    ],
)
def test_a_whole_visit_lies_within_the_hours(at: str, minutes: int, expected: bool) -> None:
    assert fits(DAILY, local(at), minutes) is expected


def test_hours_are_those_of_the_weekday_at_the_facility() -> None:
    mondays = [Opening(1, 18 * 60, 24 * 60)]

    # Monday evening in Denver is Tuesday by UTC.
    assert fits(mondays, datetime(2026, 11, 24, 2, tzinfo=UTC), 60)
    assert not fits(mondays, datetime(2026, 11, 23, 2, tzinfo=UTC), 60)


def test_hours_that_touch_are_one_also_over_midnight() -> None:
    split = [Opening(1, 540, 720), Opening(1, 720, 900), Opening(1, 1380, 1440), Opening(2, 0, 60)]

    assert fits(split, local("2026-11-23T11:50"), 20)
    assert fits(split, local("2026-11-23T23:50"), 20)
    assert not fits(split, local("2026-11-23T14:50"), 20)
    assert not fits(split, local("2026-11-24T00:50"), 20)


def test_without_hours_nothing_is_open() -> None:
    assert not fits([], local("2026-11-23T12:00"), 20)


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_on_days_when_the_clock_moves_the_hours_are_those_of_the_clock(day: str) -> None:
    assert fits(DAILY, local(f"{day}T09:00"), 20)
    assert not fits(DAILY, local(f"{day}T08:50"), 20)
    assert fits(DAILY, local(f"{day}T16:40"), 20)
    assert not fits(DAILY, local(f"{day}T16:50"), 20)


def test_a_night_in_which_the_clock_goes_back_is_an_hour_longer_and_forward_shorter() -> None:
    # From midnight to three: four hours on 1 November, two on 8 March.
    assert fits(NIGHTS, local("2026-11-01T00:00"), 240)
    assert not fits(NIGHTS, local("2026-11-01T00:00"), 241)
    assert fits(NIGHTS, local("2026-11-01T01:30", fold=1), 90)
    assert fits(NIGHTS, local("2026-03-08T00:00"), 120)
    assert not fits(NIGHTS, local("2026-03-08T00:00"), 121)


def test_hours_that_end_within_the_hour_left_out_end_before_it() -> None:
    until_half = [Opening(7, 0, 150)]

    assert fits(until_half, local("2026-03-08T01:10"), 20)
    assert not fits(until_half, local("2026-03-08T01:40"), 60)


def test_where_it_is_always_open_every_visit_fits() -> None:
    assert all(fits(ALWAYS, NOW + timedelta(hours=hours), 60) for hours in range(0, 24 * 400, 7))


def test_hours_of_a_day_are_shown_as_a_clock_does() -> None:
    split = [Opening(1, 720, 1440), Opening(1, 0, 61)]
    shown = [(clock_time(a), clock_time(b)) for a, b in hours_of_day(split, local("2026-11-23T12:00").date())]
    assert shown == [("00:00", "01:01"), ("12:00", "24:00")]


@pytest.mark.parametrize("old, new", list(product(PlaceStatus, PlaceStatus)))
def test_a_visit_takes_the_steps_of_the_table_and_no_others(old: PlaceStatus, new: PlaceStatus) -> None:
    if old is new:
        assert advance(old, new) is False
    elif new in PLACE_MOVES[old]:
        assert advance(old, new) is True
    else:
        with pytest.raises(ForbiddenPlaceMove):
            advance(old, new)


def test_what_was_held_cancelled_or_voided_stays_so() -> None:
    final = {status for status, onward in PLACE_MOVES.items() if not onward}
    assert final == {PlaceStatus.COMPLETED, PlaceStatus.CANCELLED, PlaceStatus.VOIDED_BY_CLOSURE}


def test_what_its_holder_sees_of_a_visit_is_among_where_it_stands() -> None:
    assert {status.value for status in VideoSessionStatus} < {status.value for status in PlaceStatus}


@pytest.mark.parametrize("status", [SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE])
def test_a_plan_covers_the_paid_month_and_what_begins_soon(status: SubscriptionStatus) -> None:
    reaches = video_session_terms().plan_reaches
    assert plan_covers_until(status, NOW + timedelta(days=9), NOW) == NOW + timedelta(days=9)
    assert plan_covers_until(status, NOW - timedelta(days=2), NOW) == NOW + reaches


def test_a_plan_that_will_not_renew_covers_nothing_past_its_end() -> None:
    ends = NOW + timedelta(minutes=5)
    assert plan_covers_until(SubscriptionStatus.CANCEL_SCHEDULED, ends, NOW) == ends
