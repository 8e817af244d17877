"""Product time, still and moved."""

from datetime import UTC, datetime, timedelta

import pytest

from api.adapters.clock import SandboxClock, SystemClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StillClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def test_the_systems_time_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


@pytest.mark.rule("38")
def test_a_moved_clock_is_ahead_by_its_offset_and_goes_on_ticking() -> None:
    still = StillClock(NOON)
    clock = SandboxClock(base=still)

    clock.move_to(timedelta(days=1, hours=2))
    still.at = NOON + timedelta(seconds=5)

    assert clock.now() == NOON + timedelta(days=1, hours=2, seconds=5)


@pytest.mark.rule("38")
def test_moving_to_the_same_offset_twice_moves_once() -> None:
    clock = SandboxClock(base=StillClock(NOON))

    clock.move_to(timedelta(days=180))
    clock.move_to(timedelta(days=180))

    assert clock.now() == NOON + timedelta(days=180)


def test_a_clock_never_moved_tells_its_bases_time() -> None:
    assert SandboxClock(base=StillClock(NOON)).now() == NOON
