"""The account read: `me` with balances, payment methods and subscriptions, by 32 connections with tokens at random."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from bench import load
from bench.peers import Peers
from bench.seed import Seeded
from tests.live_servers import LiveServer

CONNECTIONS = 32
PEERS = ("mercurius-many", "mercurius-one", "yoga-many", "floor")
QUERY = """
query Me { me { id email firstName lastName
  balances { product revision posted { amount currency } held { amount currency } available { amount currency } isLow }
  paymentMethods { id brand last4 }
  subscriptions { id status renewsAt facility { name } price { amount currency } } } }
"""


async def measure(
    server: LiveServer, seeded: Seeded, work: Path, peers: Peers | None, rounds: int, seconds: int
) -> str:
    """Return the table."""
    body = {"query": " ".join(QUERY.split())}
    if peers is not None:
        return _beside(server, seeded, work, peers, body, rounds, seconds)
    requests = [load.graphql_request(server.port, token, body) for token in seeded.tokens]

    async def read(client: load.Client) -> None:
        answer = await client.ask(random.choice(requests))
        assert b'"errors"' not in answer, answer[:300]

    await load.run(server.port, server.pid, CONNECTIONS, 2, read)
    measured = [await load.run(server.port, server.pid, CONNECTIONS, seconds, read) for _ in range(rounds)]
    it = load.Load.median(measured)
    row = ["the product", f"{it.per_second:.0f}", f"{it.p50:.1f}", f"{it.p99:.1f}", f"{it.cpu:.0f}"]
    return load.table(["server", "req/s", "p50 ms", "p99 ms", "cpu us/req"], [row])


def _beside(
    server: LiveServer, seeded: Seeded, work: Path, peers: Peers, body: dict[str, str], rounds: int, seconds: int
) -> str:
    """Let the peers' own driver load all servers in turn."""
    (work / "me.json").write_text(json.dumps(body))
    (work / "tokens.txt").write_text("\n".join(seeded.tokens) + "\n")
    with ExitStack() as stack:
        others = [stack.enter_context(peers.serving(name)) for name in PEERS]
        command = [sys.executable, str(peers.folder / "load" / "bench.py"), "--tokens", str(peers.tokens), "--op", "me"]
        command += ["--rounds", str(rounds), "--secs", str(seconds), "--conc", str(CONNECTIONS)]
        command += [f"product={server.url}/graphql@{work}/me.json%{work}/tokens.txt#{server.pid}"]
        command += [f"{peer.name}=http://127.0.0.1:{peer.port}#{peer.pid}" for peer in others]
        limit = (len(others) + 1) * (2 + rounds * (seconds + 2)) + 60
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    # Its first line repeats the options and names its own files.
    return done.stdout.partition("\n")[2]
