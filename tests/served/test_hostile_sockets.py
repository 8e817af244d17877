"""What one client does to its socket must not be felt by others."""

import asyncio
import socket as sockets

import pytest

from api.routes.graphql_door import SEND_SECONDS_MAX
from tests.live_servers import LiveServer, audit
from tests.served.client import Api
from tests.served.steps import (
    BALANCE_CHANGED,
    DEMO,
    REQUIREMENTS,
    SIGN_IN,
    add_card,
    authorize,
    new_key,
    pay,
    prepaid_service,
    release,
    sign_in,
    until,
)

pytestmark = pytest.mark.xdist_group("served")

PHONE = "+15055550123"
ROUNDS, SOCKETS = 50, 4
OPEN = """mutation ($input: OpenServiceAccountInput!) { openServiceAccount(input: $input) { errors { code } } }"""
ADD_CARD = 'mutation { addPaymentMethod(providerToken: "tok_visa") { errors { code } } }'


async def test_whoever_cancels_each_mutation_at_once_does_not_stop_the_server(server: LiveServer) -> None:
    async with Api(server.url) as api:
        api.token = await sign_in(api)
        taken = {"product": "ADVANCE_CONNECT", "phone": PHONE}

        async def harass() -> None:
            async with api.socket() as socket:
                for number in range(ROUNDS):
                    document = OPEN if number % 2 else ADD_CARD
                    variables = {"input": {**taken, "idempotencyKey": new_key()}} if number % 2 else {}
                    stream = await socket.subscribe(document, **variables)
                    await stream.complete()
                await (await socket.subscribe(REQUIREMENTS)).next()

        await asyncio.gather(*(harass() for _ in range(SOCKETS)))

        assert await api.ask(REQUIREMENTS)
        service_id, card = (await prepaid_service(api))["id"], await add_card(api)
        paid = await asyncio.gather(*(pay(api, service_id, card, "25.00") for _ in range(3)))
        assert [payload["payment"]["status"] for payload in paid] == ["SUCCEEDED"] * 3
    assert audit(server) == (0, "no difference")


async def test_a_reader_that_stalls_loses_its_socket_while_others_go_on(live_server: LiveServer, demo: Api) -> None:
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", live_server.port))
    narrow.setblocking(False)
    long_answer = "{" + "".join(f"a{n}: agreement(kind: TERMS) {{ text }} " for n in range(50)) + "}"
    call_id = new_key()
    async with demo.socket(sock=narrow, max_queue=1) as stalled, demo.socket() as other:
        kept = await other.subscribe(BALANCE_CHANGED)
        await kept.next()
        # More than the buffers of both ends hold; nothing of it is read.
        for number in range(40):
            question = {"type": "subscribe", "id": f"long {number}", "payload": {"query": long_answer}}
            await stalled.send(question)

        await authorize(demo, PHONE, call_id)
        await until(kept, "CALL_STARTED")
        await release(demo, PHONE, call_id)
        await until(kept, "CALL_RELEASED")
        async with asyncio.timeout(SEND_SECONDS_MAX + 15):
            while "a reader that stalled" not in live_server.log.read_text():
                await demo.ask(REQUIREMENTS)
        # What was on its way still arrives; after it comes the end.
        await stalled.closed()
    assert (await demo.ask(SIGN_IN, input=DEMO))["errors"] == []
