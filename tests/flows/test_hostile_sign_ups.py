"""Signing up against those who mean harm: many mails, other spellings, planted fields (rules 5, 10)."""

from __future__ import annotations

import pytest

from api.adapters.database import fetch
from api.services import demo
from tests.flows.conftest import Service
from tests.flows.doors import Browser
from tests.flows.getting_in import (
    EMAIL,
    RESEND,
    SIGN_UP,
    codes,
    customer,
    sign_in,
    sign_up,
    sign_up_input,
    verify,
)
from tests.flows.own_account import PENDING, change_email
from tests.flows.resets import REQUEST, numbers, request, verify_number

EVIL = "evil.example"


@pytest.mark.row("S14")
@pytest.mark.rule("5")
@pytest.mark.parametrize("typed", ["ANN@MAIL.TEST", "ann@Mail.Test.", " ann@mail.test "])
async def test_one_address_is_one_account_however_it_is_typed(service: Service, typed: str) -> None:
    token = await customer(service)

    await sign_up(service, typed, password="Stranger chose 9 this")
    assert (await service.mails(EMAIL))[0].subject == "You already have an account"
    assert codes(await sign_in(service, typed)) == []
    await request(service, typed)
    assert codes(await verify_number(service, (await numbers(service))[0], typed)) == []
    assert codes(await change_email(service, token, typed)) == []
    assert (await service.ask(PENDING, token=token))["me"]["pendingEmail"] is None


@pytest.mark.row("S14")
@pytest.mark.rule("5")
@pytest.mark.parametrize("typed", ["ann@mаil.test", "an.n@mail.test", "ann+x@mail.test"])
async def test_an_address_that_only_looks_the_same_is_another_ones(service: Service, typed: str) -> None:
    await customer(service)

    answers = [await sign_in(service, typed), await request(service, typed)]

    assert [codes(payload) for payload in answers] == [["INVALID_CREDENTIALS"], []]
    assert await numbers(service) == []


@pytest.mark.row("S21")
@pytest.mark.rule("5")
async def test_a_link_is_of_use_for_its_own_sign_up_alone(service: Service) -> None:
    await sign_up(service)
    await sign_up(service, "bob@mail.test")
    (anns,) = await service.links(EMAIL)

    assert await verify(service, anns) == []

    assert codes(await sign_in(service)) == []
    assert codes(await sign_in(service, "bob@mail.test")) == ["EMAIL_NOT_VERIFIED"]


@pytest.mark.row("S22")
@pytest.mark.rule("10")
async def test_a_hundred_resends_from_everywhere_mail_an_address_within_the_cap(service: Service) -> None:
    await sign_up(service)

    answers = [await service.ask(RESEND, {"email": EMAIL}, client_address=f"192.0.2.{n}") for n in range(100)]

    assert answers == [{"resendVerificationEmail": {"accepted": True, "errors": []}}] * 100
    assert len(await service.mails(EMAIL)) == 5


@pytest.mark.row("S25")
@pytest.mark.parametrize(
    "stage, planted",
    [
        ("credentials", {"isVerified": True}),
        ("credentials", {"role": "ADMIN"}),
        ("profile", {"balance": "100.00"}),
        ("profile", {"status": "ACTIVE"}),
    ],
)
async def test_what_nobody_signs_up_for_is_no_field_of_the_input(
    service: Service, stage: str, planted: dict[str, object]
) -> None:
    given = sign_up_input()
    given[stage] |= planted

    result = await service.run(SIGN_UP, {"input": given})

    assert [error.extensions["code"] for error in result.errors or ()] == ["BAD_REQUEST"]
    assert await fetch("select * from pending_sign_ups") == []


@pytest.mark.row("S24")
@pytest.mark.rule("10")
async def test_a_new_database_has_nobody_in_it(service: Service) -> None:
    tables = ("accounts", "staff_members", "api_keys", "sign_ins")
    assert {table: len(await fetch(f"select * from {table}")) for table in tables} == dict.fromkeys(tables, 0)

    usual = [(demo.EMAIL, demo.PASSWORD), *((email, demo.PASSWORD) for email, _, _ in demo.STAFF)]
    usual += [("admin@example.com", "admin"), ("test@example.com", "test"), ("root@example.com", "Password1")]
    answers = [await sign_in(service, email, password) for email, password in usual]

    assert [codes(payload) for payload in answers] == [["INVALID_CREDENTIALS"]] * len(usual)


@pytest.mark.row("R16")
@pytest.mark.rule("5")
async def test_what_a_request_claims_of_its_host_reaches_no_mail(service: Service) -> None:
    browser = Browser(service)
    claims = {"x-forwarded-host": EVIL, "x-host": EVIL, "forwarded": f"host={EVIL}", "referer": f"https://{EVIL}/"}
    variables = {"input": sign_up_input()}

    signed_up = await browser.post(SIGN_UP, variables, origin=f"https://{EVIL}", headers=claims)
    elsewhere = await browser.post(SIGN_UP, variables, headers={"host": EVIL})
    (mail,) = await service.mails(EMAIL)
    assert await verify(service, (await service.links(EMAIL))[0]) == []
    await browser.post(REQUEST, {"email": EMAIL}, origin=f"https://{EVIL}", headers=claims)
    mails = await service.mails(EMAIL)

    assert signed_up.json()["data"]["signUp"]["accepted"] is True
    assert elsewhere.status_code == 421
    assert "https://calls.example/verify?token=" in mail.text
    assert len(mails) == 2
    assert [found for found in mails if EVIL in found.text] == []
