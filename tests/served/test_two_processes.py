"""What is changed at one process is seen at another, whatever dies in between."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from api.auth.tokens import token_hash
from api.domain.ids import NodeKind, key_of
from tests.live_servers import audit, live_server
from tests.served.client import Api
from tests.served.conftest import SECRET_KEY, Pair
from tests.served.steps import (
    BALANCE_CHANGED,
    REQUIREMENTS,
    add_card,
    authorize,
    new_key,
    pay,
    prepaid_service,
    release,
    sign_in,
    until,
    until_revision,
)

pytestmark = [pytest.mark.xdist_group("served"), pytest.mark.postgres, pytest.mark.redis]

PHONE = "+15055550123"


@pytest.fixture
async def first(pair: Pair) -> AsyncIterator[Api]:
    async with Api(pair.first.url) as api:
        api.token = await sign_in(api)
        yield api


@pytest.fixture
async def second(pair: Pair, first: Api) -> AsyncIterator[Api]:
    async with Api(pair.second.url, first.token) as api:
        yield api


async def test_what_is_paid_and_called_at_one_process_is_seen_at_the_other(first: Api, second: Api) -> None:
    service, card, call_id = await prepaid_service(first), await add_card(first), new_key()
    async with first.socket() as socket:
        stream = await socket.subscribe(BALANCE_CHANGED, id=service["id"])
        start = (await stream.next())["balance"]["revision"]

        assert (await pay(second, service["id"], card))["payment"]["status"] == "SUCCEEDED"
        await authorize(second, PHONE, call_id)
        await release(second, PHONE, call_id)

        updates = await until_revision(stream, start + 4)
    assert [update["balance"]["revision"] for update in updates] == [start + n for n in (1, 2, 3, 4)]
    assert [update["cause"] for update in updates] == ["PAYMENT_PENDING", "FUNDED", "CALL_STARTED", "CALL_RELEASED"]


@pytest.mark.row("T2")
@pytest.mark.rule("10")
async def test_signing_out_at_one_process_ends_streams_and_sockets_at_the_other_within_2_seconds(
    first: Api, second: Api
) -> None:
    token = await sign_in(first)
    async with first.socket(token) as socket:
        stream = await socket.subscribe(BALANCE_CHANGED)
        await stream.next()

        await second.ask("mutation { signOut { accepted } }", by=token)

        async with asyncio.timeout(2):
            assert (await stream.message())["type"] == "complete"
            assert await socket.closed() == 4403


@pytest.mark.rule("10")
async def test_an_end_that_no_process_was_told_of_is_found_at_the_next_look_at_all(pair: Pair, first: Api) -> None:
    token = await sign_in(first)
    async with first.socket(token) as socket:
        connection = await asyncpg.connect(pair.database_url)
        await connection.execute("update sign_ins set ended_at = now() where token_hash = $1", token_hash(token))
        await connection.close()

        assert await socket.closed() == 4403


@pytest.mark.row("F4")
async def test_an_event_that_a_dead_process_left_behind_is_published_by_the_others(pair: Pair, first: Api) -> None:
    service = await prepaid_service(first)
    database = await asyncpg.connect(pair.database_url)
    async with first.socket() as socket:
        stream = await socket.subscribe(BALANCE_CHANGED, id=service["id"])
        before = (await stream.next())["balance"]
        try:
            revision = await _die_after_commit(database, key_of(service["id"], NodeKind.SERVICE_ACCOUNT))
        finally:
            await database.close()

        update = (await until_revision(stream, revision))[-1]

    assert revision == before["revision"] + 1
    assert update["balance"]["available"] == before["available"]


async def _die_after_commit(database: asyncpg.Connection, service_id: uuid.UUID | None) -> int:
    """Do to the database what a use case does, by a process that is gone before it could publish anything."""
    async with database.transaction():
        balance = await database.fetchrow(
            "update balances set revision = revision + 1 where service_account_id = $1 returning *", service_id
        )
        account = await database.fetchrow(
            "update accounts set event_number = event_number + 1 where id = $1 returning *", balance["account_id"]
        )
        last = await database.fetchval(
            "select message from outbox_events where account_id = $1 and message::text like '%\"entry\"%'"
            " order by number desc limit 1",
            account["id"],
        )
        message = json.loads(last)
        assert message["kind"] == "balance"
        message["balance"] |= {
            name: balance[name] for name in ("revision", "posted", "held", "incoming") if name in message["balance"]
        }
        message["number"] = account["event_number"]
        await database.execute(
            "insert into outbox_events (id, account_id, number, message, created_at, published_at)"
            " values ($1, $2, $3, $4, $5, null)",
            uuid.uuid4(), account["id"], account["event_number"], json.dumps(message),
            datetime.now(UTC) - timedelta(seconds=5),
        )  # fmt: skip
    revision: int = balance["revision"]
    return revision


@pytest.mark.row("F24")
async def test_an_open_stream_learns_the_truth_after_redis_was_away(pair: Pair, first: Api, second: Api) -> None:
    service, call_id = await prepaid_service(first), new_key()
    async with first.socket() as socket:
        stream = await socket.subscribe(BALANCE_CHANGED, id=service["id"])
        start = (await stream.next())["balance"]["revision"]

        pair.redis.kill()
        try:
            await authorize(second, PHONE, call_id)
        finally:
            pair.redis.start()

        missed = (await until_revision(stream, start + 1))[-1]
        assert missed["balance"]["revision"] == start + 1
        await release(second, PHONE, call_id)
        await until_revision(stream, start + 2)
    async with asyncio.timeout(20):
        for url in (pair.first.url, pair.second.url):
            while httpx.get(f"{url}/readyz", trust_env=False).status_code != 200:  # noqa: ASYNC210
                await first.ask(REQUIREMENTS)


async def test_postgresql_carries_the_events_too(pair: Pair) -> None:
    settings = {"DATABASE_URL": pair.database_url, "BROADCAST_URL": pair.database_url, "SECRET_KEY": SECRET_KEY}
    folder, call_id = pair.first.folder, new_key()
    with live_server(folder, **settings) as one, live_server(folder, **settings) as other:
        async with Api(one.url) as first, Api(other.url) as second:
            first.token = second.token = await sign_in(first)
            async with first.socket() as socket:
                stream = await socket.subscribe(BALANCE_CHANGED)
                await stream.next()
                await authorize(second, PHONE, call_id)
                await until(stream, "CALL_STARTED")
                await release(second, PHONE, call_id)
                await until(stream, "CALL_RELEASED")


async def test_two_workers_of_one_server_tell_each_other(pair: Pair) -> None:
    call_id = new_key()
    with live_server(pair.first.folder, "--workers", "2", **pair.first.settings) as server:
        async with Api(server.url) as api:
            api.token = await sign_in(api)
            async with AsyncExitStack() as stack:
                # Whichever worker took each of these sockets, all of them are told.
                sockets = [await stack.enter_async_context(api.socket()) for _ in range(6)]
                streams = [await socket.subscribe(BALANCE_CHANGED) for socket in sockets]
                for stream in streams:
                    await stream.next()
                await authorize(api, PHONE, call_id)
                await asyncio.gather(*(until(stream, "CALL_STARTED") for stream in streams))
                await release(api, PHONE, call_id)
        assert server.end() == 0


def test_the_books_are_right_after_all_that(pair: Pair) -> None:
    assert audit(pair.first) == (0, "no difference")
