"""The long run: python -m tests.hammer [SQLite] [PostgreSQL], both by default; exits 1 on any difference.

The environment gives SEED, ROUNDS and SECONDS_MAX, which bounds the whole of it but the setting up.
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

from tests.hammer.rounds import Hammer, hammer_for, hammering
from tests.hammer.world import make_world
from tests.servers import create_database, postgres_server, redis_server

SECONDS_MAX = 600.0
SIZE = 30
KILL_EACH = 0.4
HOLDERS = 8
SHOWN_MAX = 50


def main() -> int:
    """Hammer SQLite, then PostgreSQL with Redis where their programs are found; print what was seen."""
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    rounds = int(os.environ.get("ROUNDS") or 200)
    seconds = float(os.environ.get("SECONDS_MAX") or SECONDS_MAX)
    print(f"SEED={seed} ROUNDS={rounds}, at most {seconds:.0f} s", flush=True)
    worlds, failed = sys.argv[1:] or ["SQLite", "PostgreSQL"], False
    for number, name in enumerate(worlds):
        share = rounds * (number + 1) // len(worlds) - rounds * number // len(worlds)
        failed |= asyncio.run(_hammer(name, f"{seed}-{name}", share, seconds / len(worlds)))
    return 1 if failed else 0


async def _hammer(name: str, seed: str, rounds: int, seconds: float) -> bool:
    """Hammer one kind of database; tell whether something differed."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hammer-")))
        url, settings, servers = f"sqlite://{folder}/app.sqlite3", {}, 1
        if name == "PostgreSQL":
            try:
                server = stack.enter_context(postgres_server())
                settings["BROADCAST_URL"] = stack.enter_context(redis_server())
            except Skipped as reason:
                print(f"{name}: left out, {reason}")
                return False
            url, servers = await create_database(server, "hammer"), 2
        world = await make_world(url, folder / "processor.sqlite3", HOLDERS)
        async with hammering(world, folder, seed, servers=servers, settings=settings) as hammer:
            began = time.monotonic()

            def say(line: str) -> None:
                print(f"{name}: {line}", flush=True)

            last = await hammer_for(hammer, rounds, SIZE, KILL_EACH, began + seconds, say)
            _tell(name, hammer, rounds, time.monotonic() - began, last)
            return bool(hammer.differences)


def _tell(name: str, hammer: Hammer, rounds: int, seconds: float, last: str) -> None:
    kinds = ", ".join(f"{kind} {times}" for kind, times in hammer.kinds.most_common())
    asked = ", ".join(f"{field} {times}" for field, times in hammer.client.asked.most_common())
    refused = ", ".join(f"{code} {times}" for code, times in hammer.client.refused.most_common())
    sockets = sum(watcher.connections for watcher in hammer.watchers)
    print(f"{name}: {hammer.rounds} of {rounds} rounds in {seconds:.0f} s, {hammer.fleet.kills} kills")
    print(f"  operations: {kinds}")
    print(f"  answered: {asked}")
    print(f"  refused: {refused}")
    print(f"  sockets: {sockets} connections, {sum(watcher.updates for watcher in hammer.watchers)} updates")
    for difference in hammer.differences[:SHOWN_MAX]:
        print(f"  DIFFERENCE {difference}")
    print(f"  audit: {last}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
