"""Phones on a service: one open account a number, at least one number a service for calls (rule 13a)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.service_account_data import service_account_data
from api.domain.service_accounts import Product
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import ERRORS, authorize, count, open_service, record
from tests.flows.paying import opened, service_id

PHONES = "... on AdvanceConnectAccount { phoneNumbers { id phone label blocked } }"
ADD = f"""mutation($service: ID!, $phone: String!, $label: String) {{
  addPhone(serviceAccountId: $service, phone: $phone, label: $label) {{ serviceAccount {{ {PHONES} }} {ERRORS} }} }}"""
BLOCK = f"""mutation($phone: ID!, $blocked: Boolean!) {{
  setPhoneBlocked(phoneId: $phone, blocked: $blocked) {{ serviceAccount {{ {PHONES} }} {ERRORS} }} }}"""
REMOVE = f"""mutation($phone: ID!) {{ removePhone(phoneId: $phone) {{ serviceAccount {{ {PHONES} }} {ERRORS} }} }}"""


async def add(service: Service, holder: Holder, service_key: str, phone: str, label: str | None = None) -> Any:
    variables = {"service": service_key, "phone": phone, "label": label}
    return (await service.ask(ADD, variables, token=holder.token))["addPhone"]


async def block(service: Service, holder: Holder, phone_id: str, blocked: bool = True) -> Any:
    variables = {"phone": phone_id, "blocked": blocked}
    return (await service.ask(BLOCK, variables, token=holder.token))["setPhoneBlocked"]


async def remove(service: Service, holder: Holder, phone_id: str) -> Any:
    return (await service.ask(REMOVE, {"phone": phone_id}, token=holder.token))["removePhone"]


async def phone_id(number: str) -> str:
    row = (await fetch("select id from account_phones where phone = $1", number))[0]
    return global_id(NodeKind.PHONE, read_uuid(row["id"]))


async def prepaid(service: Service, cents: int = 0) -> tuple[Holder, Opened]:
    ann = await factories.holder(service)
    return ann, await ann.advance_connect(cents)


@pytest.mark.rule("13a")
async def test_a_number_is_added_once_and_renamed_by_adding_it_again(service: Service) -> None:
    ann, mine = await prepaid(service)

    first = await add(service, ann, mine.id, "(505) 555-0177", " Abuela  Ana ")
    again = await add(service, ann, mine.id, "+1 505 555 0177")
    renamed = await add(service, ann, mine.id, "505-555-0177", "Ana")

    assert [codes(answer) for answer in (first, again, renamed)] == [[], [], []]
    assert first == again
    assert [(p["phone"], p["label"]) for p in first["serviceAccount"]["phoneNumbers"]][1] == (
        "+15055550177",
        "Abuela Ana",
    )
    assert renamed["serviceAccount"]["phoneNumbers"][1]["label"] == "Ana"
    assert await count("account_phones") == 2


@pytest.mark.rule("13a")
async def test_of_many_who_add_one_number_at_once_one_gets_it(service: Service) -> None:
    people = [await factories.holder(service, f"p{n}@mail.test") for n in range(6)]
    services = [await one.advance_connect() for one in people]

    answers = await asyncio.gather(
        *(add(service, one, its.id, "505-555-0177") for one, its in zip(people, services, strict=True) for _ in (1, 2))
    )

    assert sorted(map(codes, answers)) == [[], [], *[["INVALID"]] * 10]
    assert len(await fetch("select id from account_phones where live_phone = '+15055550177'")) == 1


@pytest.mark.parametrize(
    "phone, label, wrong",
    [
        ("", None, [("REQUIRED", "phone")]),
        ("1-800-FLOWERS", "x" * 61, [("INVALID", "phone"), ("TOO_LONG", "label")]),
        ("505-555-0177", "a\0b", [("INVALID", "label")]),
        ("505-555-0177", "x" * 100_000, [("TOO_LONG", "label")]),
    ],
)
async def test_what_is_no_number_or_label_is_refused(
    service: Service, phone: str, label: str | None, wrong: list[tuple[str, str]]
) -> None:
    ann, mine = await prepaid(service)

    payload = await add(service, ann, mine.id, phone, label)

    assert [(error["code"], *error["path"]) for error in payload["errors"]] == wrong
    assert await count("account_phones") == 1


async def test_a_service_has_so_many_numbers_and_no_more(service: Service) -> None:
    ann, mine = await prepaid(service)
    phones_max = service_account_data().phones_max

    answers = await asyncio.gather(*(add(service, ann, mine.id, f"505-555-01{n:02d}") for n in range(phones_max + 2)))

    assert sorted(map(codes, answers)) == [*[[]] * (phones_max - 1), *[["INVALID"]] * 3]
    assert await count("account_phones") == phones_max


async def test_a_product_without_calls_has_no_numbers(service: Service) -> None:
    ann = await factories.holder(service)
    stamps = service_id(await opened(ann, Product.EMESSAGING))

    assert codes(await add(service, ann, stamps, "505-555-0177")) == ["INVALID"]


@pytest.mark.rule("13")
async def test_a_blocked_number_is_not_called_and_what_was_before_is_still_charged(service: Service) -> None:
    ann, mine = await prepaid(service, 1_000)
    switch = await factories.switch_key(service)
    began = service.ports.now()
    await service.advance(timedelta(minutes=10))
    key = await phone_id(mine.phone)

    blocked = [await block(service, ann, key) for _ in range(2)]
    refused = await authorize(service, switch, mine.phone, "while blocked")
    late = await record(service, switch, mine.phone, 60, "before", startedAt=began.isoformat())
    since = await record(service, switch, mine.phone, 60, "since")
    freed = await block(service, ann, key, False)

    assert blocked[0] == blocked[1]
    assert blocked[0]["serviceAccount"]["phoneNumbers"][0]["blocked"] is True
    assert refused["maxSeconds"] == 0
    assert late["call"]["cost"] == {"amount": "0.10"}
    assert codes(since) == ["NOT_FOUND"]
    assert freed["serviceAccount"]["phoneNumbers"][0]["blocked"] is False
    assert (await authorize(service, switch, mine.phone, "again"))["maxSeconds"] > 0


@pytest.mark.rule("13a")
async def test_a_removed_number_is_free_for_others_and_its_late_calls_are_charged(service: Service) -> None:
    (ann, mine), bob = await prepaid(service, 1_000), await factories.holder(service, "bob@mail.test")
    switch = await factories.switch_key(service)
    await add(service, ann, mine.id, "505-555-0177")
    key, began = await phone_id("+15055550177"), service.ports.now()
    await service.advance(timedelta(minutes=1))

    removed = [await remove(service, ann, key) for _ in range(2)]
    bobs = await open_service(service, bob, phone="505-555-0177")
    late = await record(service, switch, "+15055550177", 60, "before", startedAt=began.isoformat())

    assert [codes(answer) for answer in removed] == [[], []]
    assert [p["phone"] for p in removed[0]["serviceAccount"]["phoneNumbers"]] == [mine.phone]
    assert codes(bobs) == codes(late) == []
    rows = await fetch("select service_account_id from calls where call_id = 'before'")
    assert [read_uuid(row["service_account_id"]) for row in rows] == [mine.key]
    assert codes(await block(service, ann, key)) == ["NOT_FOUND"]


@pytest.mark.rule("13a")
async def test_the_last_number_stays_also_when_all_are_removed_at_once(service: Service) -> None:
    ann, mine = await prepaid(service)
    await add(service, ann, mine.id, "505-555-0177")
    keys = [await phone_id(mine.phone), await phone_id("+15055550177")]

    answers = await asyncio.gather(*(remove(service, ann, key) for key in keys))

    assert sorted(map(codes, answers)) == [[], ["INVALID_STATE"]]


async def test_nobody_reaches_the_numbers_of_others(service: Service) -> None:
    (ann, mine), bob = await prepaid(service), await factories.holder(service, "bob@mail.test")
    await add(service, ann, mine.id, "505-555-0177")
    key = await phone_id("+15055550177")

    answers = [
        await add(service, bob, mine.id, "505-555-0178"),
        await block(service, bob, key),
        await remove(service, bob, key),
        await remove(service, bob, "nothing"),
    ]

    assert [codes(answer) for answer in answers] == [["NOT_FOUND"]] * 4
    assert len(await fetch("select id from account_phones where live_phone is not null and blocked = $1", False)) == 2
