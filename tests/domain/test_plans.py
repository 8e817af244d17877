"""The months of a subscription: by the facility's calendar, on the day on which it began (rule 28)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.days import CENTRAL, day_of, first_of_month, first_of_next_month, start_of
from api.domain.plans import (
    LASTING,
    SUBSCRIPTION_MOVES,
    ForbiddenSubscriptionMove,
    SubscriptionStatus,
    advance,
    has_access,
    months_after,
)

pytestmark = pytest.mark.rule("28")
DENVER = "America/Denver"


def at(text: str, zone: str = DENVER) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    "months, ends",
    [
        (1, "2027-02-28 12:00"), (2, "2027-03-31 12:00"), (3, "2027-04-30 12:00"), (11, "2027-12-31 12:00"),
        (12, "2028-01-31 12:00"), (13, "2028-02-29 12:00"), (14, "2028-03-31 12:00"),
    ],
)  # fmt: skip
def test_a_short_month_ends_on_its_last_day_and_does_not_move_the_next(months: int, ends: str) -> None:
    assert months_after(at("2027-01-31 12:00"), months, DENVER) == at(ends)


@pytest.mark.row("F27")
@pytest.mark.parametrize(
    "start, ends",
    [
        ("2026-11-22 23:30", "2026-12-22 23:30"),  # In UTC it is the 23rd already.
        ("2026-12-05 00:00", "2027-01-05 00:00"),
        ("2027-02-20 09:00", "2027-03-20 09:00"),  # Summer time begins in between.
        ("2027-10-20 09:00", "2027-11-20 09:00"),  # And ends.
    ],
)
def test_a_month_ends_at_the_facilitys_hour_whatever_utc_says(start: str, ends: str) -> None:
    assert months_after(at(start), 1, DENVER) == at(ends)


@given(
    st.integers(1_770_000_000, 2_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.integers(1, 60),
)
def test_a_later_month_ends_later_and_on_the_first_day_or_the_months_last(start: datetime, months: int) -> None:
    ends = months_after(start, months, CENTRAL)

    assert start < ends < months_after(start, months + 1, CENTRAL)
    first, last = day_of(start), day_of(ends)
    assert last.day == first.day or (
        last.day < first.day and first_of_next_month(last).toordinal() == last.toordinal() + 1
    )


@pytest.mark.parametrize(
    "instant, day, begins",
    [
        ("2026-11-22T05:59:59+00:00", date(2026, 11, 21), "2026-11-21T06:00:00+00:00"),
        ("2026-11-22T06:00:00+00:00", date(2026, 11, 22), "2026-11-22T06:00:00+00:00"),
        ("2026-07-01T05:00:00+00:00", date(2026, 7, 1), "2026-07-01T05:00:00+00:00"),
    ],
)
def test_a_day_is_one_of_central_time(instant: str, day: date, begins: str) -> None:
    assert day_of(datetime.fromisoformat(instant)) == day
    assert start_of(day) == datetime.fromisoformat(begins)


def test_months_follow_one_another_over_the_turn_of_the_year() -> None:
    assert first_of_month(date(2026, 12, 31)) == date(2026, 12, 1)
    assert first_of_next_month(date(2026, 12, 31)) == date(2027, 1, 1)
    assert first_of_next_month(date(2026, 11, 1)) == date(2026, 12, 1)


def test_a_subscription_moves_as_the_table_says_and_what_has_ended_stays_so() -> None:
    for old in SubscriptionStatus:
        for new in SubscriptionStatus:
            if new is old:
                assert advance(old, new) is False
            elif new in SUBSCRIPTION_MOVES[old]:
                assert advance(old, new) is True
            else:
                with pytest.raises(ForbiddenSubscriptionMove):
                    advance(old, new)
    assert [status.value for status in LASTING] == ["ACTIVE", "PAST_DUE", "CANCEL_SCHEDULED"]
    assert all(SubscriptionStatus.CANCELLED_BY_CLOSURE in SUBSCRIPTION_MOVES[status] for status in LASTING)


def test_a_plan_is_used_while_it_is_tried_again_and_until_the_paid_period_ends_where_it_was_cancelled() -> None:
    until = at("2027-01-31 12:00")
    before, after = at("2027-01-31 11:59"), until
    used = {status: (has_access(status, until, before), has_access(status, until, after)) for status in LASTING}

    assert used == {
        SubscriptionStatus.ACTIVE: (True, True), SubscriptionStatus.PAST_DUE: (True, True),
        SubscriptionStatus.CANCEL_SCHEDULED: (True, False),
    }  # fmt: skip
    for status in set(SubscriptionStatus) - set(LASTING):
        assert not has_access(status, until, before)
