"""The text provider's door: signed, time-stamped, bounded, each text taken once (rules 17, 19)."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from api.adapters.database import fetch
from api.adapters.sandbox_messages import SandboxTexter
from api.adapters.signatures import BadSignature, sign, verify
from api.routes.gate import Gate
from api.routes.sandbox import sandbox_routes
from api.routes.texts import BODY_BYTES_MAX, texts_route
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.top_ups import MOBILE, captured, scene

pytestmark = pytest.mark.rule("17")
KEY = "a key of 16 or more"
ORIGIN = "https://calls.example"


class KeyedTexter(SandboxTexter):
    """The sandbox's texter, with a provider whose key is known."""

    def is_from_provider(self, body: bytes, signature: str | None, now_seconds: float) -> bool:
        try:
            verify(KEY, body, signature, now_seconds)
        except BadSignature:
            return False
        return True


def client(service: Service, *, keyed: bool = True) -> httpx.AsyncClient:
    if keyed:
        service.ports.texter = KeyedTexter(service.ports.clock)
    routes = [texts_route(service.ports), *sandbox_routes(service.ports, service.runner.run_due)]
    gate = Middleware(Gate, hosts=frozenset({"calls.example"}), origins=(ORIGIN,))
    transport = httpx.ASGITransport(Starlette(routes=routes, middleware=[gate]))
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, timeout=SECONDS_MAX, trust_env=False)


async def post(http: httpx.AsyncClient, body: bytes, *, key: str = KEY, ago: int = 0, signed: bool = True) -> int:
    """Post what the provider would; return the status of the answer."""
    headers = {"x-signature": sign(key, body, int(time.time()) - ago)} if signed else {}
    return (await http.post("/webhooks/sms", content=body, headers=headers)).status_code


def text(message_id: str = "one", words: str = "Yes") -> bytes:
    return json.dumps({"id": message_id, "from": MOBILE, "text": words}).encode()


async def test_a_signed_yes_is_taken_once_however_often_it_is_sent(service: Service) -> None:
    ann = await scene(service, 500)
    await ann.set_text_pay()
    http = client(service)

    statuses = [await post(http, text()) for _ in range(5)]
    await ann.settle()

    assert statuses == [200] * 5
    assert await captured(service) == 2_500
    assert [row["message_id"] for row in await fetch("select message_id from inbound_texts")] == ["one"]


async def test_what_is_not_signed_by_the_provider_about_now_has_no_effect(service: Service) -> None:
    ann = await scene(service, 500)
    await ann.set_text_pay()
    http = client(service)

    assert await post(http, text(), signed=False) == 401
    assert await post(http, text(), key="another key of 16") == 401
    assert await post(http, text(), ago=302) == 401
    assert await post(http, text(), ago=-302) == 401
    signature = sign(KEY, text(words="No"), int(time.time()))
    forged = await http.post("/webhooks/sms", content=text(), headers={"x-signature": signature})
    assert forged.status_code == 401
    await ann.settle()

    assert await captured(service) == 0
    assert await fetch("select id from inbound_texts") == []


async def test_without_a_provider_the_door_takes_nothing(service: Service) -> None:
    assert await post(client(service, keyed=False), text()) == 401


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[]", b"{}", b'{"id": 1, "from": "+15055550177", "text": "Yes"}',
     b'{"id": "", "from": "+15055550177", "text": "Yes"}', b'{"id": "1", "from": "12", "text": "Yes"}',
     b'{"id": "1", "from": "+15055550177", "text": null}',
     json.dumps({"id": "x" * 121, "from": MOBILE, "text": ""}).encode()],
    ids=range(9),
)  # fmt: skip
async def test_what_is_no_text_is_refused_without_an_error_of_ours(service: Service, body: bytes) -> None:
    assert await post(client(service), body) == 400


async def test_a_body_longer_than_any_text_is_refused(service: Service) -> None:
    assert await post(client(service), text(words="x" * BODY_BYTES_MAX)) == 413
    assert await post(client(service), text(words="x" * 10_000)) == 200


async def test_the_sandbox_lets_a_text_arrive_and_shows_what_was_sent(service: Service) -> None:
    ann = await scene(service, 500)
    await ann.set_text_pay()
    http = client(service, keyed=False)

    async def sent() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await http.get("/sandbox/sms", params={"to": MOBILE})).json()
        return found

    (offer,) = await sent()
    assert offer["to"] == MOBILE
    assert "Yes" in offer["text"]
    answer = await http.post("/sandbox/sms", json={"from": "(505) 555-0177", "text": "yes!"})

    assert answer.status_code == 200
    assert await captured(service) == 2_500
    assert "$25.00" in (await sent())[0]["text"]
    assert (await http.post("/sandbox/sms", json={"from": "nobody", "text": "yes"})).status_code == 400
    assert (await http.post("/sandbox/sms", content=b"{")).status_code == 400
