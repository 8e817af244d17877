"""Refunds, live: the state as it is, then each status in order, to whoever owns it or holds the receipt (rule 35)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from api.adapters.database import fetch, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import has_ended
from api.domain.ids import NodeKind, global_id
from api.domain.refunds import RefundStatus
from api.services.outbox import tell
from api.services.refund_states import Step
from api.services.refunds import move
from tests import factories
from tests.flows.conftest import Service, Stream
from tests.flows.getting_in import SIGN_OUT
from tests.flows.money_back import begin, fix_amount, paid, receipt
from tests.flows.watching import heard, lose_something, until_watched

pytestmark = pytest.mark.rule("35")

WATCH = """subscription($id: ID, $receipt: String) { refundStatusChanged(refundId: $id, receiptToken: $receipt) {
  previousStatus at refund { id revision status amount { amount } destination timeline { status } } } }"""
ALL_AFTER_THE_FIRST = ["CALCULATED", "SUBMITTED", "ISSUED", "COMPLETED"]
MOVES = [
    (RefundStatus.CALCULATED, "fixed"), (RefundStatus.SUBMITTED, "submitted_card"),
    (RefundStatus.ISSUED, "issued_card"), (RefundStatus.COMPLETED, "completed_card"),
]  # fmt: skip


async def following(stream: Stream, count: int) -> list[tuple[str, str | None, int]]:
    """Return the next changes: status, the one before, revision. Each shows the timeline up to itself."""
    found = []
    for _ in range(count):
        update = (await stream.next())["refundStatusChanged"]
        refund = update["refund"]
        assert [line["status"] for line in refund["timeline"]][-1] == refund["status"]
        assert len(refund["timeline"]) == refund["revision"]
        found.append((refund["status"], update["previousStatus"], refund["revision"]))
    return found


@transactional
async def one_step(ports: Ports, refund_id: UUID, status: RefundStatus, note: str) -> None:
    columns = {"amount": 1_000} if status is RefundStatus.CALCULATED else {}
    await move(ports, refund_id, Step(status, note, {"cents": "1000"}), **columns)


async def settling(service: Service) -> tuple[factories.Holder, UUID, UUID]:
    """Return a holder whose refund to a card settles, and the ids of the refund and its closing."""
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "10.00", await ann.card())
    return ann, *await begin(service.ports, ann, opened.key)


@pytest.mark.row("I10")
async def test_the_state_comes_first_then_four_statuses_within_a_moment_in_order(service: Service) -> None:
    ann, refund_id, _ = await settling(service)

    async with service.watch(WATCH, {"id": global_id(NodeKind.REFUND, refund_id)}, token=ann.token) as stream:
        assert await following(stream, 1) == [("SETTLING", None, 1)]
        for status, note in MOVES:
            await one_step(service.ports, refund_id, status, note)
        found = await following(stream, 4)

    assert [status for status, _, _ in found] == ALL_AFTER_THE_FIRST
    assert [before for _, before, _ in found] == ["SETTLING", *ALL_AFTER_THE_FIRST[:-1]]


@pytest.mark.row("I10")
async def test_four_statuses_within_fifty_milliseconds_come_each_in_order_to_sign_in_and_receipt(
    service: Service,
) -> None:
    ann, refund_id, closure_id = await settling(service)

    @transactional
    async def all_at_once(ports: Ports) -> None:
        for status, note in MOVES:
            columns = {"amount": 1_000} if status is RefundStatus.CALCULATED else {}
            await move(ports, refund_id, Step(status, note, {"cents": "1000"}), **columns)

    by_receipt = service.watch(WATCH, {"receipt": receipt(service, closure_id)})
    async with service.watch(WATCH, {}, token=ann.token) as mine, by_receipt as anybodys:
        for stream in (mine, anybodys):
            assert await following(stream, 1) == [("SETTLING", None, 1)]
        await until_watched(service)
        await all_at_once(service.ports)
        found = [await following(stream, 4) for stream in (mine, anybodys)]

    expected = list(zip(ALL_AFTER_THE_FIRST, ["SETTLING", *ALL_AFTER_THE_FIRST], range(2, 6), strict=False))
    assert found == [expected, expected]


async def test_what_was_lost_on_the_way_is_read_from_the_timeline(service: Service) -> None:
    ann, refund_id, _ = await settling(service)

    async with service.watch(WATCH, {}, token=ann.token) as stream:
        await following(stream, 1)
        await until_watched(service)
        announce, service.ports.live.announce = service.ports.live.announce, lambda events: None  # type: ignore[method-assign]
        for status, note in MOVES[:3]:
            await one_step(service.ports, refund_id, status, note)
        service.ports.live.announce = announce  # type: ignore[method-assign]
        lose_something(service)
        found = await following(stream, 3)
        await one_step(service.ports, refund_id, *MOVES[3])
        found += await following(stream, 1)

    assert [status for status, _, _ in found] == ALL_AFTER_THE_FIRST


async def test_an_event_that_comes_before_its_turn_brings_those_before_it(service: Service) -> None:
    ann, refund_id, _ = await settling(service)

    async with service.watch(WATCH, {}, token=ann.token) as stream:
        await following(stream, 1)
        await until_watched(service)
        kept: list[Any] = []
        announce, service.ports.live.announce = service.ports.live.announce, kept.extend  # type: ignore[method-assign]
        for status, note in MOVES:
            await one_step(service.ports, refund_id, status, note)
        service.ports.live.announce = announce  # type: ignore[method-assign]
        announce([event for event in reversed(kept) if getattr(event, "kind", "") == "refund"])
        found = await following(stream, 4)
        await heard(service)

    assert [status for status, _, _ in found] == ALL_AFTER_THE_FIRST


async def test_many_steps_by_many_at_once_come_each_in_order_to_a_reader_that_is_slow(service: Service) -> None:
    ann, refund_id, _ = await settling(service)

    async with service.watch(WATCH, {}, token=ann.token) as stream:
        await following(stream, 1)
        await until_watched(service)
        for status, note in MOVES:
            await asyncio.gather(*(one_step(service.ports, refund_id, status, note) for _ in range(3)))
        # More than a mailbox holds, so that the reader is told to read anew.
        await _noise(service.ports, ann.account_id, 80)
        await heard(service)
        found = await following(stream, 4)

    assert [status for status, _, _ in found] == ALL_AFTER_THE_FIRST


@transactional
async def _noise(ports: Ports, account_id: UUID, count: int) -> None:
    for _ in range(count):
        await tell(account_id, "noise", {})


@pytest.mark.rule("21")
async def test_a_receipt_follows_its_closing_without_a_sign_in_and_outlives_them_all(service: Service) -> None:
    ann, refund_id, closure_id = await settling(service)

    async with service.watch(WATCH, {"receipt": receipt(service, closure_id)}) as stream:
        assert await following(stream, 1) == [("SETTLING", None, 1)]
        await until_watched(service)
        await service.ask(SIGN_OUT, {"everywhere": True}, token=ann.token)
        assert await has_ended(ann.sign_in_id)
        await heard(service)
        await one_step(service.ports, refund_id, *MOVES[0])
        assert await following(stream, 1) == [("CALCULATED", "SETTLING", 2)]


async def test_a_refund_of_its_own_is_told_from_its_beginning(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    await paid(service, ann, opened, "10.00", await ann.card())
    refund_id, _ = await begin(service.ports, ann, opened.key)

    async with service.watch(WATCH, {}, token=ann.token) as stream:
        await following(stream, 1)
        await fix_amount(service.ports, refund_id, opened.key)
        found = await following(stream, 2)

    assert [(status, revision) for status, _, revision in found] == [("CALCULATED", 1), ("CALCULATED", 2)]


@pytest.mark.parametrize("whose", ["nobody", "another", "garbage", "wrong receipt"])
async def test_what_is_not_theirs_opens_no_stream(service: Service, whose: str) -> None:
    _, refund_id, closure_id = await settling(service)
    ben = await factories.holder(service, "ben@mail.test")
    theirs = global_id(NodeKind.REFUND, refund_id)
    variables: dict[str, Any] = {
        "nobody": {}, "another": {"id": theirs}, "garbage": {"id": "garbage"},
        "wrong receipt": {"receipt": receipt(service, closure_id)[:-1] + "~"},
    }[whose]  # fmt: skip

    async with service.watch(WATCH, variables, token=ben.token if whose == "another" else None) as stream:
        result = await stream.result()

    assert [error.extensions["code"] for error in result.errors] == ["BAD_REQUEST"]


async def test_it_ends_with_the_sign_in(service: Service) -> None:
    ann, _, _ = await settling(service)

    async with service.watch(WATCH, {}, token=ann.token) as stream:
        await following(stream, 1)
        await until_watched(service)
        await service.ask(SIGN_OUT, {"everywhere": True}, token=ann.token)
        assert await stream.ends()


async def test_the_refund_is_named_by_its_transaction_and_found_by_its_id(service: Service) -> None:
    ann, refund_id, _ = await settling(service)
    (row,) = await fetch("select service_account_id from refunds")
    await fix_amount(service.ports, refund_id, read_uuid(row["service_account_id"]))

    data = await service.ask(
        """query($id: ID!) { node(id: $id) { ... on Refund { id status } } me { serviceAccounts {
          ... on AdvanceConnectAccount { transactions(first: 1) { edges { node { kind refund { id } } } } } } } }""",
        {"id": global_id(NodeKind.REFUND, refund_id)},
        token=ann.token,
    )

    ((edge,),) = [one["transactions"]["edges"] for one in data["me"]["serviceAccounts"]]
    assert edge["node"] == {"kind": "REFUND", "refund": {"id": data["node"]["id"]}}
