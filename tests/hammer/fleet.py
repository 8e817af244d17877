"""The serving processes: where requests can go, which of them is killed, and when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.hammer.world import World
from tests.live_servers import LiveServer

BACK_SECONDS_MAX = 90.0


class Fleet:
    """Serving processes over one database; at least one is back soon whenever all are down."""

    def __init__(self, servers: list[LiveServer]) -> None:
        self.servers = servers
        self.kills = 0
        self._read: dict[str, int] = {}
        self._down: set[int] = set(range(len(servers)))
        self._changed = asyncio.Condition()
        self._restarts: set[asyncio.Task[None]] = set()
        self._starting = [asyncio.Lock() for _ in servers]

    async def start(self) -> None:
        """Start all that are down; returns once they are ready."""
        await asyncio.gather(*(self._start(number) for number in sorted(self._down)))

    async def url(self, pick: random.Random) -> str:
        """Return the address of a process that is up, waiting for one if need be."""
        async with asyncio.timeout(BACK_SECONDS_MAX), self._changed:
            await self._changed.wait_for(lambda: len(self._down) < len(self.servers))
            return pick.choice([s.url for n, s in enumerate(self.servers) if n not in self._down])

    def urls(self) -> list[str]:
        """Return the addresses of all processes that are up."""
        return [server.url for number, server in enumerate(self.servers) if number not in self._down]

    def kill(self, number: int) -> None:
        """Kill one process as a power cut would; a process that is down stays down."""
        if number not in self._down:
            self._down.add(number)
            self.servers[number].kill()
            self.kills += 1

    def restart_soon(self) -> None:
        """Begin to start what is down, and let the caller go on."""
        task = asyncio.create_task(self.start())
        self._restarts.add(task)

    async def whole(self) -> None:
        """Wait until every process is up."""
        await self._begun()
        await self.start()

    async def stop(self) -> None:
        """End all processes; what is down stays down."""
        await asyncio.gather(*self._restarts, return_exceptions=True)
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in self.servers))

    def forget(self) -> None:
        """Complain no more of what was logged so far."""
        self._read = {server.url: server.log.stat().st_size for server in self.servers}

    def complaints(self) -> list[str]:
        """Return what the processes logged as errors that nobody expected."""
        lines = []
        for server in self.servers:
            logged = server.log.read_bytes()[self._read.get(server.url, 0) :]
            lines += logged.decode(errors="replace").splitlines()
        return [line for line in lines if '"level":"error"' in line.replace(" ", "") or "Traceback" in line]

    async def _begun(self) -> None:
        while self._restarts:
            await self._restarts.pop()

    async def _start(self, number: int) -> None:
        # A process that two restarts start is two processes, one of which nobody ends.
        async with self._starting[number]:
            if number not in self._down:
                return
            await asyncio.to_thread(self.servers[number].start)
            async with self._changed:
                self._down.discard(number)
                self._changed.notify_all()


@contextlib.asynccontextmanager
async def running(world: World, folder: Path, count: int, settings: Mapping[str, str]) -> AsyncIterator[Fleet]:
    """Serve the world by `count` processes for as long as the block lasts."""
    shared = {
        "DATABASE_URL": world.database_url,
        "PAYMENTS_URL": f"simulated://{world.processor_file}",
        # Everybody has an address of their own, see Client: five declines from one stop it for an hour.
        "TRUSTED_PROXIES": "127.0.0.1",
        "SECRET_KEY": "a key for tests only, of forty characters",
        **world.settings,
        **settings,
    }
    fleet = Fleet([LiveServer(folder, shared) for _ in range(count)])
    try:
        await fleet.start()
        yield fleet
    finally:
        await fleet.stop()
