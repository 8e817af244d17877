"""Subscriptions are followed live: each that has not ended, then each change in order, by their owner alone."""

from __future__ import annotations

import asyncio

import pytest

from api.adapters.database import Row, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.plans import SubscriptionStatus
from api.services.subscription_states import change, lock_subscription
from tests import factories
from tests.factories import Holder, end_unheard
from tests.flows.closing import delete
from tests.flows.conftest import Service, Stream
from tests.flows.paying import place, plan, subscribe
from tests.flows.test_subscribing import quoted_plan
from tests.flows.watching import heard, lose_something, until_watched

pytestmark = pytest.mark.rule("28", "35")
CHANGED = """subscription { subscriptionChanged { at subscription {
  id status renewsAt accessUntil currentPeriodEnd plan { name } facility { name } paymentMethod { last4 } } } }"""


async def begun(service: Service, name: str = "Mesa Jail", holder: Holder | None = None) -> Holder:
    """Return a holder, a new one unless given, who has subscribed to a plan at a facility."""
    ann = holder or await factories.holder(service)
    quoted = await quoted_plan(service, ann, await plan(await place(name)))
    payload = await subscribe(service, ann, quoted, await ann.card(), name)
    assert payload["errors"] == [], payload
    return ann


async def told(stream: Stream) -> tuple[str, str]:
    """Return the next message's facility and status."""
    found = (await stream.next())["subscriptionChanged"]["subscription"]
    return found["facility"]["name"], found["status"]


@transactional
async def move(ports: Ports, status: SubscriptionStatus) -> Row:
    """Move the one subscription that there is."""
    row = await fetch_one("select id from plan_subscriptions")
    assert row is not None
    locked = await lock_subscription(read_uuid(row["id"]))
    assert locked is not None
    return await change(ports, locked, status)


async def test_first_each_that_has_not_ended_is_told_then_what_begins(service: Service) -> None:
    ann = await begun(service)
    await begun(service, "Hill Prison", ann)

    async with service.watch(CHANGED, token=ann.token) as stream:
        first = [await told(stream), await told(stream)]
        await begun(service, "Third Camp", ann)
        then = (await stream.next())["subscriptionChanged"]

    assert first == [("Mesa Jail", "ACTIVE"), ("Hill Prison", "ACTIVE")]
    found = then["subscription"]
    assert (found["facility"], found["status"]) == ({"name": "Third Camp"}, "ACTIVE")
    assert (found["plan"], found["paymentMethod"]) == ({"name": "Visits"}, {"last4": "4242"})
    assert found["renewsAt"] == found["accessUntil"] == found["currentPeriodEnd"]


async def test_each_change_is_told_once_in_order_and_a_step_to_where_it_stands_is_none(service: Service) -> None:
    ann = await begun(service)

    async with service.watch(CHANGED, token=ann.token) as stream:
        seen = [await told(stream)]
        for status in ("PAST_DUE", "PAST_DUE", "ACTIVE", "CANCEL_SCHEDULED", "ENDED"):
            await move(service.ports, SubscriptionStatus(status))
        seen += [await told(stream) for _ in range(4)]

    assert [status for _, status in seen] == ["ACTIVE", "PAST_DUE", "ACTIVE", "CANCEL_SCHEDULED", "ENDED"]
    ended = await fetch_one("select live_key, renews_at, revision from plan_subscriptions")
    assert ended is not None
    assert (ended["live_key"], ended["renews_at"], ended["revision"]) == (None, None, 5)
    async with service.watch(CHANGED, token=ann.token) as stream:
        nothing = asyncio.ensure_future(stream.result())
        await until_watched(service)
        await heard(service)
        assert not nothing.done()
        nothing.cancel()
        await asyncio.gather(nothing, return_exceptions=True)


async def test_what_was_missed_is_told_from_the_feed_and_none_twice(service: Service) -> None:
    ann = await begun(service)

    async with service.watch(CHANGED, token=ann.token) as stream:
        seen = [await told(stream)]
        lose_something(service)
        await move(service.ports, SubscriptionStatus.PAST_DUE)
        await move(service.ports, SubscriptionStatus.ACTIVE)
        lose_something(service)
        seen += [await told(stream), await told(stream)]

    assert [status for _, status in seen] == ["ACTIVE", "PAST_DUE", "ACTIVE"]


async def test_nobody_else_hears_of_it(service: Service) -> None:
    ann, ben = await begun(service), await factories.holder(service, "ben@mail.test")

    async with service.watch(CHANGED, token=ann.token) as hers, service.watch(CHANGED, token=ben.token) as his:
        nothing = asyncio.ensure_future(his.result())
        first = await told(hers)
        await until_watched(service, 2)
        await move(service.ports, SubscriptionStatus.PAST_DUE)
        second = await told(hers)
        await heard(service)
        is_told = nothing.done()
        nothing.cancel()
        await asyncio.gather(nothing, return_exceptions=True)
    async with service.watch(CHANGED) as signed_out:
        refused = await signed_out.result()

    assert (first[1], second[1], is_told) == ("ACTIVE", "PAST_DUE", False)
    assert refused.errors[0].extensions == {"code": "UNAUTHENTICATED"}


@pytest.mark.rule("21")
async def test_a_deletion_is_told_last_and_then_the_stream_ends_with_the_sign_in(service: Service) -> None:
    ann = await begun(service)

    async with service.watch(CHANGED, token=ann.token) as stream:
        first = await told(stream)
        await delete(service, ann)
        await heard(service)
        last, ended = await told(stream), await stream.ends()

    assert (first[1], last[1], ended) == ("ACTIVE", "CANCELLED_BY_CLOSURE", True)


async def test_a_sign_in_that_ended_unheard_is_told_nothing_after_a_gap(service: Service) -> None:
    ann = await begun(service)

    async with service.watch(CHANGED, token=ann.token) as stream:
        await told(stream)
        await end_unheard(ann)
        lose_something(service)
        assert await stream.ends()
