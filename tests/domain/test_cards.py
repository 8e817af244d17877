"""Until when a card is good, and when its holder is told."""

from datetime import UTC, date, datetime

import pytest

from api.domain.cards import expiry_notices, last_day


@pytest.mark.parametrize(
    ("month", "year", "day"),
    [(1, 2027, date(2027, 1, 31)), (2, 2028, date(2028, 2, 29)), (2, 2027, date(2027, 2, 28)),
     (4, 2027, date(2027, 4, 30)), (12, 2026, date(2026, 12, 31))],
)  # fmt: skip
def test_a_card_is_good_through_the_last_day_of_its_month(month: int, year: int, day: date) -> None:
    assert last_day(month, year) == day


def test_notices_come_at_an_hour_of_central_time_whatever_the_season() -> None:
    notices = expiry_notices(3, 2027, [60, 30, 7], 10, datetime(2026, 11, 22, tzinfo=UTC))

    assert [(notice.days, notice.due_at.astimezone(UTC)) for notice in notices] == [
        (60, datetime(2027, 1, 30, 16, tzinfo=UTC)),
        (30, datetime(2027, 3, 1, 16, tzinfo=UTC)),
        (7, datetime(2027, 3, 24, 15, tzinfo=UTC)),
    ]


def test_notices_whose_day_is_over_are_left_out() -> None:
    late = expiry_notices(3, 2027, [60, 30, 7], 10, datetime(2027, 3, 2, tzinfo=UTC))
    too_late = expiry_notices(3, 2027, [60, 30, 7], 10, datetime(2027, 4, 2, tzinfo=UTC))

    assert [notice.days for notice in late] == [7]
    assert too_late == []
