"""The account read while others sign in: does hashing their passwords hold up those who only look at their balance?

Reads come at a fixed rate, and each is measured from when it was due; rounds without and with sign-ins take turns, so
that a busy machine slows both alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg

from api.adapters.secrets import Secrets
from api.auth.passwords import Passwords
from bench import load
from bench.account_read import CONNECTIONS, QUERY
from bench.seed import Seeded
from tests.flows.getting_in import SIGN_IN
from tests.live_servers import LiveServer

READS_A_SECOND = 60
SIGN_INS_A_SECOND = 20
SIGNING_IN = 400
"""So many accounts take turns, so that none reaches the most open sign-ins."""
PASSWORD = "Correct horse 7 battery"


async def measure(server: LiveServer, seeded: Seeded, rounds: int, seconds: int) -> str:
    """Return the table; a round lasts five times as long as elsewhere, or a percentile would say little."""
    await _give_passwords(seeded)
    body = {"query": " ".join(QUERY.split())}
    reads = [load.graphql_request(server.port, token, body) for token in seeded.tokens]
    sign_ins = [_sign_in(server.port, n) for n in range(1, SIGNING_IN + 1)]

    async def read(client: load.Client) -> None:
        answer = await client.ask(random.choice(reads))
        assert b'"errors"' not in answer, answer[:300]

    async def sign_in(client: load.Client) -> None:
        answer = await client.ask(random.choice(sign_ins))
        assert b'"errors":[]' in answer, answer[:300]

    await _at_rate(server.port, READS_A_SECOND, 3, read)
    await _at_rate(server.port, SIGN_INS_A_SECOND, 2, sign_in)
    without, beside, signing = [], [], []
    for _ in range(rounds):
        without.append(await _at_rate(server.port, READS_A_SECOND, seconds * 5, read))
        both = (
            _at_rate(server.port, READS_A_SECOND, seconds * 5, read),
            _at_rate(server.port, SIGN_INS_A_SECOND, seconds * 5, sign_in),
        )
        one, other = await asyncio.gather(*both)
        beside.append(one)
        signing.append(other)
    alone = _middle(without, 0.99)
    rows = [
        _row(f"{READS_A_SECOND} reads/s alone", without, alone),
        _row(f"{READS_A_SECOND} reads/s beside {SIGN_INS_A_SECOND} sign-ins/s", beside, alone),
        _row(f"those {SIGN_INS_A_SECOND} sign-ins/s", signing, None),
    ]
    return load.table(["what", "p50 ms", "p99 ms", "p99 ratio"], rows)


async def _give_passwords(seeded: Seeded) -> None:
    passwords = Passwords(Secrets("of no matter: passwords are not keyed"))
    kept = await passwords.hash_password(PASSWORD)
    passwords.close()
    connection = await asyncpg.connect(seeded.url)
    try:
        await connection.execute("update accounts set password_hash = $1", kept)
        await connection.execute("vacuum analyze accounts")
    finally:
        await connection.close()


def _sign_in(port: int, number: int) -> bytes:
    given = {"email": f"user{number}@example.com", "password": PASSWORD, "channel": "IOS", "device": "bench"}
    return load.graphql_request(port, "", {"query": SIGN_IN, "variables": {"input": given}})


async def _at_rate(port: int, rate: int, seconds: int, act: Callable[[load.Client], Awaitable[None]]) -> list[float]:
    """Do `act` at a fixed rate; return how long each took from when it was due."""
    took: list[float] = []

    async def one(due: float, idle: asyncio.Queue[load.Client]) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        async with _borrowed(idle) as client:
            await act(client)
        took.append(time.perf_counter() - due)

    async with load.clients(port, CONNECTIONS) as opened, asyncio.timeout(seconds + load.ANSWER_SECONDS_MAX):
        idle: asyncio.Queue[load.Client] = asyncio.Queue()
        for client in opened:
            idle.put_nowait(client)
        begun = time.perf_counter() + 0.05
        await asyncio.gather(*(one(begun + n / rate, idle) for n in range(rate * seconds)))
    return took


@contextlib.asynccontextmanager
async def _borrowed(idle: asyncio.Queue[load.Client]) -> AsyncIterator[load.Client]:
    client = await idle.get()
    try:
        yield client
    finally:
        idle.put_nowait(client)


def _middle(rounds: list[list[float]], share: float) -> float:
    return statistics.median(load.percentile(took, share) for took in rounds) * 1e3


def _row(what: str, rounds: list[list[float]], alone: float | None) -> list[object]:
    p50, p99 = _middle(rounds, 0.5), _middle(rounds, 0.99)
    return [what, f"{p50:.1f}", f"{p99:.1f}", f"{p99 / alone:.2f}" if alone else "-"]
