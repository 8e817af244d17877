"""The sandbox's clock: moved in one row, from one due moment to the next, so that nothing is skipped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from api.adapters.clock import SandboxClock, SystemClock
from api.adapters.database import execute, fetch_one
from api.adapters.ports import Ports
from api.auth.sign_ins import follow_sandbox_clock
from api.services import due_work
from api.services.holds import next_expiry

STEPS_MAX = 100_000
IDLE_SECONDS_MAX = 30.0
ADVANCE_MAX = timedelta(days=3_700)
_DURATION = re.compile(r"P(?=\d|T\d)(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?")
_moving = asyncio.Lock()

RunDue = Callable[[datetime], Awaitable[None]]


def parse_duration(text: str) -> timedelta:
    """Return an ISO 8601 duration of weeks, days, hours, minutes and seconds; ValueError for anything else."""
    match = _DURATION.fullmatch(text) if len(text) <= 60 else None
    if match is None or not text.isascii():
        raise ValueError("advance must be an ISO 8601 duration like P1DT2H, of weeks, days, hours, minutes, seconds")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if duration > ADVANCE_MAX:
        raise ValueError("advance must not be more than ten years")
    return duration


async def advance(ports: Ports, by: timedelta, run_due: RunDue) -> datetime:
    """Move product time forward and run all that falls due on the way, in order of time; return the new time."""
    async with _moving:
        await follow_sandbox_clock(ports)
        target = ports.now() + by
        for _ in range(STEPS_MAX):
            await _settle(ports, run_due)
            moments = [await due_work.next_due(target), await next_expiry(target)]
            due = min((moment for moment in moments if moment is not None), default=None)
            if due is None:
                break
            await _move_to(ports, max(due, ports.now()))
        await _move_to(ports, max(target, ports.now()))
        await _settle(ports, run_due)
        return ports.now()


async def _settle(ports: Ports, run_due: RunDue) -> None:
    """Run what is due now until nothing is, also what another process has under way."""
    async with asyncio.timeout(IDLE_SECONDS_MAX):
        while True:
            now = ports.now()
            await run_due(now)
            if await due_work.next_due(now) is None and await next_expiry(now) is None:
                return
            await asyncio.sleep(0.02)


async def _move_to(ports: Ports, moment: datetime) -> None:
    assert isinstance(ports.clock, SandboxClock)
    ahead = (moment - SystemClock().now()).total_seconds()
    await execute(
        "insert into sandbox_clock (id, ahead_seconds) values (1, $1)"
        " on conflict (id) do update set ahead_seconds = excluded.ahead_seconds",
        max(0.0, ahead),
    )
    ports.clock.move_to(timedelta(seconds=max(0.0, ahead)))


async def mark_as_sandbox() -> None:
    """Note in the database that a sandbox used it, so that nothing else ever serves its demo data."""
    await execute("insert into sandbox_clock (id, ahead_seconds) values (1, $1) on conflict (id) do nothing", 0.0)


async def was_sandbox() -> bool:
    """Tell whether a sandbox ever used the database."""
    return await fetch_one("select id from sandbox_clock where id = 1") is not None
