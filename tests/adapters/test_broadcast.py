"""Hold every pub/sub backend to one contract."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from api.adapters.broadcast import (
    GAP,
    MESSAGE_BYTES_MAX,
    Broadcast,
    BroadcastUnavailable,
    Subscription,
    Unsubscribed,
    open_broadcast,
)

PATIENCE_SECONDS = 10
BACKENDS = [
    "memory",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def channel() -> str:
    """Name a channel of this test's own: a server may be shared."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
async def broadcast(url: str) -> AsyncIterator[Broadcast]:
    async with open_broadcast(url) as opened:
        yield opened


async def take(subscription: Subscription, count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [(await subscription.get()).message for _ in range(count)]


async def test_messages_arrive_in_the_order_of_publishing(broadcast: Broadcast, channel: str) -> None:
    sent = [f"message {n}" for n in range(100)]
    async with broadcast.subscribe(channel) as subscription:
        for message in sent:
            await broadcast.publish(channel, message)
        assert await take(subscription, 100) == sent


async def test_fifty_concurrent_publishers_lose_nothing(broadcast: Broadcast, channel: str) -> None:
    sent = [f"message {n}" for n in range(500)]
    async with broadcast.subscribe(channel) as subscription:

        async def publish(messages: list[str]) -> None:
            for message in messages:
                await broadcast.publish(channel, message)

        await asyncio.gather(*(publish(sent[n::50]) for n in range(50)))
        assert sorted(await take(subscription, 500)) == sorted(sent)


async def test_a_batch_arrives_whole_and_in_order_with_equal_messages_apart(broadcast: Broadcast, channel: str) -> None:
    sent = ["equal", "equal", *(f"message {n}" for n in range(300)), "equal"]
    async with broadcast.subscribe(channel) as subscription:
        await broadcast.publish_many(channel, sent)
        assert await take(subscription, 303) == sent


async def test_every_one_of_many_simultaneous_first_subscribers_hears(broadcast: Broadcast, channel: str) -> None:
    everyone = asyncio.Barrier(20 + 1)

    async def listen() -> list[str]:
        async with broadcast.subscribe(channel) as subscription:
            await everyone.wait()
            return await take(subscription, 1)

    listeners = [asyncio.create_task(listen()) for _ in range(20)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await everyone.wait()
        await broadcast.publish(channel, "hello")
        assert await asyncio.gather(*listeners) == [["hello"]] * 20


async def test_a_channel_works_again_after_its_last_subscriber_left(broadcast: Broadcast, channel: str) -> None:
    for message in ("first", "second"):
        async with broadcast.subscribe(channel) as subscription:
            await broadcast.publish(channel, message)
            assert await take(subscription, 1) == [message]


@pytest.mark.parametrize("url", BACKENDS[1:], indirect=True)
async def test_another_connection_hears_what_is_published_here(url: str, channel: str) -> None:
    async with open_broadcast(url) as here, open_broadcast(url) as there, there.subscribe(channel) as subscription:
        await here.publish(channel, "hello")
        assert await take(subscription, 1) == ["hello"]


async def test_a_channel_does_not_hear_another(broadcast: Broadcast, channel: str) -> None:
    async with broadcast.subscribe(channel) as subscription, broadcast.subscribe(f"{channel}-b"):
        await broadcast.publish(f"{channel}-b", "not for you")
        await broadcast.publish(channel, "for you")
        assert await take(subscription, 1) == ["for you"]


@pytest.mark.parametrize(
    "message",
    ["", "a:b:c:d", "x" * 7_999, "x" * 8_000, "x" * MESSAGE_BYTES_MAX, "€" * 21_845, "a" + "🙂" * 16_383],
    ids=["empty", "colons", "7999", "8000", "largest", "three-byte", "four-byte"],
)
async def test_any_message_up_to_the_limit_arrives_unchanged(broadcast: Broadcast, channel: str, message: str) -> None:
    async with broadcast.subscribe(channel) as subscription:
        await broadcast.publish_many(channel, [message, "after"])
        assert await take(subscription, 2) == [message, "after"]


@pytest.mark.parametrize(
    "message", ["x" * (MESSAGE_BYTES_MAX + 1), GAP, "\ud800"], ids=["too-long", "nul", "surrogate"]
)
async def test_a_message_beyond_the_contract_is_refused(broadcast: Broadcast, channel: str, message: str) -> None:
    with pytest.raises(ValueError):
        await broadcast.publish(channel, message)


@pytest.mark.parametrize("name", ["", "x" * 64, "a\x00b"])
async def test_a_channel_beyond_the_contract_is_refused(broadcast: Broadcast, name: str) -> None:
    with pytest.raises(ValueError):
        await broadcast.publish(name, "hello")
    with pytest.raises(ValueError):
        async with broadcast.subscribe(name):
            pass


async def test_a_reader_who_falls_behind_gets_one_gap_and_then_what_follows(url: str, channel: str) -> None:
    async with (
        open_broadcast(url, capacity=10) as broadcast,
        broadcast.subscribe(channel) as slow,
        broadcast.subscribe(channel) as quick,
    ):
        for n in range(11):
            await broadcast.publish(channel, f"lost {n}")
            assert await take(quick, 1) == [f"lost {n}"]
        await broadcast.publish(channel, "kept")
        assert await take(quick, 1) == ["kept"]
        assert await take(slow, 2) == [GAP, "kept"]


async def test_disconnecting_ends_every_reader_and_leaves_no_task(url: str, channel: str) -> None:
    before = asyncio.all_tasks()
    broadcast = open_broadcast(url)
    await broadcast.connect()
    assert broadcast.healthy
    async with broadcast.subscribe(channel) as subscription:
        await broadcast.publish(channel, "hello")
        await take(subscription, 1)
        await broadcast.disconnect()
        with pytest.raises(Unsubscribed):
            await take(subscription, 1)
        assert [event async for event in subscription] == []
    await broadcast.disconnect()
    assert not broadcast.healthy
    assert asyncio.all_tasks() == before


async def test_publishing_while_disconnected_is_refused(url: str, channel: str) -> None:
    broadcast = open_broadcast(url)
    with pytest.raises(BroadcastUnavailable):
        await broadcast.publish(channel, "hello")
    await broadcast.connect()
    await broadcast.disconnect()
    with pytest.raises(BroadcastUnavailable):
        await broadcast.publish(channel, "hello")


async def test_a_reader_cancelled_twice_leaves_no_mailbox(broadcast: Broadcast, channel: str) -> None:
    listening = asyncio.Event()

    async def listen() -> None:
        async with broadcast.subscribe(channel) as subscription:
            listening.set()
            await subscription.get()

    reader = asyncio.create_task(listen())
    await listening.wait()
    reader.cancel()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    async with broadcast.subscribe(channel) as subscription:
        await broadcast.publish(channel, "hello")
        assert await take(subscription, 1) == ["hello"]


@pytest.mark.parametrize("scheme", ["redis", "postgres", "postgresql"])
async def test_connecting_to_no_server_names_the_place_without_the_password(scheme: str, unused_tcp_port: int) -> None:
    before = asyncio.all_tasks()
    broadcast = open_broadcast(f"{scheme}://user:s3cret@127.0.0.1:{unused_tcp_port}/0")
    async with asyncio.timeout(5):
        with pytest.raises(BroadcastUnavailable) as refusal:
            await broadcast.connect()
    assert f"{scheme}://127.0.0.1:{unused_tcp_port}/0" in str(refusal.value)
    assert "s3cret" not in str(refusal.value)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("scheme", ["redis", "postgres"])
async def test_a_malformed_url_is_refused_without_its_password(scheme: str) -> None:
    broadcast = open_broadcast(f"{scheme}://user:pass/s3cret@127.0.0.1:port/0")
    with pytest.raises(BroadcastUnavailable) as refusal:
        await broadcast.connect()
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="kafka://host"):
        open_broadcast("kafka://user:s3cret@host")
