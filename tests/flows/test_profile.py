"""Changing the profile (rule 4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.flows.conftest import Service
from tests.flows.getting_in import customer, sign_up_input
from tests.flows.own_account import UPDATE, actions

ELM = sign_up_input()["profile"]["address"]


async def update(service: Service, token: str, **changes: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await service.ask(UPDATE, {"input": changes}, token=token))["updateProfile"]
    return payload


@pytest.mark.rule("4")
async def test_what_is_left_out_of_an_update_stays_as_it_is(service: Service) -> None:
    token = await customer(service)

    payload = await update(service, token, firstName="  Anna ", phone="+52 55 1234 5678", lastName=None)

    assert payload["errors"] == []
    account = payload["account"]
    assert (account["firstName"], account["lastName"], account["phone"]) == ("Anna", "Lee", "+525512345678")
    assert account["address"] == {
        "line1": "12 Elm Street", "line2": None, "city": "Dallas", "state": "TX", "zip": "75201", "country": "US",
        "revision": 1,
    }  # fmt: skip


@pytest.mark.rule("4")
async def test_all_faults_of_an_update_come_at_once_with_their_paths(service: Service) -> None:
    token = await customer(service)
    address = ELM | {"zip": "10001", "line1": ""}

    payload = await update(service, token, firstName=" ", phone="555", address=address, locale="fr")

    assert payload["account"] is None
    assert {(error["code"], ".".join(error["path"])) for error in payload["errors"]} == {
        ("REQUIRED", "input.firstName"),
        ("INVALID", "input.phone"),
        ("REQUIRED", "input.address.line1"),
        ("INVALID", "input.address.zip"),
        ("INVALID", "input.locale"),
    }
    assert await actions(service, token) == ["signed_in", "account_opened"]


@pytest.mark.rule("20")
async def test_the_addresss_revision_grows_by_one_when_it_does_change(service: Service) -> None:
    token = await customer(service)

    payload = await update(service, token, address=ELM | {"line2": "Apt 3"})

    assert (payload["account"]["address"]["line2"], payload["account"]["address"]["revision"]) == ("Apt 3", 2)


@pytest.mark.rule("20")
async def test_the_addresss_revision_stays_when_the_same_address_is_typed_differently(service: Service) -> None:
    token = await customer(service)

    same = await update(service, token, address=ELM | {"line1": " 12  Elm Street", "state": "TX", "line2": " "})
    other = await update(service, token, firstName="Anna")

    assert [payload["account"]["address"]["revision"] for payload in (same, other)] == [1, 1]
    assert "address_changed" not in await actions(service, token)


@pytest.mark.rule("20")
async def test_of_changes_of_the_address_at_once_each_counts(service: Service) -> None:
    token = await customer(service)

    await asyncio.gather(*(update(service, token, address=ELM | {"line2": f"Apt {n}"}) for n in range(4)))

    payload = await update(service, token)
    assert payload["account"]["address"]["revision"] == 5


async def test_each_kind_of_change_is_noted_once_and_a_repeat_is_not(service: Service) -> None:
    token = await customer(service)
    changes = {"firstName": "Anna", "phone": "(214) 555-0199", "address": ELM | {"zip": "75202"}, "locale": "es"}

    for _ in range(2):
        await update(service, token, **changes)

    noted = (await actions(service, token))[:-2]
    assert sorted(noted) == ["address_changed", "language_changed", "name_changed", "phone_changed"]


@pytest.mark.rule("37")
async def test_a_changed_language_is_spoken_from_then_on(service: Service) -> None:
    token = await customer(service)

    await update(service, token, locale="es")

    refused = await update(service, token, firstName="")
    assert refused["errors"][0]["message"] == "Este dato es obligatorio."


@pytest.mark.row("S25")
@pytest.mark.parametrize(
    "field", ['status: "DELETED"', "addressRevision: 9", 'email: "x@mail.test"', "isVerified: true"]
)
async def test_what_is_not_the_holders_to_change_is_no_field_of_the_input(service: Service, field: str) -> None:
    token = await customer(service)

    result = await service.run(
        f"mutation {{ updateProfile(input: {{ {field} }}) {{ errors {{ code }} }} }}", token=token
    )

    assert [error.extensions["code"] for error in result.errors or ()] == ["BAD_REQUEST"]


async def test_nobody_who_is_signed_out_can_change_a_profile(service: Service) -> None:
    result = await service.run(UPDATE, {"input": {"firstName": "Eve"}})

    assert [error.extensions["code"] for error in result.errors or ()] == ["UNAUTHENTICATED"]
