"""The long run: python -m tests.hammer [SQLite] [PostgreSQL] [Processor], all by default; exits 1 on any difference.

A round is random operations by twenty holders, a kill at a point of a payment or a call that the seed chooses, now and
then a dead database or Redis, and then everything is looked at. "Processor" is PostgreSQL with the card processor's own
process, which fails by the seed. The environment gives SEED, ROUNDS and SECONDS_MAX, which bounds all but setting up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

from _pytest.outcomes import Skipped

from tests.hammer.faults import Faults, hammer_for
from tests.hammer.own_processor import OwnProcessor, own_processor, paying_through
from tests.hammer.rounds import Hammer, hammering
from tests.hammer.world import make_world
from tests.local_servers import LocalServer
from tests.servers import create_database, private_postgres, private_redis

SECONDS_MAX = 3_600.0
SIZE = 10
HOLDERS = 20
SHOWN_MAX = 50


def main() -> int:
    """Hammer SQLite, then PostgreSQL with Redis where their programs are found; print what was seen."""
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    rounds = int(os.environ.get("ROUNDS") or 200)
    seconds = float(os.environ.get("SECONDS_MAX") or SECONDS_MAX)
    print(f"SEED={seed} ROUNDS={rounds}, at most {seconds:.0f} s", flush=True)
    worlds, failed = sys.argv[1:] or ["SQLite", "PostgreSQL", "Processor"], False
    for number, name in enumerate(worlds):
        share = rounds * (number + 1) // len(worlds) - rounds * number // len(worlds)
        failed |= asyncio.run(_hammer(name, f"{seed}-{name}", share, seconds / len(worlds)))
    return 1 if failed else 0


async def _hammer(name: str, seed: str, rounds: int, seconds: float) -> bool:
    """Hammer one kind of world; tell whether something differed."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hammer-")))
        url, settings, servers = f"sqlite://{folder}/app.sqlite3", {}, 1
        machines: list[LocalServer] = []
        processor: OwnProcessor | None = None
        if name != "SQLite":
            try:
                machines = [stack.enter_context(private_postgres()), stack.enter_context(private_redis())]
            except Skipped as reason:
                print(f"{name}: left out, {reason}")
                return False
            settings["BROADCAST_URL"] = machines[1].url
            url, servers = await create_database(machines[0].url, "hammer"), 2
        world = await make_world(url, folder / "processor.sqlite3", HOLDERS)
        if name == "Processor":
            processor = stack.enter_context(own_processor(folder, seed))
            world = await paying_through(world, processor)
        hammered = hammering(world, folder, seed, servers=servers, settings=settings, processor=processor)
        async with hammered as hammer:
            began = time.monotonic()

            def say(line: str) -> None:
                print(f"{name}: {line}", flush=True)

            last = await hammer_for(hammer, Faults(hammer, machines), rounds, SIZE, began + seconds, say)
            _tell(name, hammer, rounds, time.monotonic() - began, last)
            return bool(hammer.differences)


def _tell(name: str, hammer: Hammer, rounds: int, seconds: float, last: str) -> None:
    kinds = ", ".join(f"{kind} {times}" for kind, times in hammer.kinds.most_common())
    asked = ", ".join(f"{field} {times}" for field, times in hammer.client.asked.most_common())
    refused = ", ".join(f"{code} {times}" for code, times in hammer.client.refused.most_common())
    sockets = sum(watcher.connections for watcher in hammer.watchers)
    print(f"{name}: {hammer.rounds} of {rounds} rounds in {seconds:.0f} s, {hammer.fleet.kills} kills")
    print(f"  faults: {', '.join(f'{fault} {times}' for fault, times in hammer.faults.most_common())}")
    print(f"  operations: {kinds}")
    print(f"  answered: {asked}")
    print(f"  refused: {refused}")
    print(f"  sockets: {sockets} connections, {sum(watcher.updates for watcher in hammer.watchers)} updates")
    for difference in hammer.differences[:SHOWN_MAX]:
        print(f"  DIFFERENCE {difference}")
    print(f"  audit: {last}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
