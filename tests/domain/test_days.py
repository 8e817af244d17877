"""Days and months by a zone's calendar."""

from __future__ import annotations

from datetime import datetime

import pytest

from api.domain.days import month_of


@pytest.mark.row("F27")
@pytest.mark.rule("16")
@pytest.mark.parametrize(
    "at, begins, ends",
    [
        # Central Standard Time is six hours behind UTC, Central Daylight Time five.
        ("2026-01-15T12:00Z", "2026-01-01T06:00Z", "2026-02-01T06:00Z"),
        ("2026-02-01T05:59:59Z", "2026-01-01T06:00Z", "2026-02-01T06:00Z"),
        ("2026-02-01T06:00Z", "2026-02-01T06:00Z", "2026-03-01T06:00Z"),
        # Daylight time begins on 8 March, so March is an hour short.
        ("2026-03-01T06:00Z", "2026-03-01T06:00Z", "2026-04-01T05:00Z"),
        ("2026-04-01T04:59:59Z", "2026-03-01T06:00Z", "2026-04-01T05:00Z"),
        ("2026-04-01T05:00Z", "2026-04-01T05:00Z", "2026-05-01T05:00Z"),
        # It ends on 1 November at two in the morning: the month begins before that.
        ("2026-11-01T04:59:59Z", "2026-10-01T05:00Z", "2026-11-01T05:00Z"),
        ("2026-11-01T05:00Z", "2026-11-01T05:00Z", "2026-12-01T06:00Z"),
        ("2026-12-01T05:30Z", "2026-11-01T05:00Z", "2026-12-01T06:00Z"),
        ("2027-01-01T05:59:59Z", "2026-12-01T06:00Z", "2027-01-01T06:00Z"),
        ("2028-02-29T23:00Z", "2028-02-01T06:00Z", "2028-03-01T06:00Z"),
    ],
)
def test_a_month_begins_and_ends_at_midnight_in_central_time(at: str, begins: str, ends: str) -> None:
    assert month_of(datetime.fromisoformat(at)) == (datetime.fromisoformat(begins), datetime.fromisoformat(ends))
