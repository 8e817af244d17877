"""Faults of the long run, one or more in every round, all chosen by the seed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.hammer.own_points import OwnPoints
from tests.hammer.points import Points
from tests.hammer.rounds import Fault, Hammer
from tests.local_servers import LocalServer

DATABASE_EACH, REDIS_EACH = 0.05, 0.1
AWAY_SECONDS = 3.0
SAY_EACH = 10


class Faults:
    """What may happen to a hammer's world; `machines` are its PostgreSQL and its Redis, where it has them."""

    def __init__(self, hammer: Hammer, machines: Sequence[LocalServer]) -> None:
        self._hammer, self._machines = hammer, machines

    async def kill_at_a_point(self) -> None:
        """Kill one process at one of the points of a payment or a call."""
        kind = OwnPoints if self._hammer.processor else Points
        points = kind(self._hammer, self._hammer.pick.randrange(len(self._hammer.fleet.servers)))
        choices: list[Callable[[], Awaitable[None]]] = [
            points.before_the_charge,
            points.after_the_charge,
            points.before_the_answer,
        ]
        if self._machines:
            choices.append(points.within_a_charge_of_a_call)
        chosen = self._hammer.pick.choice(choices)
        self._hammer.faults[chosen.__name__] += 1
        await chosen()

    def among_operations(self) -> list[Fault]:
        """Return what happens while this round's operations go on; mostly nothing."""
        chosen: list[Fault] = []
        if self._machines and self._hammer.pick.random() < DATABASE_EACH:
            chosen.append(self._lose_the_database)
        if self._machines and self._hammer.pick.random() < REDIS_EACH:
            chosen.append(lambda: lose(self._machines[1], AWAY_SECONDS))
            self._hammer.faults["lose redis"] += 1
        return chosen

    async def _lose_the_database(self) -> None:
        self._hammer.faults["lose the database"] += 1
        await lose(self._machines[0], 0)


async def lose(machine: LocalServer, seconds: float) -> None:
    """Kill a machine, and have it back, with what it keeps, after so long."""
    await asyncio.to_thread(machine.kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(machine.start)


async def hammer_for(
    hammer: Hammer, faults: Faults, rounds: int, size: int, deadline: float, say: Callable[[str], None]
) -> str:
    """Do rounds until there were enough, the time is over or something differs; return the audit's last line."""
    while hammer.rounds < rounds and time.monotonic() < deadline and not hammer.differences:
        if hammer.processor is not None:
            await asyncio.to_thread(hammer.processor.tell, random=True)
        with hammer.client.during_an_outage():
            await hammer.operate(size, faults.among_operations())
        # A point is a certain answer of the processor's, so it is hit while nobody else pays.
        await hammer.calm()
        await faults.kill_at_a_point()
        await hammer.round(0, 0)
        if hammer.rounds % SAY_EACH == 0:
            say(f"round {hammer.rounds}, {hammer.fleet.kills} kills: {await hammer.audit()}")
    return await hammer.audit()
