"""Balances, live: the state first, then each change, to nobody but its owner (rules 35, 36)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from api.adapters.database import fetch, transactional
from api.adapters.live import MAILBOX_MAX, Event
from api.adapters.ports import Ports
from api.domain.ledger import UpdateCause
from api.services import outbox
from api.services.ledger import lock_balance, save
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money import authorize, open_service, pay, record
from tests.flows.watching import WATCH, heard, lose_something, next_change, prepaid, until_watched

pytestmark = pytest.mark.rule("35")


async def test_the_state_comes_first_and_then_each_change_in_order(service: Service) -> None:
    ann, opened = await prepaid(service)
    key = await factories.switch_key(service)
    card, quoted = await ann.card(), await ann.quote(opened)

    async with service.watch(WATCH, token=ann.token) as stream:
        seen = [await next_change(stream)]
        await pay(service, ann, quoted, card)
        await authorize(service, key, opened.phone)
        await record(service, key, opened.phone, 60)
        seen += [await next_change(stream) for _ in range(4)]

    assert seen == [
        ("SNAPSHOT", 1, "10.00"),
        ("PAYMENT_PENDING", 2, "10.00"),
        ("FUNDED", 3, "35.00"),
        ("CALL_STARTED", 4, "35.00"),
        ("CALL_CHARGED", 5, "34.90"),
    ]


async def test_a_change_tells_what_was_posted(service: Service) -> None:
    ann, opened = await prepaid(service)

    async with service.watch(WATCH, {"id": opened.id}, token=ann.token) as stream:
        await stream.next()
        await factories.fund(service.ports, opened.key, 250)
        update = (await stream.next())["balanceChanged"]

    assert update["transaction"] == {"kind": "FUNDING", "amount": {"amount": "2.50"}}
    assert update["balance"]["serviceAccountId"] == opened.id


async def test_a_new_service_appears_to_those_who_watch_them_all(service: Service) -> None:
    ann = await factories.holder(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        change = asyncio.ensure_future(next_change(stream))
        await until_watched(service)
        await open_service(service, ann)
        assert await change == ("SNAPSHOT", 0, "0.00")


async def test_nobody_hears_of_the_balances_of_others(service: Service) -> None:
    _, opened = await prepaid(service)
    bob = await factories.holder(service, "bob@mail.test")
    bobs = await bob.advance_connect(1)

    async with service.watch(WATCH, token=bob.token) as stream:
        assert await next_change(stream) == ("SNAPSHOT", 1, "0.01")
        await factories.fund(service.ports, opened.key, 100)
        await factories.fund(service.ports, bobs.key, 1)
        assert await next_change(stream) == ("FUNDED", 2, "0.02")


async def test_watching_a_service_of_somebody_else_is_answered_like_nothing(service: Service) -> None:
    _, opened = await prepaid(service)
    bob = await factories.holder(service, "bob@mail.test")

    for service_id in (opened.id, "nothing"):
        async with service.watch(WATCH, {"id": service_id}, token=bob.token) as stream:
            result = await stream.result()
        assert [error.extensions for error in result.errors] == [{"code": "BAD_REQUEST"}]
    assert service.ports.live.watcher_count == 0


async def test_only_holders_watch_balances(service: Service) -> None:
    codes = []
    for token in (None, await factories.switch_key(service)):
        async with service.watch(WATCH, token=token) as stream:
            codes += [error.extensions["code"] for error in (await stream.result()).errors]

    assert codes == ["UNAUTHENTICATED", "FORBIDDEN"]


@transactional
async def change_and_fail(ports: Ports, service_account_id: UUID) -> None:
    balance = await lock_balance(service_account_id)
    assert balance is not None
    await save(balance, ports.now(), UpdateCause.ADJUSTMENT)
    raise ArithmeticError("after the change")


@pytest.mark.row("I9")
@pytest.mark.rule("36")
async def test_what_is_rolled_back_is_told_to_nobody(service: Service) -> None:
    ann, opened = await prepaid(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        with pytest.raises(ArithmeticError):
            await change_and_fail(service.ports, opened.key)
        await factories.fund(service.ports, opened.key, 100)
        assert await next_change(stream) == ("FUNDED", 2, "11.00")
    assert "ADJUSTMENT" not in str([row["message"] for row in await fetch("select message from outbox_events")])


async def test_a_change_between_registering_and_reading_is_told_once(service: Service) -> None:
    ann, opened = await prepaid(service)
    live = service.ports.live

    with live.watch(ann.account_id, ann.sign_in_id):
        await factories.fund(service.ports, opened.key, 100)
    async with service.watch(WATCH, token=ann.token) as stream:
        first = asyncio.ensure_future(next_change(stream))
        await until_watched(service)
        # The watcher is registered, and has not read yet or has just done so.
        await factories.fund(service.ports, opened.key, 100)
        seen = [await first]
        while seen[-1][1] < 3:
            seen.append(await next_change(stream))

    revisions = [revision for _, revision, _ in seen]
    assert revisions == sorted(set(revisions))
    assert seen[-1][2] == "12.00"


async def test_a_slow_reader_gets_the_newest_state_instead_of_a_queue(service: Service) -> None:
    ann, opened = await prepaid(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        for _ in range(MAILBOX_MAX + 5):
            await factories.fund(service.ports, opened.key, 1)
        await heard(service)
        seen = [await next_change(stream)]
        await factories.fund(service.ports, opened.key, 1)
        while seen[-1][1] < MAILBOX_MAX + 7:
            seen.append(await next_change(stream))

    assert len(seen) < 10
    assert seen[-1][2] == "10.70"


@pytest.mark.row("F25", "I10")
async def test_after_a_gap_the_state_is_read_anew(service: Service) -> None:
    ann, opened = await prepaid(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        await change_unheard(service, opened.key)
        lose_something(service)
        assert await next_change(stream) == ("SNAPSHOT", 2, "10.00")
        await factories.fund(service.ports, opened.key, 100)
        assert await next_change(stream) == ("FUNDED", 3, "11.00")


async def change_unheard(service: Service, service_account_id: UUID) -> None:
    """Change a balance as a process does that dies between its commit and its publishing."""

    class Dying:
        """Ports that announce nothing."""

        def announce(self, events: Any) -> None:
            return

    @transactional
    async def change(ports: Any) -> None:
        balance = await lock_balance(service_account_id)
        assert balance is not None
        await save(balance, service.ports.now(), UpdateCause.ADJUSTMENT)

    await change(Dying())


@pytest.mark.row("I9")
@pytest.mark.rule("36")
async def test_what_a_dying_process_left_unpublished_is_published_by_the_relay(service: Service) -> None:
    ann, opened = await prepaid(service)
    await heard(service)
    await outbox.mark_published(service.ports)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        await change_unheard(service, opened.key)
        assert await outbox.sweep(service.ports, older_than=outbox.KEPT * 0) == 1
        assert await next_change(stream) == ("ADJUSTMENT", 2, "10.00")


def event_of(ann: Holder, row: Mapping[str, Any]) -> Event:
    body = outbox.read_json(row["message"])
    return Event(factories.read_uuid(row["id"]), ann.account_id, body.pop("kind"), body)


@pytest.mark.row("I10")
async def test_events_out_of_order_arrive_in_order_and_repeats_once(service: Service) -> None:
    ann, opened = await prepaid(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        for _ in range(3):
            await change_unheard(service, opened.key)
        rows = await fetch("select id, message from outbox_events order by number desc limit 3")
        events = [event_of(ann, row) for row in rows]
        service.ports.live.announce([*events[:2], *events[:2], events[2], *events])
        seen = [await next_change(stream) for _ in range(3)]
        await factories.fund(service.ports, opened.key, 1)
        seen.append(await next_change(stream))

    assert [revision for _, revision, _ in seen] == [2, 3, 4, 5]


async def test_a_revision_that_never_comes_holds_up_nothing_for_long(service: Service) -> None:
    ann, opened = await prepaid(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        await change_unheard(service, opened.key)
        await factories.fund(service.ports, opened.key, 1)
        assert await next_change(stream) == ("FUNDED", 3, "10.01")


async def test_a_client_that_goes_away_leaves_no_watcher(service: Service) -> None:
    ann, _ = await prepaid(service)

    async with service.watch(WATCH, token=ann.token) as stream:
        await stream.next()
        assert service.ports.live.watcher_count == 1

    assert service.ports.live.watcher_count == 0
