"""The processor's calls as networks deliver them: many times, in any order, early, late, forged, and to the dying.

FLOOD is how many come at once after an hour in which nobody took them; `make hammer` has a thousand.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import statistics
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import stripe

from api.domain.ids import NodeKind, key_of
from tests.hammer.acknowledged import Payment
from tests.hammer.books import Row, read_log, read_tables
from tests.hammer.client import BALANCES
from tests.hammer.outside import do, end_leases
from tests.hammer.own_points import OwnPoints
from tests.hammer.own_processor import WEBHOOK_SECRET
from tests.hammer.points import until_true
from tests.hammer.rounds import Hammer
from tests.hammer.test_processor_faults import look, payment_of

pytestmark = [
    pytest.mark.xdist_group("hammer-paying"),
    pytest.mark.postgres,
    pytest.mark.parametrize("template", ["postgres"], indirect=True),
]
SECONDS_MAX = 120
FLOOD = int(os.environ.get("FLOOD") or 300)
SILENCE_SECONDS = 3_660
FLOOD_A_SECOND_MIN = 4
STALL_TIMES = 10
AT_ONCE = 40
ANSWER_SECONDS_MAX = 5.0
"""Far above what a quiet machine needs: what is looked for is an answer, not a number of a loaded machine."""


async def unheard(hammer: Hammer, holder: int = 0) -> tuple[Payment, str]:
    """Return a payment that was charged without an answer, and its key at the processor."""
    assert hammer.processor is not None
    await asyncio.to_thread(hammer.processor.tell, next=["cut_charged"])
    payment = await payment_of(hammer, holder)
    await hammer.operations.settle_payment(payment)
    assert payment.answers[-1][1] == "PROCESSING"
    return payment, str(key_of(payment.answers[-1][0], NodeKind.PAYMENT))


def event(key: str, kind: str = "payment_intent.succeeded", **about: Any) -> dict[str, Any]:
    """Return an event of the processor's about a charge, claiming whatever it likes."""
    intent = {"id": "pi_any", "object": "payment_intent", "metadata": {"payment_key": key}, "amount": 1, **about}
    return {
        "id": f"evt_{secrets.token_hex(8)}", "object": "event", "type": kind, "livemode": False,
        "data": {"object": intent},
    }  # fmt: skip


async def send(
    hammer: Hammer, told: dict[str, Any], *, server: int = 0, secret: str = WEBHOOK_SECRET, at: int | None = None
) -> int:
    """Make a call, signed; return the answer's status."""
    body = json.dumps(told)
    header = stripe.WebhookSignature.generate_signature_header(body, secret, at)
    return await post(hammer, body, {"stripe-signature": header}, server)


async def post(hammer: Hammer, body: str, headers: dict[str, str], server: int = 0) -> int:
    url = hammer.fleet.servers[server].url
    answer = await hammer.client.http.post(f"{url}/webhooks/payments", content=body, headers=headers)
    return answer.status_code


async def row_of(hammer: Hammer, key: str) -> Row:
    tables = await read_tables(hammer.world.database_url, ("payments",))
    (row,) = [row for row in tables["payments"] if row["id"] == key]
    return row


async def until_succeeded(hammer: Hammer, key: str) -> None:
    async def has_succeeded() -> bool:
        return bool((await row_of(hammer, key))["status"] == "SUCCEEDED")

    await until_true(has_succeeded, 20)


@pytest.mark.row("F13")
@pytest.mark.rule("12")
async def test_an_event_that_is_told_five_times_at_once_has_one_effect(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        _payment, key = await unheard(paying)
        told = event(key)
        statuses = await asyncio.gather(*(send(paying, told, server=number % 2) for number in range(5)))
        await until_succeeded(paying, key)

        assert statuses == [200] * 5
        tables = await read_tables(paying.world.database_url, ("processor_events", "journal_entries"))
        assert [row["event_id"] for row in tables["processor_events"]].count(told["id"]) == 1
        assert [row["payment_id"] for row in tables["journal_entries"]].count(key) == 1
        await look(paying)


@pytest.mark.row("F14")
@pytest.mark.rule("12")
async def test_events_in_every_order_end_as_the_processor_has_it(paying: Hammer) -> None:
    kinds = ("payment_intent.processing", "payment_intent.payment_failed", "payment_intent.succeeded",
             "payment_intent.canceled")  # fmt: skip
    async with asyncio.timeout(SECONDS_MAX):
        orders = list(itertools.permutations(kinds))
        keys = [(await unheard(paying, number % 8))[1] for number in range(len(orders))]

        async def tell(key: str, order: tuple[str, ...]) -> None:
            for kind in order:
                assert await send(paying, event(key, kind), server=len(kind) % 2) == 200

        await asyncio.gather(*(tell(key, order) for key, order in zip(keys, orders, strict=True)))
        for key in keys:
            await until_succeeded(paying, key)
        await look(paying)


@pytest.mark.row("F15")
@pytest.mark.rule("12", "18")
async def test_a_call_that_comes_before_the_answer_of_the_same_payment_settles_it_once(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        assert paying.processor is not None
        doors = [f"{server.url}/webhooks/payments" for server in paying.fleet.servers]
        before = len(read_log(paying.world.processor_file))
        await asyncio.to_thread(paying.processor.tell, next=["held"], webhooks=doors, secret=WEBHOOK_SECRET)
        payment = await payment_of(paying, 0)
        asking = asyncio.create_task(paying.operations.settle_payment(payment))
        seen = []

        async def is_credited() -> bool:
            tables = await read_tables(paying.world.database_url, ("payments", "idempotency_keys"))
            keys = [row["result_id"] for row in tables["idempotency_keys"] if row["key"] == payment.key]
            seen[:] = [row["status"] for row in tables["payments"] if row["id"] in keys]
            return seen == ["SUCCEEDED"]

        try:
            await until_true(is_credited, 20)
            assert not asking.done()
        finally:
            await asyncio.to_thread(paying.processor.tell, release=True, webhooks=[], secret="")
        await asking

        assert (payment.answers[-1][1], payment.fresh) == ("SUCCEEDED", 1)
        assert "TOLD 200" in {line["act"] for line in read_log(paying.world.processor_file)[before:]}
        await look(paying)


@pytest.mark.row("F16")
@pytest.mark.rule("12")
async def test_what_is_not_the_processors_own_call_is_refused_logged_and_changes_nothing(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        payment, key = await unheard(paying)
        told, now = event(key), int(time.time())
        body = json.dumps(told)
        good = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET)
        refused = [
            await post(paying, body, {}),
            await post(paying, body, {"stripe-signature": ""}),
            await post(paying, body, {"stripe-signature": good[:-1] + ("0" if good[-1] != "0" else "1")}),
            await post(paying, body.replace('"amount": 1', '"amount": 2'), {"stripe-signature": good}),
            await post(paying, "{}", {"stripe-signature": good}),
            await send(paying, told, secret="whsec_of_another_merchant"),
            await send(paying, told, at=now - 301),
            await send(paying, told | {"account": "acct_other"}),
            await send(paying, told | {"livemode": True}),
        ]

        assert refused == [400] * len(refused)
        assert (await row_of(paying, key))["status"] == "PROCESSING"
        tables = await read_tables(paying.world.database_url, ("processor_events",))
        assert not any(row["reference"] == key for row in tables["processor_events"])
        assert len(paying.fleet.complaints()) == len(refused)
        paying.fleet.forget()
        # A good signature makes another amount or currency no truer.
        assert await send(paying, event(key, amount=999_999, amount_received=999_999, currency="jpy")) == 200
        await until_succeeded(paying, key)
        assert (await row_of(paying, key))["total"] == payment.cents
        await look(paying)


@pytest.mark.row("F17")
@pytest.mark.rule("12")
async def test_an_event_of_an_unknown_payment_is_kept_and_looked_into_again(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        told = [event("0197a000-0000-7000-8000-000000000001"), event("no key of ours"), event("")]
        assert [await send(paying, one) for one in told] == [200] * 3

        async def is_tried() -> bool:
            tables = await read_tables(paying.world.database_url, ("processor_events", "due_work"))
            kept = {row["id"]: row for row in tables["processor_events"]}
            tried = [row for row in tables["due_work"] if row["key"] in kept and row["failures"] > 0]
            return len(tried) >= 2 and all(one["id"] in {row["event_id"] for row in kept.values()} for one in told)

        await until_true(is_tried)
        # It goes on being tried for days; that is of no interest to the tests that follow.
        tables = await read_tables(paying.world.database_url, ("due_work",))
        assert all(row["failed_at"] is None for row in tables["due_work"])
        await do(paying.world.database_url, "delete from due_work where kind = 'processor_event'")
        await look(paying)


@pytest.mark.row("F18")
@pytest.mark.rule("12")
async def test_a_process_that_dies_of_a_call_applies_it_once_when_it_is_sent_again(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        payment, key = await unheard(paying)
        told = event(key)
        points = OwnPoints(paying, 0)

        async def is_kept() -> bool:
            tables = await read_tables(paying.world.database_url, ("processor_events",))
            return any(row["event_id"] == told["id"] for row in tables["processor_events"])

        # The effect waits for the balance, so that the process dies with the event kept and not yet applied.
        async with points.locked_balance(payment.holder.service_key):
            sending = asyncio.create_task(send(paying, told))
            await until_true(is_kept)
            await points.kill(sending)
        await paying.fleet.whole()
        assert await send(paying, told, server=1) == 200
        assert await send(paying, told) == 200
        await end_leases(paying.world.database_url)
        await until_succeeded(paying, key)
        await look(paying)


async def nobody_there_for_an_hour(hammer: Hammer, events: Sequence[dict[str, Any]]) -> None:
    """Have an hour go by in which these events reach nobody; whatever fell due meanwhile is due once all are back."""
    for number in range(len(hammer.fleet.servers)):
        hammer.fleet.kill(number)
    lost = [send(hammer, told, server=number % 2) for number, told in enumerate(events)]
    answers = await asyncio.gather(*lost, return_exceptions=True)
    assert [type(answer) for answer in answers] == [httpx.ConnectError] * len(events)
    await do(
        hammer.world.database_url,
        f"insert into sandbox_clock (id, ahead_seconds) values (1, {SILENCE_SECONDS})"
        " on conflict (id) do update set ahead_seconds = sandbox_clock.ahead_seconds + excluded.ahead_seconds",
    )
    await end_leases(hammer.world.database_url)
    await hammer.fleet.whole()


@pytest.mark.row("F19")
@pytest.mark.rule("12")
async def test_a_flood_of_events_after_an_hour_of_silence_is_applied_once_while_others_are_answered(
    paying: Hammer,
) -> None:
    async with asyncio.timeout(SECONDS_MAX + FLOOD / FLOOD_A_SECOND_MIN):
        keys = [(await unheard(paying, number % 8))[1] for number in range(20)]
        events = [event(keys[number % len(keys)]) for number in range(FLOOD)]
        gate = asyncio.Semaphore(AT_ONCE)
        await nobody_there_for_an_hour(paying, events[:AT_ONCE])

        async def tell(number: int) -> int:
            async with gate:
                return await send(paying, events[number], server=number % 2)

        async def read() -> list[float]:
            took = []
            while not flood.done():
                began = time.monotonic()
                await paying.client.until_answered(BALANCES, {}, paying.world.holders[0].token)
                took.append(time.monotonic() - began)
            return took

        flood = asyncio.ensure_future(asyncio.gather(*(tell(number) for number in range(FLOOD))))
        took = await read()

        assert await flood == [200] * FLOOD
        # On a machine where every read takes seconds, one that takes five of them says nothing.
        assert max(took) < max(ANSWER_SECONDS_MAX, STALL_TIMES * statistics.median(took))
        for key in keys:
            await until_succeeded(paying, key)
        await look(paying)
        tables = await read_tables(paying.world.database_url, ("processor_events",))
        told = {one["id"] for one in events}
        kept = [row for row in tables["processor_events"] if row["event_id"] in told]
        assert len(kept) == FLOOD
        assert all(row["applied_at"] for row in kept)
