"""Live sockets: what each costs, how soon a change arrives, and how many arrivals a second there can be."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import random
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

from api.adapters.broadcast import Broadcast, open_broadcast
from api.adapters.live import CHANNEL, Event
from api.domain.ledger import UpdateCause
from api.domain.service_accounts import Product
from api.services.ledger import Balance, balance_body
from bench import call_charge, load
from bench.peers import Peers
from bench.seed import Seeded
from bench.sockets import Socket
from tests.live_servers import LiveServer

SOCKETS = 1_000
RATE = 1_000
"""Deliveries a second at which their time is measured."""
CALLS_A_SECOND = {True: 50, False: 2}
"""Calls reported a second; where all sockets watch one account, each makes a thousand deliveries."""
BURST = 200
SETTLE_SECONDS = 1.5
ARRIVAL_SECONDS_MAX = 15.0
PEERS = ("graphql-ws", "mercurius-many")
QUERY = "subscription { balanceChanged { balance { revision product available { amount currency } } at } }"


class Serve(Protocol):
    """Serves the product for as long as a block lasts."""

    def __call__(self, **settings: str) -> AbstractContextManager[LiveServer]: ...


class Watchers:
    """The sockets, and when each revision of an account arrived at whom."""

    def __init__(self, server: LiveServer, seeded: Seeded, *, own: bool) -> None:
        self._server, self._seeded, self._own = server, seeded, own
        self.sockets: list[Socket] = []
        self.revisions = [0] * SOCKETS
        self.got = 0
        self._wanted, self._arrived = 0, asyncio.Event()
        self.on_arrival: Callable[[int, int], None] = lambda account, revision: None

    async def open(self) -> None:
        """Open all sockets, fifty at a time, and wait until each has the state as it is."""
        for start in range(0, SOCKETS, 50):
            self.sockets += await asyncio.gather(*(self._open(i) for i in range(start, start + 50)))
        await self.until(SOCKETS)

    async def until(self, count: int) -> None:
        """Wait until so many results have arrived, or until nothing more is to be expected."""
        self._wanted, self._arrived = count, asyncio.Event()
        if self.got < count:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), ARRIVAL_SECONDS_MAX)

    def close(self) -> None:
        """Close all sockets; fail when the service had closed one."""
        lost = [socket.lost for socket in self.sockets if socket.lost]
        for socket in self.sockets:
            socket.close()
        assert not lost, f"{len(lost)} sockets were lost: {lost[0]}"

    async def _open(self, number: int) -> Socket:
        account = number if self._own else 0

        def on_next(text: bytes) -> None:
            start = text.index(b'"revision":') + 11
            revision = int(text[start : text.index(b",", start)])
            self.revisions[account] = max(self.revisions[account], revision)
            self.got += 1
            self.on_arrival(account, revision)
            if self.got >= self._wanted:
                self._arrived.set()

        return await Socket.open(self._server.port, self._seeded.tokens[account], QUERY, on_next)


async def measure(serve: Serve, seeded: Seeded, peers: Peers | None) -> str:
    """Return the tables; the service hears events on a broadcast where this process publishes some of its own."""
    rows, answers = [], []
    broadcast = open_broadcast(seeded.url)
    await broadcast.connect()
    try:
        for own in (True, False):
            # A server that had sockets before keeps their memory, and would seem to need none for new ones.
            with serve(BROADCAST_URL=seeded.url) as server:
                row, answer = await _ours(server, seeded, broadcast, own=own)
            rows.append(row)
            answers.append(answer)
            if peers is not None:
                rows += await asyncio.to_thread(_peers, peers, own=own)
    finally:
        await broadcast.disconnect()
    head = ["server", "watch", "sockets", "opening", "memory", f"{RATE} deliveries/s", "most", "cpu"]
    rule = ["from recordCall's answer to delivery", "calls/s", "p50 ms", "p99 ms", "from its sending, p50", "p99"]
    return load.table(head, rows) + "\n" + load.table(rule, answers)


async def _ours(
    server: LiveServer, seeded: Seeded, broadcast: Broadcast, *, own: bool
) -> tuple[list[object], list[object]]:
    memory, cpu, begun = load.resident_kib(server.pid), load.cpu_seconds(server.pid), time.perf_counter()
    watchers = Watchers(server, seeded, own=own)
    try:
        await watchers.open()
        opening, cpu = SOCKETS / (time.perf_counter() - begun), load.cpu_seconds(server.pid) - cpu
        await asyncio.sleep(SETTLE_SECONDS)
        memory = load.resident_kib(server.pid) - memory
        answer = await _after_calls(server, seeded, watchers, own=own)
        at_rate = await _at_rate(watchers, broadcast, seeded, own=own)
        most, cpu_each = await _most(server, watchers, broadcast, seeded, own=own)
    finally:
        watchers.close()
    row: list[object] = [
        "product",
        "own" if own else "one",
        SOCKETS,
        f"open {opening:.0f}/s {cpu / SOCKETS * 1e6:.0f}us",
    ]
    row += [f"{memory / SOCKETS:.1f} KiB/conn", at_rate, f"max {most:.0f}/s", f"cpu {cpu_each:.0f} us/delivery"]
    return row, answer


async def _after_calls(server: LiveServer, seeded: Seeded, watchers: Watchers, *, own: bool) -> list[object]:
    """Report calls at a modest, fixed rate; measure from each answer to each delivery."""
    rate = CALLS_A_SECOND[own]
    arrived: dict[int, list[float]] = {}
    watchers.on_arrival = lambda account, revision: arrived.setdefault(account, []).append(time.perf_counter())
    after_answer: list[float] = []
    after_sending: list[float] = []
    each = 1 if own else SOCKETS

    async def call(client: load.Client, account: int) -> None:
        arrived.pop(account, None)
        expected = watchers.got + each
        sent = time.perf_counter()
        body = await client.ask(call_charge.record(server.port, call_charge.new_call_id(), seeded.phones[account]))
        assert b'"amount":"0.10"' in body, body[:300]
        answered = time.perf_counter()
        await watchers.until(expected)
        after_answer.extend(at - answered for at in arrived.get(account, [math.inf]))
        after_sending.extend(at - sent for at in arrived.get(account, [math.inf]))

    async with load.clients(server.port, 1) as (client,):
        for turn in range(rate * 6):
            begun = time.perf_counter()
            await call(client, turn * 7 % SOCKETS if own else 0)
            await asyncio.sleep(max(0.0, 1 / rate - (time.perf_counter() - begun)))
    watchers.on_arrival = lambda account, revision: None
    times = [f"{load.percentile(v, p) * 1e3:.1f}" for v in (after_answer, after_sending) for p in (0.5, 0.99)]
    return ["own account each" if own else f"{SOCKETS} on one account", rate, *times]


async def _at_rate(watchers: Watchers, broadcast: Broadcast, seeded: Seeded, *, own: bool) -> str:
    """Publish events at a fixed rate; measure from each publishing to each delivery."""
    sent: dict[tuple[int, int], float] = {}
    took: list[float] = []

    def arrive(account: int, revision: int) -> None:
        took.append(time.perf_counter() - sent.get((account, revision), math.inf))

    watchers.on_arrival = arrive
    per, gap, before = (RATE // 100, 0.01, watchers.got) if own else (1, SOCKETS / RATE, watchers.got)
    begun, turns, seconds = time.perf_counter(), 0, 5.0
    while time.perf_counter() - begun < seconds:
        accounts = [(turns * per + n) % SOCKETS for n in range(per)] if own else [0]
        events = [_event(seeded, watchers, account) for account in accounts]
        for account in accounts:
            sent[account, watchers.revisions[account]] = time.perf_counter()
        await broadcast.publish_many(CHANNEL, events)
        turns += 1
        await asyncio.sleep(max(0.0, begun + turns * gap - time.perf_counter()))
    expected = before + turns * (per if own else SOCKETS)
    await watchers.until(expected)
    watchers.on_arrival = lambda account, revision: None
    p50, p99 = (load.percentile(took, share) * 1e3 for share in (0.5, 0.99))
    return f"rate {(expected - before) / seconds:.0f}/s p50 {p50:.1f} p99 {p99:.1f} lost {expected - watchers.got}"


async def _most(
    server: LiveServer, watchers: Watchers, broadcast: Broadcast, seeded: Seeded, *, own: bool
) -> tuple[float, float]:
    """Publish the next events as soon as the last have arrived; return deliveries a second and CPU us for each."""
    before, cpu, begun = watchers.got, load.cpu_seconds(server.pid), time.perf_counter()
    while time.perf_counter() - begun < 4:
        accounts = random.sample(range(SOCKETS), BURST) if own else [0]
        expected = watchers.got + (BURST if own else SOCKETS)
        await broadcast.publish_many(CHANNEL, [_event(seeded, watchers, account) for account in accounts])
        await watchers.until(expected)
    elapsed, count = time.perf_counter() - begun, watchers.got - before
    return count / elapsed, (load.cpu_seconds(server.pid) - cpu) / max(1, count) * 1e6


def _event(seeded: Seeded, watchers: Watchers, account: int) -> str:
    """Return an account's next event as the service publishes it; the database knows nothing of it."""
    watchers.revisions[account] += 1
    key, revision = UUID(seeded.account_ids[account]), watchers.revisions[account]
    # The seed's ids differ in the kind, which stands behind the version.
    service, own = (UUID(str(key).replace("-7001-", f"-7{kind:03x}-")) for kind in (2, 4))
    changed_at = datetime.now(UTC)
    product = Product.ADVANCE_CONNECT
    balance = Balance(own, service, key, product, 1_000_000, 0, 0, 0, None, False, revision, 1, changed_at)
    body = balance_body(balance, UpdateCause.ADJUSTMENT, None)
    return Event(uuid4(), key, "balance", {**body, "number": revision}).message()


def _peers(peers: Peers, *, own: bool) -> list[list[object]]:
    """Let the peers' own client load them, and take over the row that it prints."""
    rows: list[list[object]] = []
    with ExitStack() as stack:
        for peer in [stack.enter_context(peers.serving(name)) for name in PEERS]:
            address = f"127.0.0.1:{peer.port}"
            options = {
                "name": peer.name, "url": f"ws://{address}/graphql", "pub": f"http://{address}/_bench/publish",
                "tokens": str(peers.tokens), "n": SOCKETS, "mode": "own" if own else "one", "rate": RATE, "secs": 4,
                "pid": peer.pid,
            }  # fmt: skip
            command = ["node", "ws-load.mjs", *(f"--{name} {value}" for name, value in options.items())]
            done = subprocess.run(
                command,
                cwd=peers.folder / "node",
                capture_output=True,
                text=True,
                timeout=90,
                env=os.environ,
                check=True,
            )
            rows.append([cell.strip() for cell in done.stdout.strip().splitlines()[-1].strip("|").split("|")])
    return rows
