"""Paying with the simulated processor: a quote and its payment, on spread accounts and on a single hot one."""

from __future__ import annotations

import itertools
import json
import random
from datetime import UTC, datetime
from pathlib import Path

from api.domain.ids import NodeKind, global_id
from bench import load
from bench.call_charge import Measure, both, cells, pgbench, pgbench_run
from bench.peers import Peers
from bench.seed import Seeded, service_key
from tests.live_servers import LiveServer

CONNECTIONS = 10
PAYERS = 100
"""Each gets a card of the simulated processor first; all stay far below what an account may spend in a day."""
ADD = 'mutation { addPaymentMethod(providerToken: "tok_visa") { paymentMethod { id } errors { code } } }'
QUOTE = "mutation Q($in: QuotePaymentInput!) { quotePayment(input: $in) { quote { id } errors { code } } }"
PAY = "mutation P($in: PayInput!) { pay(input: $in) { payment { status } errors { code } } }"
_numbers = itertools.count(1)
_run = datetime.now(UTC).strftime("%H%M%S")


async def measure(
    server: LiveServer, seeded: Seeded, work: Path, peers: Peers | None, rounds: int, seconds: int
) -> str:
    """Return the table; all ways take turns."""
    cards = await _cards(server, seeded)
    ways: dict[str, tuple[Measure, Measure]] = {
        "quotePayment + pay": both(lambda one: _pay(server, seeded, cards, seconds, one=one)),
    }
    if program := pgbench():
        script = Path(__file__).parent / "payment.sql"
        ways["pgbench: a payment's rows, two transactions"] = both(
            lambda one: pgbench_run(program, script, seeded.url, 1 if one else PAYERS, seconds)
        )
    measured: dict[str, tuple[list[load.Load], list[load.Load]]] = {name: ([], []) for name in ways}
    for _ in range(rounds):
        for name, (spread, hot) in ways.items():
            measured[name][0].append(await spread())
            measured[name][1].append(await hot())
    base = [load.Load.median(part) for part in measured["quotePayment + pay"]]
    rows = []
    for name, parts in measured.items():
        pairs = zip(parts, base, strict=True)
        rows.append([name, *(cell for part, first in pairs for cell in cells(load.Load.median(part), first))])
    head = ["way", "spread /s", "ratio", "p50 ms", "p99 ms", "cpu us", "hot /s", "ratio", "p50 ms", "p99 ms", "cpu us"]
    return load.table(head, rows)


async def _cards(server: LiveServer, seeded: Seeded) -> list[str]:
    """Give each payer a card of the simulated processor; return the cards' ids."""
    cards = []
    async with load.clients(server.port, 1) as (client,):
        for token in seeded.tokens[:PAYERS]:
            answer = json.loads(await client.ask(load.graphql_request(server.port, token, {"query": ADD})))
            cards.append(answer["data"]["addPaymentMethod"]["paymentMethod"]["id"])
    return cards


async def _pay(server: LiveServer, seeded: Seeded, cards: list[str], seconds: float, *, one: bool) -> load.Load:
    async def pay(client: load.Client) -> None:
        payer = 0 if one else random.randrange(PAYERS)
        token = seeded.tokens[payer]
        service = global_id(NodeKind.SERVICE_ACCOUNT, service_key(payer + 1))
        wanted = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": service, "amount": "1.00"}
        asked = load.graphql_request(server.port, token, {"query": QUOTE, "variables": {"in": wanted}})
        answered = json.loads(await client.ask(asked))
        quote = (answered["data"]["quotePayment"]["quote"] or {}).get("id")
        assert quote, answered
        order = {"quoteId": quote, "paymentMethodId": cards[payer], "idempotencyKey": f"{_run}-{next(_numbers)}"}
        answer = await client.ask(load.graphql_request(server.port, token, {"query": PAY, "variables": {"in": order}}))
        assert b'"SUCCEEDED"' in answer, answer[:300]

    return await load.run(server.port, server.pid, CONNECTIONS, seconds, pay)
