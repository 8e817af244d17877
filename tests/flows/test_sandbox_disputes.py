"""The sandbox's way to have a bank take a payment back, and to end that."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from api.routes.sandbox import sandbox_routes
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.money import balance, pay


async def paid(service: Service) -> tuple[Holder, str]:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    payload = await pay(service, ann, await ann.quote(opened), await ann.card())
    return ann, payload["payment"]["id"]


async def post(service: Service, **body: Any) -> httpx.Response:
    async def run_due(until: datetime) -> None:
        await service.work()

    transport = httpx.ASGITransport(Starlette(routes=sandbox_routes(service.ports, run_due)))
    async with httpx.AsyncClient(transport=transport, base_url="https://calls.example", timeout=SECONDS_MAX) as http:
        return await http.post("/sandbox/payments", json=body)


@pytest.mark.parametrize(("result", "left"), [("won", "25.00"), ("lost", "15.00")])
async def test_a_dispute_is_raised_and_ended(service: Service, result: str, left: str) -> None:
    ann, payment = await paid(service)

    opened = await post(service, dispute=payment, amount=1_000)
    taken = (await balance(service, ann))["posted"]
    ended = await post(service, dispute=payment, result=result)

    assert (opened.status_code, opened.json()["status"], opened.json()["amount"]) == (200, "OPEN", 1_000)
    assert (ended.status_code, ended.json()["status"]) == (200, result.upper())
    assert (taken, (await balance(service, ann))["posted"]) == ("15.00", left)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"dispute": "nothing"}, 404),
        ({"dispute": None, "result": "won"}, 404),
        ({"dispute": "nothing", "result": "perhaps"}, 400),
        ({"dispute": "nothing", "amount": "1"}, 400),
    ],
)
async def test_what_cannot_be_disputed_is_not(service: Service, body: dict[str, Any], status: int) -> None:
    assert (await post(service, **body)).status_code == status


async def test_more_than_was_paid_is_not_disputed(service: Service) -> None:
    ann, payment = await paid(service)

    assert (await post(service, dispute=payment, amount=2_501)).status_code == 404
    assert (await post(service, dispute=payment, result="won")).status_code == 404
    assert (await balance(service, ann))["posted"] == "25.00"
