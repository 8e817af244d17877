"""Opening each of the five products, and what each shows (rules 11, 13a)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.adapters.database import fetch
from api.domain.service_account_data import service_account_data
from api.domain.service_accounts import Product
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import ERRORS, count
from tests.flows.paying import opened, person, place, service_id

OPEN = f"""mutation($input: OpenServiceAccountInput!) {{ openServiceAccount(input: $input) {{ serviceAccount {{
  __typename id product number status refundPolicy {{ refundable summary }}
  ... on DirectBillAccount {{ balance {{ posted {{ amount }} available {{ amount }} }} unbilled {{ amount }}
    phoneNumbers {{ phone }} calls {{ edges {{ cursor }} }} }}
  ... on DebitAccount {{ recipient {{ displayName facility {{ name }} }} deposits {{ edges {{ cursor }} }} }}
  ... on EMessagingAccount {{ stamps stampPacks {{ stamps price {{ amount }} }} }}
  ... on VideoConnectAccount {{ subscriptions {{ id }} }} }} {ERRORS} }} }}"""


async def open_(service: Service, holder: Holder, product: str, key: str = "key", **inputs: Any) -> dict[str, Any]:
    variables = {"product": product, "idempotencyKey": key, **inputs}
    data = await service.ask(OPEN, {"input": variables}, token=holder.token)
    payload: dict[str, Any] = data["openServiceAccount"]
    return payload


async def books() -> list[tuple[str, str, bool]]:
    rows = await fetch("select kind, unit, balance_id from ledger_accounts order by kind")
    return [(row["kind"], row["unit"], row["balance_id"] is not None) for row in rows]


@pytest.mark.rule("11")
async def test_direct_bill_has_a_credit_limit_and_owes_nothing_yet(service: Service) -> None:
    ann = await factories.holder(service)

    payload = await open_(service, ann, "DIRECT_BILL", phone="505-555-0100")

    assert payload["errors"] == []
    found = payload["serviceAccount"]
    assert found["__typename"] == "DirectBillAccount"
    limit = f"{service_account_data().credit_limit // 100}.00"
    assert found["balance"] == {"posted": {"amount": "0.00"}, "available": {"amount": limit}}
    assert found["unbilled"] == {"amount": "0.00"}
    assert found["phoneNumbers"] == [{"phone": "+15055550100"}]
    assert await books() == [("BILLED", "USD_CENT", True), ("UNBILLED", "USD_CENT", True)]


@pytest.mark.rule("11")
async def test_emessaging_counts_stamps_and_is_no_balance_of_money(service: Service) -> None:
    ann = await factories.holder(service)

    payload = await open_(service, ann, "EMESSAGING")
    shown = await service.ask("{ me { balances { id } } }", token=ann.token)

    assert payload["errors"] == []
    assert payload["serviceAccount"]["stamps"] == 0
    assert {"stamps": 20, "price": {"amount": "10.00"}} in payload["serviceAccount"]["stampPacks"]
    assert shown["me"]["balances"] == []
    assert await count("outbox_events") == 0
    assert await books() == [("STAMPS", "STAMP", True)]


@pytest.mark.rule("11")
async def test_debit_is_for_a_person_in_custody_and_keeps_no_balance(service: Service) -> None:
    ann = await factories.holder(service)
    jordan = await person(await place())

    payload = await open_(service, ann, "DEBIT", incarceratedPersonId=jordan)

    assert payload["errors"] == []
    found = payload["serviceAccount"]
    assert found["recipient"] == {"displayName": "Jordan Rivera", "facility": {"name": "Mesa Jail"}}
    assert found["refundPolicy"]["refundable"] is False
    assert await count("balances") == await count("ledger_accounts") == 0


@pytest.mark.rule("11")
async def test_video_connect_keeps_no_balance(service: Service) -> None:
    ann = await factories.holder(service)

    payload = await open_(service, ann, "VIDEO_CONNECT")

    assert payload["errors"] == []
    assert payload["serviceAccount"]["__typename"] == "VideoConnectAccount"
    assert payload["serviceAccount"]["subscriptions"] == []
    assert await count("balances") == 0


@pytest.mark.rule("13a")
async def test_a_customer_has_one_open_debit_account_per_person(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")
    where = await place()
    jordan, casey = await person(where), await person(where, "A-200", "Casey")

    first = await open_(service, ann, "DEBIT", incarceratedPersonId=jordan)
    replay = await open_(service, ann, "DEBIT", incarceratedPersonId=jordan)
    same = await open_(service, ann, "DEBIT", "two", incarceratedPersonId=jordan)
    other = await open_(service, ann, "DEBIT", "three", incarceratedPersonId=casey)
    bobs = await open_(service, bob, "DEBIT", incarceratedPersonId=jordan)

    assert codes(first) == codes(replay) == codes(other) == codes(bobs) == []
    assert replay["serviceAccount"]["id"] == first["serviceAccount"]["id"]
    assert codes(same) == ["INVALID_STATE"]
    assert await count("service_accounts") == 3


@pytest.mark.rule("13a")
async def test_of_ten_debit_accounts_for_one_person_at_once_one_is_opened(service: Service) -> None:
    ann = await factories.holder(service)
    jordan = await person(await place())

    answers = await asyncio.gather(
        *(open_(service, ann, "DEBIT", f"key {n}", incarceratedPersonId=jordan) for n in range(10))
    )

    assert sorted(codes(answer) for answer in answers) == [[], *[["INVALID_STATE"]] * 9]


@pytest.mark.parametrize(
    "product, inputs, wrong",
    [
        ("DIRECT_BILL", {}, [("REQUIRED", "phone")]),
        ("DIRECT_BILL", {"phone": "1"}, [("INVALID", "phone")]),
        ("DIRECT_BILL", {"incarceratedPersonId": "x"}, [("REQUIRED", "phone"), ("INVALID", "incarceratedPersonId")]),
        ("DEBIT", {}, [("REQUIRED", "incarceratedPersonId")]),
        ("DEBIT", {"incarceratedPersonId": "x"}, [("NOT_FOUND", "incarceratedPersonId")]),
        ("DEBIT", {"phone": "505-555-0100"}, [("INVALID", "phone"), ("REQUIRED", "incarceratedPersonId")]),
        ("EMESSAGING", {"phone": "505-555-0100"}, [("INVALID", "phone")]),
        ("VIDEO_CONNECT", {"incarceratedPersonId": "x"}, [("INVALID", "incarceratedPersonId")]),
    ],
)
async def test_what_a_product_wants_and_does_not_take_is_said_at_once(
    service: Service, product: str, inputs: dict[str, str], wrong: list[tuple[str, str]]
) -> None:
    ann = await factories.holder(service)

    payload = await open_(service, ann, product, **inputs)

    assert [(error["code"], error["path"][-1]) for error in payload["errors"]] == wrong
    assert await count("service_accounts") == await count("idempotency_keys") == 0


async def test_a_facility_that_takes_no_deposits_says_so(service: Service) -> None:
    ann = await factories.holder(service)
    jordan = await person(await place(products=(Product.ADVANCE_CONNECT,)))

    assert codes(await open_(service, ann, "DEBIT", incarceratedPersonId=jordan)) == ["UNAVAILABLE"]


async def test_each_product_is_found_by_its_id_with_its_own_type(service: Service) -> None:
    ann = await factories.holder(service)
    jordan = await person(await place())
    keys = [
        await opened(ann, Product.ADVANCE_CONNECT, phone="505-555-0100"),
        await opened(ann, Product.DIRECT_BILL, phone="505-555-0101"),
        await opened(ann, Product.DEBIT, jordan),
        await opened(ann, Product.EMESSAGING),
        await opened(ann, Product.VIDEO_CONNECT),
    ]

    nodes = await service.ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { __typename } }", {"ids": list(map(service_id, keys))}, token=ann.token
    )
    mine = await service.ask("{ me { serviceAccounts { product } balances { product } } }", token=ann.token)

    assert [node["__typename"] for node in nodes["nodes"]] == [
        "AdvanceConnectAccount", "DirectBillAccount", "DebitAccount", "EMessagingAccount", "VideoConnectAccount"
    ]  # fmt: skip
    assert len(mine["me"]["serviceAccounts"]) == 5
    assert [found["product"] for found in mine["me"]["balances"]] == ["ADVANCE_CONNECT", "DIRECT_BILL"]


async def test_a_person_is_found_by_id_by_those_who_have_an_account_for_them(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")
    jordan = await person(await place())
    await opened(ann, Product.DEBIT, jordan)
    node = "query($id: ID!) { node(id: $id) { ... on IncarceratedPerson { displayName } } }"

    assert (await service.ask(node, {"id": jordan}, token=ann.token))["node"] == {"displayName": "Jordan Rivera"}
    assert (await service.ask(node, {"id": jordan}, token=bob.token))["node"] is None
    assert (await service.ask(node, {"id": jordan}))["node"] is None
