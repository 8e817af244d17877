"""Charging calls: asking and reporting, and reporting alone, on spread accounts and on a single hot one."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import load
from bench.peers import Peers
from bench.seed import SWITCH_TOKEN, Seeded
from tests.live_servers import LiveServer

CONNECTIONS = 10
AUTHORIZE = "mutation A($in: AuthorizeCallInput!) { authorizeCall(input: $in) { maxSeconds errors { code } } }"
RECORD = "mutation R($in: RecordCallInput!) { recordCall(input: $in) { call { cost { amount } } errors { code } } }"
_numbers = itertools.count(1)
_run = datetime.now(UTC).strftime("%H%M%S")
Measure = Callable[[], Awaitable[load.Load]]


def authorize(port: int, call_id: str, phone: str) -> bytes:
    """Return the request that asks for a call."""
    asked = {"callId": call_id, "phone": phone, "ratePerMinute": "0.10"}
    return load.graphql_request(port, SWITCH_TOKEN, {"query": AUTHORIZE, "variables": {"in": asked}})


def record(port: int, call_id: str, phone: str) -> bytes:
    """Return the request that reports a call of one minute."""
    began = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    told = {"callId": call_id, "phone": phone, "startedAt": began, "durationSeconds": 50, "ratePerMinute": "0.10"}
    return load.graphql_request(port, SWITCH_TOKEN, {"query": RECORD, "variables": {"in": told}})


def new_call_id() -> str:
    """Return the id of a call that never was."""
    return f"bench-{_run}-{next(_numbers)}"


async def measure(
    server: LiveServer, seeded: Seeded, work: Path, peers: Peers | None, rounds: int, seconds: int
) -> str:
    """Return the table; all ways take turns."""
    ways: dict[str, tuple[Measure, Measure]] = {
        "authorizeCall + recordCall": both(lambda one: _ours(server, seeded, seconds, asks=True, one=one)),
        "recordCall alone": both(lambda one: _ours(server, seeded, seconds, asks=False, one=one)),
    }
    if program := pgbench():
        floor = Path(__file__).parent / "charge.sql"
        accounts = len(seeded.tokens)
        ways["pgbench: a charge's rows, one statement"] = both(
            lambda one: pgbench_run(program, floor, seeded.url, 1 if one else accounts, seconds)
        )
    with ExitStack() as stack:
        if peers is not None:
            peer = stack.enter_context(peers.serving("mercurius-many"))
            tokens = [line.split()[0] for line in peers.tokens.read_text().splitlines()]
            requests = [load.graphql_request(peer.port, token, peers.body("post")) for token in tokens]
            ways["peer: mercurius-many, ledger post"] = both(
                lambda one: _post(peer.port, peer.pid, requests[:1] if one else requests, seconds)
            )
            for script in ("ledger_one", "ledger_steps") if program else ():
                path = peers.folder / "db" / f"{script}.sql"
                ways[f"peer: pgbench, {script}"] = both(
                    lambda one, path=path: pgbench_run(program, path, peers.url, 1 if one else 10_000, seconds)
                )
        measured: dict[str, tuple[list[load.Load], list[load.Load]]] = {name: ([], []) for name in ways}
        for _ in range(rounds):
            for name, (spread, hot) in ways.items():
                measured[name][0].append(await spread())
                measured[name][1].append(await hot())
    rows = []
    base = load.Load.median(measured["recordCall alone"][0]), load.Load.median(measured["recordCall alone"][1])
    for name, (spreads, hots) in measured.items():
        spread, hot = load.Load.median(spreads), load.Load.median(hots)
        rows.append([name, *cells(spread, base[0]), *cells(hot, base[1])])
    head = ["way", "spread /s", "ratio", "p50 ms", "p99 ms", "cpu us", "hot /s", "ratio", "p50 ms", "p99 ms", "cpu us"]
    return load.table(head, rows)


def cells(it: load.Load, base: load.Load) -> list[str]:
    """Return the cells of a way beside its base."""
    times = [f"{value:.1f}" if value else "-" for value in (it.p50, it.p99)]
    return [
        f"{it.per_second:.0f}",
        f"{it.per_second / base.per_second:.2f}",
        *times,
        f"{it.cpu:.0f}" if it.cpu else "-",
    ]


def both(way: Callable[[bool], Awaitable[load.Load]]) -> tuple[Measure, Measure]:
    """Return a way on spread accounts, and on one hot account."""
    return lambda: way(False), lambda: way(True)


async def _ours(server: LiveServer, seeded: Seeded, seconds: float, *, asks: bool, one: bool) -> load.Load:
    async def charge(client: load.Client) -> None:
        phone, call_id = seeded.phones[0] if one else random.choice(seeded.phones), new_call_id()
        if asks:
            answer = await client.ask(authorize(server.port, call_id, phone))
            assert b'"maxSeconds":3600' in answer, answer[:300]
        answer = await client.ask(record(server.port, call_id, phone))
        assert b'"amount":"0.10"' in answer, answer[:300]

    return await load.run(server.port, server.pid, CONNECTIONS, seconds, charge)


async def _post(port: int, pid: int, requests: list[bytes], seconds: float) -> load.Load:
    async def post(client: load.Client) -> None:
        answer = await client.ask(random.choice(requests))
        assert b'"errors"' not in answer, answer[:300]

    return await load.run(port, pid, CONNECTIONS, seconds, post)


def pgbench() -> str | None:
    """Return where the program is, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)
    return shutil.which("pgbench") or (str(found[0]) if found else None)


async def pgbench_run(program: str | None, script: Path, url: str, spread: int, seconds: int) -> load.Load:
    """Run a script of pgbench for some seconds; return how often a second it was done."""
    assert program is not None
    command = [program, "-n", "-M", "prepared", "-f", str(script), "-D", f"spread={spread}"]
    command += ["-c", str(CONNECTIONS), "-j", "1", "-T", str(seconds), url]
    done = subprocess.run(  # noqa: ASYNC221 - nothing else is to run meanwhile
        command, capture_output=True, text=True, timeout=seconds + 60, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stderr)
    return load.Load(float(found[1]))
