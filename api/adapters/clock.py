"""Product time: the clock that every rule speaks of. Leases, time-outs and foreign signatures keep machine time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells product time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """Product time as the machine has it."""

    def now(self) -> datetime:
        """Return the machine's time, aware, in UTC."""
        return datetime.now(UTC)


class SandboxClock:
    """Product time that can be moved: an offset upon another clock, so that it goes on ticking after a move."""

    def __init__(self, offset: timedelta = timedelta(0), base: Clock | None = None) -> None:
        self.offset = offset
        self._base = base or SystemClock()

    def now(self) -> datetime:
        """Return the base clock's time plus the offset, aware, in UTC."""
        return self._base.now() + self.offset

    def move_to(self, offset: timedelta) -> None:
        """Set the offset, counted from the base clock and not from the last one; a repeat changes nothing."""
        self.offset = offset
