"""The service, the processor and the network between them as processes of their own, and what each may do to a payment.

The processor speaks as Stripe does and is reached by the service's own Stripe adapter.
"""

from __future__ import annotations

import asyncio
import json

import pytest
import websockets

from tests.hammer.acknowledged import Payment
from tests.hammer.books import read_log, read_tables
from tests.hammer.client import PAY
from tests.hammer.own_points import OwnPoints
from tests.hammer.rounds import Hammer

pytestmark = [
    pytest.mark.xdist_group("hammer-paying"),
    pytest.mark.postgres,
    pytest.mark.parametrize("template", ["postgres"], indirect=True),
]
SECONDS_MAX = 120
AT_ONCE = 50


async def payment_of(hammer: Hammer, holder: int, card: str = "tok_visa") -> Payment:
    payment = await hammer.operations.new_payment(hammer.world.holders[holder], card)
    assert payment is not None
    return payment


async def look(hammer: Hammer) -> None:
    """Bring all to its end, and find nothing wrong with the books."""
    await hammer.settle()
    await hammer.look()
    assert [*hammer.differences, *hammer.fleet.complaints()] == []


@pytest.mark.row("F7")
@pytest.mark.rule("18")
async def test_fifty_payments_with_one_key_over_two_processes_are_one_payment(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        assert paying.processor is not None
        await asyncio.to_thread(paying.processor.tell, next=["slow"])
        payment = await payment_of(paying, 0)
        urls = [server.url for server in paying.fleet.servers]
        asks = [paying.operations.ask_to_pay(payment, urls[number % 2]) for number in range(AT_ONCE)]
        await asyncio.gather(*asks)
        await paying.operations.settle_payment(payment)

        assert len({id for id, _ in payment.answers}) == 1
        assert (payment.answers[-1][1], payment.fresh) == ("SUCCEEDED", 1)
        assert payment.refusals == []
        await look(paying)


@pytest.mark.row("F5", "F6")
@pytest.mark.rule("12")
async def test_whatever_the_processor_left_unsaid_is_asked_for_and_never_charged_twice(paying: Hammer) -> None:
    modes = ("hang", "hang_charged", "error", "error_charged", "cut", "cut_charged")
    async with asyncio.timeout(SECONDS_MAX):
        assert paying.processor is not None
        payments = []
        asking = []
        for number, mode in enumerate(modes):
            payment = await payment_of(paying, number)
            before = len(read_log(paying.world.processor_file))
            await asyncio.to_thread(paying.processor.tell, next=[mode])
            asking.append(asyncio.create_task(paying.operations.ask_to_pay(payment)))
            while not any("ORDERED" in line["act"] for line in read_log(paying.world.processor_file)[before:]):
                await asyncio.wait(asking, timeout=0.02)
            payments.append(payment)
        # While nobody knows, the same key leads to the same payment, and nobody else has to wait.
        await asyncio.gather(*(paying.operations.settle_payment(payment) for payment in payments))
        other = await payment_of(paying, 6)
        await paying.operations.settle_payment(other)
        assert other.answers[-1][1] == "SUCCEEDED"
        assert [payment.answers[-1][1] for payment in payments] == ["PROCESSING"] * len(modes)
        await asyncio.gather(*asking)
        assert [payment.answers[-1][1] for payment in payments] == ["PROCESSING"] * len(modes)
        ids = {payment.answers[0][0] for payment in payments}
        assert len(ids) == len(modes)

        await look(paying)
        await asyncio.gather(*(paying.operations.settle_payment(payment) for payment in payments))

        charged = ["SUCCEEDED" if mode.endswith("_charged") else "FAILED" for mode in modes]
        assert [payment.answers[-1][1] for payment in payments] == charged
        await look(paying)


@pytest.mark.row("F12")
@pytest.mark.rule("18")
async def test_one_key_by_http_by_socket_and_twice_in_one_document_at_once_charges_once(paying: Hammer) -> None:
    field = PAY.split("{", 1)[1].rsplit("}", 1)[0].strip()
    aliases = "mutation($input: PayInput!) { a: " + field + " b: " + field + " }"
    async with asyncio.timeout(SECONDS_MAX):
        assert paying.processor is not None
        await asyncio.to_thread(paying.processor.tell, next=["slow"])
        payment = await payment_of(paying, 1)
        headers = {"authorization": f"Bearer {payment.holder.token}"}
        urls = [server.url for server in paying.fleet.servers]
        posts = [
            paying.client.http.post(f"{url}/graphql", json={"query": aliases, "variables": payment.variables},
                                    headers=headers)
            for url in urls
        ]  # fmt: skip
        *answered, _ = await asyncio.gather(
            *posts, _by_socket(urls[1], payment), paying.operations.ask_to_pay(payment, urls[0])
        )
        for answer in answered[:2]:
            for root in answer.json()["data"].values():
                payment.hear(root)
        payment.hear(answered[2])
        await paying.operations.settle_payment(payment)

        assert len({id for id, _ in payment.answers}) == payment.fresh == 1
        batched = await paying.client.http.post(
            f"{urls[0]}/graphql", json=[{"query": PAY, "variables": payment.variables}] * 2, headers=headers
        )
        assert batched.status_code == 400
        await look(paying)


async def _by_socket(url: str, payment: Payment) -> dict[str, object]:
    address = url.replace("http://", "ws://") + "/graphql"
    async with websockets.connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        payload = {"authorization": f"Bearer {payment.holder.token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        asked = {"query": PAY, "variables": payment.variables}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": asked}))
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "next":
                root: dict[str, object] = message["payload"]["data"]["pay"]
                return root
            assert message["type"] == "connection_ack", message
    raise AssertionError("the socket was closed")


@pytest.mark.row("F11")
@pytest.mark.rule("18")
async def test_two_keys_for_two_quotes_are_two_payments_that_both_show(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        holder = paying.world.holders[2]
        one, two = await payment_of(paying, 2), await payment_of(paying, 2)
        await asyncio.gather(paying.operations.settle_payment(one), paying.operations.settle_payment(two))

        assert one.answers[-1][0] != two.answers[-1][0]
        tables = await read_tables(paying.world.database_url, ("payments",))
        shown = [row for row in tables["payments"] if row["account_id"] == str(holder.account)]
        assert [row["status"] for row in shown].count("SUCCEEDED") >= 2
        await look(paying)


@pytest.mark.row("F1", "F2", "F3")
@pytest.mark.rule("12", "18")
async def test_kills_around_a_charge_at_a_processor_of_its_own_charge_once(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        one, other = OwnPoints(paying, 0), OwnPoints(paying, 1)
        await one.before_the_charge()
        await other.after_the_charge()
        await one.before_the_answer()
        await look(paying)


@pytest.mark.row("F5", "F6", "F43")
@pytest.mark.rule("12", "35")
async def test_random_operations_at_a_processor_that_fails_by_the_seed_leave_no_difference(paying: Hammer) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        assert paying.processor is not None
        await asyncio.to_thread(paying.processor.tell, random=True)
        await paying.round(20, kills=1)
        assert (await paying.audit()).endswith("no difference")
        await look(paying)
