"""Rounds of the hammer: random operations with a kill among them, then quiet, then everything is looked at."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import httpx

from tests.hammer.books import read_tables
from tests.hammer.client import Client, NoAnswer
from tests.hammer.fleet import running
from tests.hammer.invariants import Permanence, broken_promises, differences
from tests.hammer.operations import Operations
from tests.hammer.outside import end_leases
from tests.hammer.own_processor import OwnProcessor
from tests.hammer.watchers import Watcher, watching
from tests.hammer.world import World
from tests.live_servers import ROOT

AT_ONCE = 12
ROUND_SECONDS_MAX = 150.0
QUIET_SECONDS_MAX = 120.0
LOOK_AGAIN_SECONDS = 0.1
WATCHED = 3
Fault = Callable[[], Awaitable[None]]
"""Something that is done to a machine while operations go on."""
UNSETTLED = ("PROCESSING", "REQUIRES_ACTION")
DATED = (
    "cancellation",
    "card_expiry",
    "months",
    "month",
    "inactivity",
    "invoice",
    "renewal",
    "plan_price",
    "video_reminder",
    "video_end",
)
"""Work that waits for a day of the calendar: there is always some, however quiet it is."""


class Hammer:
    """One world, its processes and all that was seen of them; `processor` where that is a process of its own."""

    def __init__(
        self, operations: Operations, watchers: list[Watcher], pick: random.Random, processor: OwnProcessor | None
    ) -> None:
        self.operations, self.watchers, self.pick, self.processor = operations, watchers, pick, processor
        self.client, self.fleet = operations.client, operations.client.fleet
        self.world = operations.world
        self.kinds: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.rounds = 0
        self._kills_settled = 0
        self.differences: list[str] = []
        self._permanence = Permanence()

    async def round(self, size: int, kills: int, *faults: Fault) -> None:
        """Do `size` random operations, kill that often and do these faults among them, settle, look at everything."""
        async with asyncio.timeout(ROUND_SECONDS_MAX):
            await self.operate(size, [self._kill_one] * kills + list(faults))
            await self.settle()
        await self.look()
        self.rounds += 1

    async def operate(self, size: int, faults: Sequence[Fault]) -> None:
        """Work at several operations at once; faults fall when so many answers have come."""
        await self._read_clock()
        weights, choices = zip(*self.operations.choices(), strict=True)
        work = iter([self.pick.choices(choices, weights)[0] for _ in range(size)])
        moments = sorted(self.pick.randrange(size * 2) for _ in faults)
        start = self.client.asked.total()

        async def hands() -> None:
            for operation in work:
                self.kinds[operation.__name__] += 1
                await operation()

        async def killer() -> None:
            for moment, fault in zip(moments, faults, strict=True):
                await self.client.until_asked(start + moment)
                await fault()

        killing = asyncio.create_task(killer())
        results = await asyncio.gather(*(hands() for _ in range(AT_ONCE)), return_exceptions=True)
        # What the answers did not bring about comes at the end.
        self.client.hurry()
        await killing
        self.differences += [f"an operation failed: {error!r}" for error in results if error is not None]

    async def _kill_one(self) -> None:
        await self.fleet.whole()
        self.fleet.kill(self.pick.randrange(len(self.fleet.servers)))
        self.fleet.restart_soon()

    async def _read_clock(self) -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            response = await http.get(f"{await self.fleet.url(self.pick)}/sandbox/clock")
        self.operations.now = datetime.fromisoformat(response.json()["now"])

    async def settle(self) -> None:
        """Bring everything to its end: whole processes, answered questions, decided payments, told events."""
        async with asyncio.timeout(QUIET_SECONDS_MAX):
            await self.fleet.whole()
            if self.fleet.kills > self._kills_settled:
                await end_leases(self.world.database_url)
                self._kills_settled = self.fleet.kills
            await self.calm()
            while True:
                tables = await read_tables(self.world.database_url, ("payments", "due_work"))
                open_ones = [row for row in tables["payments"] if row["status"] in UNSETTLED]
                for row in open_ones:
                    if row["action_url"]:
                        result = self.pick.choice(("ok", "fail"))
                        await self._patiently(row["action_url"].split("/sandbox/")[1], {"result": result})
                if not open_ones and all(work["kind"] in DATED for work in tables["due_work"]):
                    break
                await self._patiently("clock", {"advance": "PT11M"})
            await self._wait_until_told()

    async def calm(self) -> None:
        """Let the processor do from now on what it is asked for."""
        if self.processor is not None:
            await asyncio.to_thread(self.processor.tell, random=False)
        else:
            await self._patiently("payments", {"next": "ok"})

    async def _patiently(self, path: str, body: Mapping[str, str]) -> None:
        """Open a door until it answers; a lease of a killed process keeps the clock waiting until it ends."""
        while True:
            try:
                await self.client.sandbox(path, body)
                return
            except NoAnswer:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _wait_until_told(self) -> None:
        while True:
            events = (await read_tables(self.world.database_url, ("outbox_events",)))["outbox_events"]
            if all(event["published_at"] is not None for event in events):
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def look(self) -> None:
        """Compare the books with themselves, the processor, what was acknowledged and what the sockets saw."""
        tables = await read_tables(self.world.database_url)
        self.differences += differences(tables, self.world.processor_file)
        self.differences += broken_promises(tables, self.operations.told)
        self.differences += self._permanence.differences(tables)
        balances = {row["service_account_id"]: row for row in tables["balances"]}
        for watcher in self.watchers:
            row = balances[str(watcher.holder.service_key)]
            if not await watcher.saw(row["revision"]):
                self.differences.append(f"I10: a socket last saw {watcher.last}, the balance is {row}")
            self.differences += watcher.differences
            watcher.differences.clear()
        self.differences += self.client.unexpected
        self.client.unexpected.clear()

    async def audit(self) -> str:
        """Run the service's own audit as a command; return its last line."""
        settings = {"DATABASE_URL": self.world.database_url, "SANDBOX": "on", "SECRET_KEY": "a key for tests only" * 2}
        command = [sys.executable, "-m", "api", "ledger", "audit"]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=settings, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        lines = output.decode().strip().splitlines()
        if process.returncode != 0:
            self.differences += [f"audit: {line}" for line in lines]
        return lines[-1] if lines else "the audit said nothing"


@contextlib.asynccontextmanager
async def hammering(
    world: World,
    folder: Path,
    seed: str,
    *,
    servers: int,
    settings: Mapping[str, str] | None = None,
    processor: OwnProcessor | None = None,
) -> AsyncIterator[Hammer]:
    """Yield a hammer over a world, served by `servers` processes that log in `folder`."""
    pick = random.Random(seed)
    async with running(world, folder, servers, settings or {}) as fleet:
        client = Client(fleet, pick)
        try:
            async with watching(fleet, world.holders[:WATCHED], pick) as watchers:
                yield Hammer(Operations(world, client, pick), watchers, pick, processor)
        finally:
            await client.close()
