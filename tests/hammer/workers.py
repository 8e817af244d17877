"""The working processes: started, killed, and made to stand still at what they hold."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.hammer.books import Row, read_tables
from tests.hammer.points import until_true
from tests.hammer.world import World
from tests.live_servers import Process

PATIENCE_SECONDS = 100
"""A worker on a loaded machine takes a minute to begin; nothing waits longer than it must."""


@asynccontextmanager
async def working(world: World, folder: Path, count: int) -> AsyncIterator[list[Process]]:
    """Run so many workers; each begins to look for work as soon as it can."""
    settings = {
        "DATABASE_URL": world.database_url,
        "BROADCAST_URL": world.database_url,
        "PAYMENTS_URL": f"simulated://{world.processor_file}",
        "SECRET_KEY": "a key for tests only, of forty characters",
    }
    workers = [Process(folder, ["worker"], settings) for _ in range(count)]
    try:
        for worker in workers:
            worker.start()
        yield workers
    finally:
        for worker in workers:
            worker.kill()


async def leased(world: World, kind: str) -> list[Row]:
    """Return the work of this kind that somebody holds, by a lease that has not ended."""
    tables, now = await read_tables(world.database_url, ("due_work",)), datetime.now(UTC)
    held = [row for row in tables["due_work"] if row["kind"] == kind and row["leased_until"]]
    return [row for row in held if datetime.fromisoformat(row["leased_until"]) > now]


async def stop_at(workers: list[Process], is_there: Callable[[], Awaitable[bool]]) -> None:
    """Have workers stand still once they are at a certain point and, standing still, hold it.

    A job that waits in vain is given back, and may have been just then: they go on, and are stopped again.
    """

    async def they_are() -> bool:
        if not await is_there():
            return False
        for worker in workers:
            os.kill(worker.pid, signal.SIGSTOP)
        for worker in workers:
            await until_true(lambda worker=worker: _stands_still(worker))  # type: ignore[misc]
        if await is_there():
            return True
        for worker in workers:
            os.kill(worker.pid, signal.SIGCONT)
        return False

    await until_true(they_are, PATIENCE_SECONDS)


async def _stands_still(worker: Process) -> bool:
    return bool(psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED)
