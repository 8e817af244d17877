"""Opening services and reading them (rules 11, 13a)."""

from __future__ import annotations

import asyncio

import pytest

from api.domain.service_accounts import check_digit
from tests import factories
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import count, open_service

SERVICES = "query($products: [Product!]) { me { serviceAccounts(products: $products) { id product status } } }"


@pytest.mark.rule("11")
async def test_a_new_service_is_empty_and_has_its_phone(service: Service) -> None:
    ann = await factories.holder(service)

    payload = await open_service(service, ann)

    opened = payload["serviceAccount"]
    assert payload["errors"] == []
    assert (opened["product"], opened["status"]) == ("ADVANCE_CONNECT", "ACTIVE")
    assert opened["phoneNumbers"] == [{"phone": "+15055550100"}]
    assert opened["balance"] == {
        "revision": 0,
        "posted": {"amount": "0.00"},
        "held": {"amount": "0.00"},
        "incoming": {"amount": "0.00"},
        "available": {"amount": "0.00"},
        "isLow": False,
    }


@pytest.mark.rule("13a")
async def test_the_printed_number_tells_a_mistyped_digit(service: Service) -> None:
    ann = await factories.holder(service)

    number = (await open_service(service, ann))["serviceAccount"]["number"]

    assert len(number) == 10
    assert number[-1] == check_digit(number[:-1])


@pytest.mark.rule("13a")
async def test_a_customer_has_one_open_service_of_a_product(service: Service) -> None:
    ann = await factories.holder(service)
    await open_service(service, ann)

    again = await open_service(service, ann, "another key", phone="505-555-0101")

    assert codes(again) == ["INVALID_STATE"]
    assert again["errors"][0]["currentState"] == "ACTIVE"
    assert again["errors"][0]["path"] == ["input", "product"]
    assert await count("service_accounts") == 1


@pytest.mark.rule("13a")
async def test_a_phone_is_on_one_open_service(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")
    await open_service(service, ann)

    taken = await open_service(service, bob, phone="(505) 555 0100")

    assert [(error["code"], error["path"]) for error in taken["errors"]] == [("INVALID", ["input", "phone"])]
    assert codes(await open_service(service, bob, phone="505-555-0101")) == []


@pytest.mark.rule("13a")
async def test_of_ten_who_open_with_one_phone_at_once_one_gets_it(service: Service) -> None:
    holders = [await factories.holder(service, f"p{n}@mail.test") for n in range(10)]

    answers = await asyncio.gather(*(open_service(service, holder) for holder in holders))

    assert sorted(codes(answer) for answer in answers) == [[], *[["INVALID"]] * 9]
    assert await count("service_accounts") == await count("balances") == await count("account_phones") == 1


@pytest.mark.rule("13a")
async def test_of_ten_openings_by_one_customer_at_once_one_is_done(service: Service) -> None:
    ann = await factories.holder(service)

    answers = await asyncio.gather(
        *(open_service(service, ann, f"key {n}", phone=f"505-555-010{n}") for n in range(10))
    )

    assert sorted(codes(answer) for answer in answers) == [[], *[["INVALID_STATE"]] * 9]


@pytest.mark.rule("18")
async def test_opening_again_with_the_same_key_gives_the_same_service(service: Service) -> None:
    ann = await factories.holder(service)

    answers = await asyncio.gather(*(open_service(service, ann) for _ in range(10)))

    assert len({answer["serviceAccount"]["id"] for answer in answers}) == 1
    assert await count("service_accounts") == 1


@pytest.mark.parametrize(
    "phone, code", [(None, "REQUIRED"), ("  ", "REQUIRED"), ("555-0100", "INVALID"), ("1-800-FLOWERS", "INVALID")]
)
async def test_a_service_for_calls_needs_a_phone_that_can_be_called(
    service: Service, phone: str | None, code: str
) -> None:
    ann = await factories.holder(service)

    payload = await open_service(service, ann, phone=phone)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [(code, ["input", "phone"])]
    assert await count("idempotency_keys") == 0


async def test_services_can_be_asked_for_by_product(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()

    mine = await service.ask(SERVICES, {"products": ["ADVANCE_CONNECT", "DEBIT"]}, token=ann.token)
    others = await service.ask(SERVICES, {"products": ["DEBIT"]}, token=ann.token)
    none = await service.ask(SERVICES, {"products": []}, token=ann.token)

    assert [found["id"] for found in mine["me"]["serviceAccounts"]] == [opened.id]
    assert others["me"]["serviceAccounts"] == none["me"]["serviceAccounts"] == []


async def test_a_holder_sees_no_services_of_others(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")
    await ann.advance_connect(500)

    seen = await service.ask("{ me { serviceAccounts { id } balances { id } } }", token=bob.token)

    assert seen["me"] == {"serviceAccounts": [], "balances": []}
