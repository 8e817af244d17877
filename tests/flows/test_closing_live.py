"""Closings, live: first where each stands, then each step in order, by sign-in or by receipt (rules 21 and 35)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette

from api.adapters.database import execute, fetch, transactional
from api.adapters.ports import Ports
from api.routes.closure_page import closure_page_route
from api.services.closure_states import tell_closure
from tests import factories
from tests.flows.closing import CHANGED, DAY, close, delete, pass_time
from tests.flows.conftest import Service, Stream
from tests.flows.doors import door, open_socket
from tests.flows.watching import WATCH, heard, lose_something, next_change, until_watched


async def step(stream: Stream) -> tuple[str, int]:
    """Return the next step's status and revision."""
    closure = (await stream.next())["closureChanged"]["closure"]
    return closure["status"], closure["revision"]


@pytest.mark.rule("21", "35")
async def test_a_receipt_shows_each_step_in_order_when_the_login_is_gone(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    receipt = (await delete(service, ann))["receiptToken"]

    async with service.watch(CHANGED, {"receipt": receipt}) as stream:
        seen = [await step(stream)]
        await pass_time(service, DAY)
        seen.append(await step(stream))
        await pass_time(service, timedelta(days=30))
        seen.append(await step(stream))

    assert seen == [("SETTLING_CALLS", 1), ("REFUNDING", 2), ("COMPLETED", 3)]


@pytest.mark.row("I10")
@pytest.mark.rule("35")
async def test_four_steps_of_a_closing_within_fifty_milliseconds_come_each_in_order(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    receipt = (await delete(service, ann))["receiptToken"]
    (row,) = await fetch("select id from closures")
    later = ["DIRECT_BILL_HOLD", "REFUNDING", "AWAITING_FINAL_PAYMENT", "COMPLETED"]

    @transactional
    async def all_at_once(ports: Ports) -> None:
        for number, status in enumerate(later, 2):
            await execute("update closures set status = $1, revision = $2", status, number)
            (now,) = await fetch("select * from closures where id = $1", row["id"])
            await tell_closure(now)

    async with service.watch(CHANGED, {"receipt": receipt}) as stream:
        assert await step(stream) == ("SETTLING_CALLS", 1)
        await until_watched(service)
        await all_at_once(service.ports)
        seen = [await step(stream) for _ in later]

    assert seen == list(zip(later, range(2, 6), strict=True))


@pytest.mark.rule("35")
async def test_steps_that_were_missed_are_told_from_the_feed_and_none_twice(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    receipt = (await delete(service, ann))["receiptToken"]

    async with service.watch(CHANGED, {"receipt": receipt}) as stream:
        seen = [await step(stream)]
        lose_something(service)
        await pass_time(service, timedelta(days=40))
        lose_something(service)
        seen += [await step(stream), await step(stream)]

    assert seen == [("SETTLING_CALLS", 1), ("REFUNDING", 2), ("COMPLETED", 3)]


@pytest.mark.rule("35")
async def test_a_holder_hears_of_a_closing_from_its_beginning_and_nobody_else_does(service: Service) -> None:
    ann, ben = await factories.holder(service), await factories.holder(service, "ben@mail.test")
    opened = await ann.advance_connect(500)

    async with service.watch(CHANGED, token=ann.token) as hers, service.watch(CHANGED, token=ben.token) as his:
        first, nothing = asyncio.ensure_future(step(hers)), asyncio.ensure_future(his.result())
        await until_watched(service, 2)
        await close(service, ann, opened.id)
        told = await first
        await heard(service)
        is_told = nothing.done()
        nothing.cancel()
        await asyncio.gather(nothing, return_exceptions=True)

    assert told == ("SETTLING_CALLS", 1)
    assert not is_told


@pytest.mark.rule("21")
async def test_sockets_get_a_last_update_and_then_close(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)

    async with open_socket(door(service), token=ann.token) as socket:
        await socket.next()
        socket.send(type="subscribe", id="1", payload={"query": "subscription { balanceChanged { cause } }"})
        first = await socket.next()
        await delete(service, ann)
        last = await socket.next()
        code = await socket.closing_code()

    assert first["payload"]["data"]["balanceChanged"] == {"cause": "SNAPSHOT"}
    assert last["payload"]["data"]["balanceChanged"] == {"cause": "CLOSURE"}
    assert code == 4403


@pytest.mark.rule("21")
async def test_a_watcher_of_the_balance_is_told_of_the_closing_before_it_ends(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)

    async with service.watch(WATCH, token=ann.token) as stream:
        await next_change(stream)
        await delete(service, ann)
        await heard(service)
        last = await next_change(stream)
        ended = await stream.ends()

    assert (last[0], last[2], ended) == ("CLOSURE", "5.00", True)


@pytest.mark.rule("21")
async def test_a_receipt_of_nobody_opens_nothing(service: Service) -> None:
    ann = await factories.holder(service)
    receipt = (await delete(service, ann))["receiptToken"]
    bad = (receipt[:-1] + ("A" if receipt[-1] != "A" else "B"), receipt[1:], "", "x" * 300)

    shown = [(await service.ask("query($t: String!) { closureByReceipt(receiptToken: $t) { id } }", {"t": text}))
             ["closureByReceipt"] for text in bad]  # fmt: skip
    async with service.watch(CHANGED, {"receipt": bad[0]}) as stream:
        refused = await stream.result()
    async with service.watch(CHANGED) as stream:
        signed_out = await stream.result()

    assert shown == [None] * 4
    assert refused.errors[0].extensions == {"code": "BAD_REQUEST"}
    assert signed_out.errors[0].extensions == {"code": "UNAUTHENTICATED"}


@pytest.mark.rule("35")
async def test_a_closing_is_found_by_its_id_by_its_owner_alone(service: Service) -> None:
    ann, ben = await factories.holder(service), await factories.holder(service, "ben@mail.test")
    opened = await ann.advance_connect(500)
    closure_id = (await close(service, ann, opened.id))["closure"]["id"]
    asked = ("query($id: ID!) { node(id: $id) { __typename } }", {"id": closure_id})

    found = [await service.ask(*asked, token=token) for token in (ann.token, ben.token, None)]

    assert found == [{"node": {"__typename": "Closure"}}, {"node": None}, {"node": None}]


@pytest.mark.rule("21", "27a", "37")
async def test_the_receipts_page_shows_the_refund_in_the_readers_language_and_nothing_personal(
    service: Service,
) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    receipt = (await delete(service, ann))["receiptToken"]
    await pass_time(service, DAY)
    app = Starlette(routes=[closure_page_route(service.ports)])
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://calls.example", trust_env=False)

    english = await client.get("/closure", params={"receipt": receipt})
    spanish = await client.get("/closure", params={"receipt": receipt}, headers={"accept-language": "es-MX"})
    unknown = await client.get("/closure", params={"receipt": "nothing"})

    assert (english.status_code, unknown.status_code) == (200, 404)
    assert "Refund of $5.00" in english.text
    assert "Dallas, TX 75201" in english.text
    assert "Reembolso de $5.00" in spanish.text
    for personal in ("Lee", "Elm", ann.email, "+1505"):
        assert personal not in english.text
