"""Signing in and out (rules 7, 9, 10)."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from uuid import UUID

import pytest

from api.adapters.database import fetch, fetch_one, read_uuid
from api.adapters.live import WatcherEnded
from api.auth.passwords import WAITING_MAX
from api.auth.sign_ins import make_key
from api.domain.accounts import Role
from api.domain.faults import Refused
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.getting_in import EMAIL, ME, PASSWORD, SIGN_IN, SIGN_OUT, WRONG, codes, customer, sign_in, sign_up


async def test_signing_in_gives_a_token_that_is_me(service: Service) -> None:
    await customer(service)

    payload = (
        await service.ask(
            SIGN_IN, {"input": {"email": "ANN@mail.test", "password": PASSWORD, "device": "A phone", "channel": "IOS"}}
        )
    )["signIn"]

    assert payload["errors"] == []
    assert {name: payload["session"][name] for name in ("device", "channel", "current")} == {
        "device": "A phone",
        "channel": "IOS",
        "current": True,
    }
    assert payload["account"]["email"] == EMAIL
    assert (await service.ask(ME, token=payload["token"]))["me"]["email"] == EMAIL


@pytest.mark.rule("7")
async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(service: Service) -> None:
    await customer(service)
    await sign_up(service, "waiting@mail.test")

    emails = (EMAIL, "unknown@mail.test", "waiting@mail.test", "no address")
    answers = [await sign_in(service, email, WRONG) for email in emails]

    assert codes(answers[0]) == ["INVALID_CREDENTIALS"]
    assert answers == [answers[0]] * len(emails)


@pytest.mark.rule("37")
async def test_a_refusal_is_told_in_spanish_to_those_who_ask_in_it(service: Service) -> None:
    payload = await sign_in(service, language="es")

    assert payload["errors"][0]["message"] == "El correo electrónico o la contraseña no son correctos."


async def test_a_password_that_no_account_can_have_is_refused_before_hashing(service: Service) -> None:
    too_long = await sign_in(service, password="Aa1 " + "x" * 1_000_000)
    unprintable = await sign_in(service, password="Aa1\0\ud800")

    assert [(error["code"], error["path"]) for error in too_long["errors"]] == [("TOO_LONG", ["input", "password"])]
    assert codes(unprintable) == ["INVALID"]
    assert await fetch("select * from guess_counters") == []


@pytest.mark.parametrize("channel", ["PHONE_AGENT", "SMS", "CHAT", "SYSTEM"])
async def test_only_a_holders_channels_can_be_signed_in_by(service: Service, channel: str) -> None:
    variables = {"input": {"email": EMAIL, "password": PASSWORD, "channel": channel}}

    payload = (await service.ask(SIGN_IN, variables))["signIn"]

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID", ["input", "channel"])]


async def test_what_a_device_calls_itself_is_kept_without_what_cannot_be_stored(service: Service) -> None:
    await customer(service)
    variables = {"input": {"email": EMAIL, "password": PASSWORD, "device": "Ann\0's\ud800 phone" + "!" * 300}}

    payload = (await service.ask(SIGN_IN, variables))["signIn"]

    assert payload["session"]["device"].startswith("Ann's phone!")
    assert len(payload["session"]["device"]) <= 200


@pytest.mark.rule("9")
async def test_of_a_token_only_its_hash_is_kept(service: Service) -> None:
    token = await customer(service)

    (row,) = await fetch("select * from sign_ins")

    assert row["token_hash"] == sha256(token.encode()).hexdigest()
    assert token not in str(dict(row))


async def test_each_sign_in_has_a_token_of_its_own(service: Service) -> None:
    first = await customer(service)
    second = (await sign_in(service))["token"]

    assert first != second
    assert len({first[:4], second[:4]}) == 2
    assert (await service.ask(ME, token=first))["me"]["email"] == EMAIL


@pytest.mark.rule("10")
async def test_signing_out_ends_the_token_at_once_and_no_other(service: Service) -> None:
    here = await customer(service)
    elsewhere = (await sign_in(service))["token"]

    assert (await service.ask(SIGN_OUT, token=here))["signOut"] == {"accepted": True, "errors": []}

    assert (await service.ask(ME, token=here))["me"] is None
    assert (await service.ask(ME, token=elsewhere))["me"]["email"] == EMAIL


@pytest.mark.rule("10")
async def test_signing_out_everywhere_ends_every_token_of_the_account(service: Service) -> None:
    others = await customer(service, "bob@mail.test")
    tokens = [await customer(service), (await sign_in(service))["token"]]

    await service.ask(SIGN_OUT, {"everywhere": True}, token=tokens[0])

    assert [(await service.ask(ME, token=token))["me"] for token in tokens] == [None, None]
    assert (await service.ask(ME, token=others))["me"]["email"] == "bob@mail.test"


@pytest.mark.rule("10")
async def test_signing_out_ends_the_sockets_of_that_sign_in(service: Service) -> None:
    here = await customer(service)
    row = await fetch_one("select id, account_id from sign_ins")
    assert row is not None
    ours, another = read_uuid(row["id"]), UUID(int=7)
    account_id = read_uuid(row["account_id"])

    with service.ports.live.watch(account_id, ours) as watcher, service.ports.live.watch(account_id, another) as other:
        await service.ask(SIGN_OUT, token=here)
        with pytest.raises(WatcherEnded):
            await watcher.next(SECONDS_MAX)
        with pytest.raises(TimeoutError):
            await other.next(0.01)


async def test_signing_out_twice_changes_nothing(service: Service) -> None:
    token = await customer(service)

    answers = [await service.ask(SIGN_OUT, token=token) for _ in range(2)]

    assert answers == [{"signOut": {"accepted": True, "errors": []}}] * 2
    assert len(await fetch("select * from outbox_events")) == 1


async def test_a_key_is_nobody_and_is_not_signed_out(service: Service) -> None:
    key = await make_key(service.ports.now(), "switch", Role.PHONE_SWITCH)

    await service.ask(SIGN_OUT, {"everywhere": True}, token=key)

    assert (await service.ask(ME, token=key))["me"] is None
    (row,) = await fetch("select ended_at from sign_ins")
    assert row["ended_at"] is None


async def test_the_list_of_sign_ins_shows_those_that_still_let_somebody_in(service: Service) -> None:
    await customer(service)
    token = (await sign_in(service, user_agent="A browser"))["token"]
    await service.ask(SIGN_OUT, token=(await sign_in(service))["token"])

    data = await service.ask("{ me { security { sessions { device current } } } }", token=token)

    assert data["me"]["security"]["sessions"] == [
        {"device": "A browser", "current": True},
        {"device": "", "current": False},
    ]


@pytest.mark.rule("10")
async def test_a_crowd_that_signs_up_is_told_to_wait_and_keeps_nobody_from_signing_in(service: Service) -> None:
    passwords = service.passwords
    kept = await passwords.hash_password(PASSWORD)

    crowd = [passwords.hash_password(PASSWORD) for _ in range(WAITING_MAX + 1)]
    *hashed, fits = await asyncio.gather(*crowd, passwords.check_password(PASSWORD, kept), return_exceptions=True)

    assert [str(answer) for answer in hashed if isinstance(answer, Refused)] != []
    assert fits is True
