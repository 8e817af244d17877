"""Do to the pub/sub servers what machines and networks do, while somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest
from redis.asyncio import Redis

from api.adapters.broadcast import GAP, Broadcast, BroadcastUnavailable, Subscription, open_broadcast
from api.adapters.broadcast_postgres import frames
from tests.local_servers import LocalServer
from tests.servers import private_postgres, private_redis

# Longer than any promise of the port, so that a slow machine does not decide a test.
PATIENCE_SECONDS = 20
CHANNEL = "events"
# One worker runs all that is done to one server, so that each server starts once.
ON_PRIVATE_REDIS = pytest.mark.xdist_group("private redis")
ON_PRIVATE_POSTGRES = pytest.mark.xdist_group("private postgres")


@pytest.fixture(scope="module")
def private_redis_server() -> Iterator[LocalServer]:
    with private_redis() as server:
        yield server


@pytest.fixture(scope="module")
def private_postgres_server() -> Iterator[LocalServer]:
    with private_postgres() as server:
        yield server


@pytest.fixture(
    params=[
        pytest.param("redis", marks=[pytest.mark.redis, ON_PRIVATE_REDIS]),
        pytest.param("postgres", marks=[pytest.mark.postgres, ON_PRIVATE_POSTGRES]),
    ]
)
def server(request: pytest.FixtureRequest) -> LocalServer:
    found: LocalServer = request.getfixturevalue(f"private_{request.param}_server")
    return found


@pytest.fixture
async def broadcast(server: LocalServer) -> AsyncIterator[Broadcast]:
    before = asyncio.all_tasks()
    async with open_broadcast(server.url) as opened:
        yield opened
    assert asyncio.all_tasks() - before == {asyncio.current_task()} - before


async def until(subscription: Subscription, message: str) -> list[str]:
    """Return what came before the message."""
    before = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (event := await subscription.get()).message != message:
            before.append(event.message)
    return before


async def assert_delivery_works(broadcast: Broadcast, subscription: Subscription) -> None:
    assert broadcast.healthy
    await broadcast.publish(CHANNEL, "works again")
    assert set(await until(subscription, "works again")) <= {GAP}


async def test_a_killed_and_restarted_server_leaves_a_gap_and_delivery_goes_on(
    server: LocalServer, broadcast: Broadcast
) -> None:
    async with broadcast.subscribe(CHANNEL) as subscription:
        server.kill()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                with pytest.raises(BroadcastUnavailable):
                    await broadcast.publish(CHANNEL, "lost")
        finally:
            server.start()
        assert await until(subscription, GAP) == []
        await assert_delivery_works(broadcast, subscription)


async def test_a_subscription_made_while_the_server_is_down_begins_with_a_gap(
    server: LocalServer, broadcast: Broadcast
) -> None:
    server.kill()
    try:
        with pytest.raises(BroadcastUnavailable):
            await broadcast.publish(CHANNEL, "lost")
        async with asyncio.timeout(PATIENCE_SECONDS), broadcast.subscribe(CHANNEL) as subscription:
            server.start()
            assert await until(subscription, GAP) == []
            await assert_delivery_works(broadcast, subscription)
    finally:
        if not server.running:
            server.start()


async def test_disconnecting_while_the_server_is_down_is_clean(server: LocalServer) -> None:
    before = asyncio.all_tasks()
    broadcast = open_broadcast(server.url)
    await broadcast.connect()
    async with broadcast.subscribe(CHANNEL):
        server.kill()
        try:
            with pytest.raises(BroadcastUnavailable):
                await broadcast.publish(CHANNEL, "lost")
            async with asyncio.timeout(PATIENCE_SECONDS):
                await broadcast.disconnect()
        finally:
            server.start()
    assert asyncio.all_tasks() == before


async def test_a_server_that_falls_silent_is_noticed_and_refuses_every_publisher_in_time(
    server: LocalServer, broadcast: Broadcast
) -> None:
    async with broadcast.subscribe(CHANNEL) as subscription:
        server.pause()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                # Each refusal takes its time-out, so the loop waits for the probe without a clock of its own.
                while broadcast.healthy:
                    publishers = [broadcast.publish(CHANNEL, "lost") for _ in range(50)]
                    outcomes = await asyncio.gather(*publishers, return_exceptions=True)
                    assert {type(outcome) for outcome in outcomes} == {BroadcastUnavailable}
        finally:
            server.resume()
        await until(subscription, GAP)
        # Those who were refused have given their connections back: as many publish now.
        await asyncio.gather(*(broadcast.publish(CHANNEL, "sent") for _ in range(50)))
        await broadcast.publish(CHANNEL, "works again")
        heard = await until(subscription, "works again")
        assert heard.count("sent") == 50
        # The frozen server may have taken messages in and let them out when it woke.
        assert set(heard) <= {GAP, "lost", "sent"}


@pytest.mark.row("F25")
@pytest.mark.redis
@ON_PRIVATE_REDIS
async def test_redis_killing_only_the_listeners_leaves_a_gap(private_redis_server: LocalServer) -> None:
    async with (
        Redis.from_url(private_redis_server.url) as admin,
        open_broadcast(private_redis_server.url) as broadcast,
        broadcast.subscribe(CHANNEL) as subscription,
    ):
        assert await admin.client_kill_filter(_type="pubsub") == 1
        assert await until(subscription, GAP) == []
        await assert_delivery_works(broadcast, subscription)


@pytest.mark.redis
@ON_PRIVATE_REDIS
async def test_redis_paused_for_all_clients_leaves_a_gap(private_redis_server: LocalServer) -> None:
    async with (
        Redis.from_url(private_redis_server.url) as admin,
        open_broadcast(private_redis_server.url) as broadcast,
        broadcast.subscribe(CHANNEL) as subscription,
    ):
        await admin.client_pause(5_000)
        assert await until(subscription, GAP) == []
        await assert_delivery_works(broadcast, subscription)


@pytest.mark.postgres
@ON_PRIVATE_POSTGRES
async def test_postgres_terminating_only_the_listener_leaves_a_gap(private_postgres_server: LocalServer) -> None:
    async with (
        open_broadcast(private_postgres_server.url) as broadcast,
        broadcast.subscribe(CHANNEL) as subscription,
    ):
        for pid in await listeners(private_postgres_server.url):
            psutil.Process(pid).terminate()
        assert await until(subscription, GAP) == []
        await assert_delivery_works(broadcast, subscription)


@pytest.mark.postgres
@ON_PRIVATE_POSTGRES
async def test_postgres_with_a_frozen_listener_is_noticed_while_all_else_works(
    private_postgres_server: LocalServer,
) -> None:
    async with (
        open_broadcast(private_postgres_server.url) as broadcast,
        broadcast.subscribe(CHANNEL) as subscription,
    ):
        frozen = [psutil.Process(pid) for pid in await listeners(private_postgres_server.url)]
        for process in frozen:
            process.suspend()
        try:
            assert await until(subscription, GAP) == []
            await assert_delivery_works(broadcast, subscription)
        finally:
            for process in frozen:
                process.resume()


@pytest.mark.postgres
@ON_PRIVATE_POSTGRES
@pytest.mark.parametrize("which", [0, 1, 2], ids=["first", "middle", "last"])
async def test_postgres_turns_a_message_with_a_lost_part_into_a_gap(
    private_postgres_server: LocalServer, which: int
) -> None:
    parts = list(frames("x" * 20_000, "sender-0"))
    del parts[which]
    heard = await heard_of(private_postgres_server.url, parts)
    assert heard
    assert set(heard) == {GAP}


@pytest.mark.postgres
@ON_PRIVATE_POSTGRES
@pytest.mark.parametrize("payload", ["no frame at all", "a:1:x:b", "a:5:2:b", "a:-1:2:b", "a:0:1000000000:b", ""])
async def test_postgres_turns_a_foreign_payload_into_a_gap(private_postgres_server: LocalServer, payload: str) -> None:
    assert await heard_of(private_postgres_server.url, [payload]) == [GAP]


async def heard_of(url: str, payloads: list[str]) -> list[str]:
    """Return what a reader gets of payloads notified past the port, up to the next whole message."""
    async with open_broadcast(url) as broadcast, broadcast.subscribe(CHANNEL) as subscription:
        connection = await asyncpg.connect(url)
        try:
            for payload in payloads:
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
        finally:
            await connection.close()
        await broadcast.publish(CHANNEL, "whole")
        return await until(subscription, "whole")


async def listeners(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'broadcast listener' AND state = 'idle'"
        )
    finally:
        await connection.close()
    return [row["pid"] for row in rows]
