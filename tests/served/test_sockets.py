"""graphql-transport-ws as real clients speak it, well and badly."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import InvalidStatus

from api.routes.graphql_door import INIT_SECONDS_MAX, OPERATIONS_MAX
from tests.served.client import Api, Socket
from tests.served.steps import (
    BALANCE_CHANGED,
    REQUIREMENTS,
    SIGN_OUT,
    authorize,
    new_key,
    prepaid_service,
    release,
    sign_in,
    until,
)

pytestmark = pytest.mark.xdist_group("served")

PHONE = "+15055550123"
ME = {"query": "{ me { id } }"}


@pytest.fixture
async def fresh(api: Api) -> AsyncIterator[Socket]:
    """Yield a socket on which nothing was said yet."""
    async with api.open_socket() as socket:
        yield socket


@pytest.fixture
async def socket(demo: Api) -> AsyncIterator[Socket]:
    """Yield an acknowledged socket of the demo account's holder."""
    async with demo.socket() as opened:
        yield opened


async def test_a_socket_that_says_nothing_is_closed(fresh: Socket) -> None:
    assert await fresh.closed(INIT_SECONDS_MAX.total_seconds() + 10) == 4408


async def test_a_socket_that_asks_before_it_was_acknowledged_is_closed(fresh: Socket) -> None:
    await fresh.subscribe(REQUIREMENTS)

    assert await fresh.closed() == 4401


async def test_a_socket_that_begins_twice_is_closed(socket: Socket) -> None:
    await socket.send({"type": "connection_init"})

    assert await socket.closed() == 4429


async def test_a_socket_that_uses_an_id_twice_at_once_is_closed(socket: Socket) -> None:
    await (await socket.subscribe(BALANCE_CHANGED, key="same")).next()
    await socket.subscribe(BALANCE_CHANGED, key="same")

    assert await socket.closed() == 4409


async def test_an_id_may_be_used_again_once_its_operation_is_over(socket: Socket) -> None:
    for _ in range(2):
        stream = await socket.subscribe(REQUIREMENTS, key="same")
        assert (await stream.next())["passwordMinLength"] == 8
        assert (await stream.message())["type"] == "complete"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "nonsense",
        "null",
        "7",
        "[]",
        "{}",
        '{"type": null}',
        '{"type": "no_such_type"}',
        '{"type": "start", "id": "1", "payload": {"query": "{ me { id } }"}}',
        '{"type": "ping", "payload": 7}',
        '{"type": "subscribe"}',
        '{"type": "complete"}',
        '{"type": "complete", "id": 7}',
        json.dumps({"type": "subscribe", "payload": ME}),
        json.dumps({"type": "subscribe", "id": "", "payload": ME}),
        json.dumps({"type": "subscribe", "id": 1, "payload": ME}),
        json.dumps({"type": "subscribe", "id": None, "payload": ME}),
        json.dumps({"type": "subscribe", "id": "x" * 101, "payload": ME}),
        json.dumps({"type": "subscribe", "id": "1", "payload": []}),
        json.dumps({"type": "subscribe", "id": "1", "payload": {}}),
        json.dumps({"type": "subscribe", "id": "1", "payload": {"query": 7}}),
        json.dumps({"type": "subscribe", "id": "1", "payload": {**ME, "variables": []}}),
        json.dumps({"type": "subscribe", "id": "1", "payload": {**ME, "operationName": 7}}),
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ node(id: \\"\\u0000\\") { id } }"}}',
        "[" * 30_000 + "]" * 30_000,
        b'{"type": "ping"}',
        b"\xff\x00",
    ],
    ids=lambda message: repr(message[:60]),
)
async def test_a_message_of_the_wrong_shape_closes_the_socket(socket: Socket, message: str | bytes) -> None:
    await socket.send(message)

    assert await socket.closed() == 4400


@pytest.mark.parametrize("payload", [7, [], "text"])
async def test_a_beginning_of_the_wrong_shape_closes_the_socket(fresh: Socket, payload: object) -> None:
    await fresh.send({"type": "connection_init", "payload": payload})

    assert await fresh.closed() == 4400


async def test_a_frame_past_64_kib_closes_the_socket(socket: Socket) -> None:
    await socket.send({"type": "ping", "payload": {"a": "x" * 65_536}})

    assert await socket.closed() == 1009


@pytest.mark.parametrize("payload", [{"query": "{"}, {"query": "{ noSuchField }"}, {**ME, "operationName": "Other"}])
async def test_a_document_that_cannot_be_run_harms_no_other_operation(socket: Socket, payload: object) -> None:
    stream = await socket.subscribe(BALANCE_CHANGED)
    await stream.next()
    await socket.send({"type": "subscribe", "id": "bad", "payload": payload})

    message = await socket.receive()

    assert (message["type"], message["id"]) == ("error", "bad")
    assert message["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert (await (await socket.subscribe(REQUIREMENTS)).next())["passwordMinLength"] == 8


@pytest.mark.row("T12")
@pytest.mark.parametrize("value", ["Bearer no-such-token", "Bearer ", "Basic abc", "", 7, ["Bearer x"]])
async def test_a_token_that_nobody_bears_is_refused_at_once(fresh: Socket, value: object) -> None:
    await fresh.send({"type": "connection_init", "payload": {"authorization": value}})

    assert await fresh.closed() == 4403


@pytest.mark.row("T12")
async def test_without_a_token_a_socket_serves_what_everybody_may_ask(api: Api) -> None:
    async with api.socket() as socket:
        assert (await (await socket.subscribe(REQUIREMENTS)).next())["passwordMinLength"] == 8
        message = await (await socket.subscribe(BALANCE_CHANGED)).message()

    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert errors[0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("soap",)])
async def test_other_protocols_are_refused(api: Api, protocols: tuple[str, ...]) -> None:
    async with api.open_socket(protocols=protocols) as socket:
        assert await socket.closed() == 4406


@pytest.mark.row("T11")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://127.0.0.1:1"]
)
async def test_a_foreign_page_gets_no_socket(api: Api, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with api.open_socket(origin=origin):
            pass

    assert refused.value.response.status_code == 403


@pytest.mark.row("T11")
async def test_the_own_page_and_what_is_no_page_get_a_socket(api: Api) -> None:
    for origin in (api.url, None):
        async with api.socket(origin=origin):
            pass


@pytest.mark.row("T11")
async def test_a_host_that_is_not_served_gets_no_socket_even_from_its_own_page(api: Api) -> None:
    headers = {"host": "evil.example"}
    with pytest.raises(InvalidStatus) as refused:
        async with api.open_socket(origin="http://evil.example", additional_headers=headers):
            pass

    assert refused.value.response.status_code == 403


@pytest.mark.row("L15")
async def test_a_token_in_the_address_of_a_socket_is_not_looked_at(api: Api, demo_token: str) -> None:
    async with api.socket(path=f"/graphql?authorization=Bearer%20{demo_token}") as socket:
        assert await (await socket.subscribe("{ me { id } }")).next() is None


async def test_pings_of_the_protocol_are_answered_at_any_time(fresh: Socket) -> None:
    await fresh.send({"type": "ping", "payload": {"a": 1}})
    assert (await fresh.receive())["type"] == "pong"

    await fresh.init()
    await fresh.send({"type": "ping"})
    await fresh.send({"type": "pong"})
    assert (await fresh.receive())["type"] == "pong"


async def test_more_operations_than_a_socket_may_have_are_refused_and_the_others_go_on(socket: Socket) -> None:
    for _ in range(OPERATIONS_MAX):
        await (await socket.subscribe(BALANCE_CHANGED)).next()

    refused = await (await socket.subscribe(BALANCE_CHANGED, key="one too many")).message()
    assert refused["type"] == "error"
    assert refused["payload"][0]["extensions"]["code"] == "TOO_COMPLEX"

    await socket.send({"type": "complete", "id": "1"})
    await (await socket.subscribe(BALANCE_CHANGED, key="in its place")).next()


async def test_a_change_reaches_every_stream_of_its_owner_and_none_that_was_completed(demo: Api) -> None:
    service_id, call_id = (await prepaid_service(demo))["id"], new_key()
    async with demo.socket() as one, demo.socket() as other:
        kept, ended = await one.subscribe(BALANCE_CHANGED, id=service_id), await one.subscribe(BALANCE_CHANGED)
        elsewhere = await other.subscribe(BALANCE_CHANGED)
        for stream in (kept, ended, elsewhere):
            assert (await stream.next())["cause"] == "SNAPSHOT"
        await ended.complete()
        # Messages of a socket are taken in order: what comes back after this proves that the stream has ended.
        await (await one.subscribe(REQUIREMENTS)).next()

        await authorize(demo, PHONE, call_id)

        assert (await kept.next())["cause"] == "CALL_STARTED"
        assert (await elsewhere.next())["cause"] == "CALL_STARTED"
        await release(demo, PHONE, call_id)
        assert (await kept.next())["cause"] == "CALL_RELEASED"
        with pytest.raises(TimeoutError):
            await ended.message(seconds=0.5)


@pytest.mark.row("T2")
async def test_signing_out_ends_the_streams_and_sockets_of_that_sign_in_alone(api: Api, demo: Api) -> None:
    token = await sign_in(api)
    async with api.socket(token) as socket, demo.socket() as other:
        stream, kept = await socket.subscribe(BALANCE_CHANGED), await other.subscribe(BALANCE_CHANGED)
        await stream.next()
        await kept.next()

        await api.ask(SIGN_OUT, by=token)

        assert (await stream.message(5))["type"] == "complete"
        assert await socket.closed(2) == 4403
        call_id = new_key()
        await authorize(demo, PHONE, call_id)
        await until(kept, "CALL_STARTED")
        await release(demo, PHONE, call_id)


async def test_connections_that_are_cut_off_leave_a_server_that_answers(demo: Api) -> None:
    for _ in range(20):
        async with demo.socket() as socket:
            await (await socket.subscribe(BALANCE_CHANGED)).next()
            socket.connection.transport.abort()

    await asyncio.gather(*(demo.ask(REQUIREMENTS) for _ in range(10)))
    assert (await demo.http.get("/readyz")).status_code == 200
