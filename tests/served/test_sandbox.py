"""The sandbox's doors: mails and texts that can be read, a clock that can be moved, a processor that can misbehave."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.settings import Settings
from tests.flows.getting_in import SIGN_UP, VERIFY, sign_up_input
from tests.live_servers import LiveServer, audit, live_server
from tests.served.client import Api
from tests.served.steps import (
    BALANCE_CHANGED,
    PAY,
    QUOTE,
    add_card,
    authorize,
    link_token,
    new_key,
    pay,
    prepaid_service,
    sign_in,
    until,
)

pytestmark = pytest.mark.xdist_group("served-commands")

PHONE = "+15055550123"
DOORS = ("/sandbox/mail?to=a", "/sandbox/sms?to=a", "/sandbox/clock")
STATUS = "query ($id: ID!) { node(id: $id) { ... on Payment { status declineReason actionUrl } } }"


@pytest.fixture(scope="module")
def own_server(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server whose clock and processor no other test relies on."""
    folder = tmp_path_factory.mktemp("sandbox")
    shutil.copy(migrated / "app.sqlite3", folder)
    with live_server(folder) as server:
        yield server


@pytest.fixture
async def holder(own_server: LiveServer) -> AsyncIterator[Api]:
    """Yield the demo account's holder, signed in by the clock as it stands."""
    async with Api(own_server.url) as api:
        await api.sandbox("/sandbox/payments", {"next": "ok"})
        api.token = await sign_in(api)
        yield api


async def now(api: Api) -> datetime:
    return datetime.fromisoformat((await api.http.get("/sandbox/clock")).json()["now"])


async def paid(api: Api, card: str = "tok_visa", **more: str) -> dict[str, Any]:
    return await pay(api, (await prepaid_service(api))["id"], await add_card(api, card), **more)


async def test_the_clock_is_read_and_moved(holder: Api) -> None:
    before = await now(holder)

    moved = datetime.fromisoformat((await holder.sandbox("/sandbox/clock", {"advance": "PT2H"}))["now"])

    assert timedelta(0) <= moved - before - timedelta(hours=2) < timedelta(seconds=60)
    assert timedelta(0) <= await now(holder) - moved < timedelta(seconds=60)


@pytest.mark.parametrize(
    "body",
    [
        *(
            f'{{"advance": "{text}"}}'
            for text in ("", "P", "PT", "-PT1H", "1h", "P1Y", "P1M", "PT1.5H", "P99999D", "P١D")
        ),
        "{}",
        "[]",
        "null",
        "",
        '{"advance": 7}',
        '{"advance": null}',
        "\xff",
    ],
)
async def test_what_is_no_duration_moves_nothing(holder: Api, body: str) -> None:
    before = await now(holder)

    answer = await holder.http.post("/sandbox/clock", content=body)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert await now(holder) - before < timedelta(minutes=1)


async def test_the_hold_of_a_call_that_is_never_reported_is_seen_to_expire(holder: Api) -> None:
    before = (await prepaid_service(holder))["balance"]
    async with holder.socket() as socket:
        stream = await socket.subscribe(BALANCE_CHANGED)
        await stream.next()
        await authorize(holder, PHONE, new_key())
        held = await until(stream, "CALL_STARTED")

        await holder.sandbox("/sandbox/clock", {"advance": "PT23H"})
        await holder.sandbox("/sandbox/clock", {"advance": "PT1H1M"})

        released = await until(stream, "CALL_RELEASED")
    assert held["balance"]["held"]["amount"] != before["held"]["amount"]
    assert released["balance"]["held"] == before["held"]
    assert released["balance"]["available"] == before["available"]


async def test_a_mail_is_read_and_its_link_expires_after_a_day(holder: Api) -> None:
    email = f"late-{new_key()}@example.com"
    assert (await holder.ask(SIGN_UP, input=sign_up_input(email)))["errors"] == []
    (mail,) = (await holder.http.get("/sandbox/mail", params={"to": email})).json()
    assert mail.keys() == {"to", "subject", "text", "at"}
    assert mail["to"] == email
    assert datetime.fromisoformat(mail["at"]) <= await now(holder)

    await holder.sandbox("/sandbox/clock", {"advance": "P1DT1S"})

    errors = (await holder.ask(VERIFY, token=link_token(mail["text"])))["errors"]
    assert [error["code"] for error in errors] == ["TOKEN_EXPIRED"]


async def test_what_was_sent_to_nobody_is_an_empty_list_and_whom_must_be_said(holder: Api) -> None:
    for kind in ("mail", "sms"):
        assert (await holder.http.get(f"/sandbox/{kind}", params={"to": "nobody@example.com"})).json() == []
        assert (await holder.http.get(f"/sandbox/{kind}")).status_code == 400


async def test_a_processor_that_declines_fails_the_payment_and_frees_what_was_pending(holder: Api) -> None:
    before = (await prepaid_service(holder))["balance"]["posted"]
    await holder.sandbox("/sandbox/payments", {"next": "decline"})

    payload = await paid(holder)

    assert [error["code"] for error in payload["errors"]] == ["PAYMENT_DECLINED"]
    assert payload["payment"]["status"] == "FAILED"
    assert (await prepaid_service(holder))["balance"]["posted"] == before


@pytest.mark.parametrize(
    ("behaviour", "outcome", "gained"), [("timeout", "FAILED", 0), ("timeout_charged", "SUCCEEDED", 25)]
)
async def test_a_payment_whose_outcome_is_unknown_is_asked_for_until_it_is_known(
    holder: Api, behaviour: str, outcome: str, gained: int
) -> None:
    before = (await prepaid_service(holder))["balance"]["posted"]["amount"]
    await holder.sandbox("/sandbox/payments", {"next": behaviour})
    payload = await paid(holder)
    assert (payload["payment"]["status"], payload["errors"]) == ("PROCESSING", [])
    await holder.sandbox("/sandbox/payments", {"next": "ok"})

    for _ in range(2):
        await holder.sandbox("/sandbox/clock", {"advance": "PT20M"})

        assert (await holder.ask(STATUS, id=payload["payment"]["id"]))["status"] == outcome
        after = (await prepaid_service(holder))["balance"]["posted"]["amount"]
        assert Decimal(after) - Decimal(before) == gained


@pytest.mark.parametrize(("result", "status"), [("ok", "SUCCEEDED"), ("fail", "FAILED")])
async def test_a_bank_that_asks_the_holder_decides_the_payment(holder: Api, result: str, status: str) -> None:
    payload = await paid(holder, "tok_3ds", returnUrl=f"{holder.url}/paid")
    assert payload["payment"]["status"] == "REQUIRES_ACTION"
    address = payload["payment"]["actionUrl"]
    assert re.match(re.escape(holder.url) + "/sandbox/3ds/.", address)

    ended = await holder.http.post(address, json={"result": result})
    again = await holder.http.post(address, json={"result": "ok"})

    assert ended.json() == {"status": status, "returnUrl": f"{holder.url}/paid"}
    assert again.json()["status"] == status
    assert (await holder.ask(STATUS, id=payload["payment"]["id"]))["status"] == status


async def test_a_bank_s_page_leads_back_to_allowed_addresses_alone(holder: Api) -> None:
    service, card = await prepaid_service(holder), await add_card(holder, "tok_3ds")
    purpose = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": service["id"], "amount": "25.00"}
    quote = (await holder.ask(QUOTE, input=purpose))["quote"]["id"]
    for url in ("https://evil.example", f"{holder.url}.evil.example/", "javascript:alert(1)"):
        order = {"quoteId": quote, "paymentMethodId": card, "returnUrl": url, "idempotencyKey": new_key()}
        payload = await holder.ask(PAY, input=order)
        assert [error["path"] for error in payload["errors"]] == [["input", "returnUrl"]]


async def test_a_foreign_page_reaches_no_door(holder: Api) -> None:
    for origin in ("https://evil.example", "null", f"{holder.url}.evil.example"):
        for door in DOORS:
            assert (await holder.http.get(door, headers={"origin": origin})).status_code == 403
        moved = await holder.http.post("/sandbox/clock", json={"advance": "PT1H"}, headers={"origin": origin})
        assert moved.status_code == 403


async def test_the_own_page_reaches_the_doors(holder: Api) -> None:
    assert (await holder.http.get("/sandbox/clock", headers={"origin": holder.url})).status_code == 200


async def test_two_who_move_the_clock_at_once_both_do(holder: Api) -> None:
    before = await now(holder)

    await asyncio.gather(*(holder.sandbox("/sandbox/clock", {"advance": "PT10M"}) for _ in range(3)))

    assert await now(holder) - before >= timedelta(minutes=30)


def test_the_books_are_right_after_all_that(own_server: LiveServer) -> None:
    assert audit(own_server) == (0, "no difference")


def test_outside_the_sandbox_there_are_no_such_doors() -> None:
    settings = Settings.model_construct(sandbox="off", secret_key="x" * 40)

    paths = {getattr(route, "path", "") for route in create_app(settings).routes}

    assert "/graphql" in paths
    assert not [path for path in paths if path.startswith("/sandbox")]
