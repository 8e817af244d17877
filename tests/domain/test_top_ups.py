"""When AutoPay tries again (rule 16)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.domain.top_ups import next_try_at

FIRST = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


@pytest.mark.rule("16")
@pytest.mark.parametrize("tries, after_hours", [(1, 24), (2, 48), (3, None), (4, None)])
def test_tries_are_at_0_24_and_48_hours(tries: int, after_hours: int | None) -> None:
    assert next_try_at(FIRST, tries) == (None if after_hours is None else FIRST + timedelta(hours=after_hours))
