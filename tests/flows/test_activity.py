"""What a holder sees of what happened, notices of new devices, and what was agreed to (rules 10, 37, 39)."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import api
from api.adapters.database import fetch, fetch_one
from api.domain.agreements import AgreementKind, agreement
from api.domain.texts import catalogue
from tests.flows.conftest import Service
from tests.flows.getting_in import (
    EMAIL,
    PASSWORD,
    SIGN_IN,
    SIGN_OUT,
    SIGN_UP,
    codes,
    customer,
    sign_in,
    sign_up_input,
    verify,
)
from tests.flows.own_account import ACTIVITY, UPDATE, WRONG, actions, activity

NODE = "query($id: ID!) { node(id: $id) { __typename id ... on Activity { action } } }"
NOTED = re.compile(r'(?:note|note_and_notify|note_failure|_tell)\(\s*[^"()]*(?:\([^()]*\)[^"()]*)*"([a-z_]+)"')


async def from_device(service: Service, device: str, channel: str = "WEB") -> str:
    variables = {"input": {"email": EMAIL, "password": PASSWORD, "device": device, "channel": channel}}
    payload = (await service.ask(SIGN_IN, variables))["signIn"]
    assert codes(payload) == []
    token: str = payload["token"]
    return token


async def subjects(service: Service) -> list[str]:
    return [mail.subject for mail in await service.mails(EMAIL)]


@pytest.mark.rule("39")
async def test_what_happened_is_listed_newest_first_with_who_and_how(service: Service) -> None:
    await customer(service)
    await sign_in(service, password=WRONG)
    token = await from_device(service, "Ann's phone", "IOS")

    acts = await activity(service, token)

    told = [(act["action"], act["actor"], act["channel"], act["summary"]) for act in acts]
    assert told == [
        ("signed_in", "holder", "IOS", "Signed in: Ann's phone."),
        ("sign_in_failed", "somebody", "WEB", "A sign-in with a wrong password was refused."),
        ("signed_in", "holder", "WEB", "Signed in: unnamed device."),
        ("account_opened", "holder", "WEB", "Account opened."),
    ]
    assert all(act["at"].endswith("Z") for act in acts)


@pytest.mark.rule("37")
async def test_what_happened_is_told_in_the_holders_language(service: Service) -> None:
    token = await customer(service)

    await service.ask(UPDATE, {"input": {"locale": "es"}}, token=token)

    assert [act["summary"] for act in await activity(service, token)] == [
        "Idioma modificado.", "Inicio de sesión: dispositivo sin nombre.", "Cuenta abierta.",
    ]  # fmt: skip


async def test_signing_out_is_noted_once(service: Service) -> None:
    token, other = await customer(service), await from_device(service, "")
    for _ in range(2):
        await service.ask(SIGN_OUT, token=other)

    assert (await actions(service, token)).count("signed_out") == 1

    await service.ask(SIGN_OUT, {"everywhere": True}, token=token)
    assert (await actions(service, await from_device(service, "")))[1] == "signed_out_everywhere"


@pytest.mark.rule("10")
async def test_a_stranger_cannot_fill_the_list_with_wrong_passwords(service: Service) -> None:
    token = await customer(service)
    for _ in range(12):
        assert codes(await sign_in(service, password=WRONG)) == ["INVALID_CREDENTIALS"]
        await service.advance(timedelta(minutes=5))

    assert (await actions(service, token)).count("sign_in_failed") == 10

    await sign_in(service, password=WRONG)
    assert (await actions(service, token)).count("sign_in_failed") == 11


@pytest.mark.rule("7")
async def test_a_wrong_password_for_an_unknown_address_costs_the_same_and_is_noted_nowhere(service: Service) -> None:
    await customer(service)
    before = await fetch("select id from activity")

    known = await sign_in(service, password=WRONG)
    unknown = await sign_in(service, "unknown@mail.test", WRONG)

    assert known == unknown
    assert len(await fetch("select id from activity")) == len(before) + 1
    assert len(await fetch("select id from guess_counters where subject like 'failures_noted%'")) == 2


@pytest.mark.rule("10")
async def test_an_act_is_found_by_its_id_by_its_holder_and_by_nobody_else(service: Service) -> None:
    token, strangers = await customer(service), await customer(service, "bob@mail.test")
    act = (await activity(service, token))[0]

    found = await service.ask(NODE, {"id": act["id"]}, token=token)
    answers: list[Any] = [await service.ask(NODE, {"id": act["id"]}, token=other) for other in (strangers, None)]

    assert found["node"] == {"__typename": "Activity", "id": act["id"], "action": "signed_in"}
    assert answers == [{"node": None}] * 2


async def test_the_list_is_read_in_pages(service: Service) -> None:
    token = await customer(service)
    for n in range(4):
        await service.ask(UPDATE, {"input": {"firstName": f"Ann{'a' * n}b"}}, token=token)
    everything = [act["id"] for act in await activity(service, token)]

    read: list[str] = []
    after, more = None, True
    while more:
        page = (await service.ask(ACTIVITY, {"first": 4, "after": after}, token=token))["me"]["activity"]
        read += [edge["node"]["id"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert read == everything
    assert len(everything) == 6


@pytest.mark.rule("10")
async def test_a_sign_in_from_a_new_device_is_told_by_mail_and_from_a_known_one_not(service: Service) -> None:
    await customer(service)
    assert "New sign-in to your account" not in await subjects(service)

    await from_device(service, "Ann's phone", "IOS")
    await from_device(service, "Ann's phone", "IOS")

    assert (await subjects(service)).count("New sign-in to your account") == 1
    notice = (await service.mails(EMAIL))[0]
    assert "Ann s phone (app on an iPhone or iPad)" in notice.text
    assert "If it was not you" in notice.text


@pytest.mark.rule("10")
async def test_a_device_is_new_again_after_90_days_without_it(service: Service) -> None:
    await customer(service)

    await service.advance(timedelta(days=90))
    await from_device(service, "")

    assert (await subjects(service))[0] == "New sign-in to your account"


async def test_what_a_device_calls_itself_brings_nothing_to_click_on_into_a_mail(service: Service) -> None:
    await customer(service)

    await from_device(service, "Call https://evil.example/now or <b>lose</b> it " * 9)

    notice = (await service.mails(EMAIL))[0]
    assert "evil.example" not in notice.text
    assert "://" not in notice.text
    assert "<b>" not in notice.text


@pytest.mark.rule("1")
async def test_the_terms_that_were_agreed_to_are_kept_as_proof_when_the_account_opens(service: Service) -> None:
    given = sign_up_input()
    given["profile"]["locale"] = "es"
    await service.ask(SIGN_UP, {"input": given})
    assert await fetch("select id from consents") == []

    assert await verify(service, (await service.links(EMAIL))[0]) == []

    version, text = agreement(AgreementKind.TERMS, "es")
    row = await fetch_one("select * from consents")
    account = await fetch_one("select id, terms_agreed_at from accounts")
    assert row is not None
    assert account is not None
    assert (row["kind"], row["version"], row["locale"], row["channel"]) == ("TERMS", version, "es", "WEB")
    assert row["text_digest"] == sha256(text.encode()).hexdigest()
    assert (row["account_id"], row["agreed_at"]) == (account["id"], account["terms_agreed_at"])


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "source", sorted((Path(api.__file__).parent / "services").glob("*.py")), ids=lambda path: path.stem
)
def test_each_act_that_is_noted_has_a_text(source: Path) -> None:
    noted = set(NOTED.findall(source.read_text("utf-8")))
    assert {f"activity.{action}" for action in noted} - catalogue("en").keys() == set()
