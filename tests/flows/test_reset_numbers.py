"""The number that is mailed to reset a password (rules 6, 7 and 10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.adapters.database import execute, fetch
from api.services import recovery
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, codes, customer, sign_up
from tests.flows.resets import (
    ACCEPTED,
    number_of,
    numbers,
    request,
    verify_number,
)

NOT_THE_NUMBER = "12345678"


@pytest.mark.rule("7")
@pytest.mark.parametrize("email", ["unknown@mail.test", "waiting@mail.test", "closing@mail.test"])
async def test_a_request_is_answered_alike_whatever_there_is_at_the_address(service: Service, email: str) -> None:
    await customer(service)
    await customer(service, "closing@mail.test")
    await execute("update accounts set status = 'CLOSING' where email_key = 'closing@mail.test'")
    await sign_up(service, "waiting@mail.test")
    await request(service)

    answers = [await request(service, email), await verify_number(service, NOT_THE_NUMBER, email)]

    assert answers == [ACCEPTED, await verify_number(service, NOT_THE_NUMBER)]
    assert answers[1]["errors"][0]["code"] == "TOKEN_INVALID"
    assert answers[1]["securityQuestions"] == []


@pytest.mark.rule("7")
async def test_only_an_address_that_somebody_signed_up_with_is_mailed(service: Service) -> None:
    await customer(service)
    await sign_up(service, "waiting@mail.test")
    for email in (EMAIL, "waiting@mail.test", "unknown@mail.test"):
        await request(service, email)

    assert (await service.mails(EMAIL))[0].subject == "Your number for a new password"
    assert (await service.mails("waiting@mail.test"))[0].subject == "Please confirm your email address first"
    assert await numbers(service, "waiting@mail.test") == []
    assert await service.mails("unknown@mail.test") == []
    assert await fetch("select id from due_work") == []


@pytest.mark.rule("37")
async def test_a_number_is_mailed_in_the_accounts_language_and_leads_nowhere(service: Service) -> None:
    await customer(service)
    await execute("update accounts set locale = 'es'")

    await request(service, language="en")

    (mail,) = [mail for mail in await service.mails(EMAIL) if "contraseña" in mail.subject]
    assert "http" not in mail.text


@pytest.mark.rule("6")
async def test_a_number_works_once_though_given_twice_at_once(service: Service) -> None:
    await customer(service)
    number = await number_of(service)

    answers = await asyncio.gather(*(verify_number(service, number) for _ in range(4)))
    later = await verify_number(service, number)

    assert sorted(tuple(codes(payload)) for payload in answers) == [(), *[("TOKEN_INVALID",)] * 3]
    assert codes(later) == ["TOKEN_INVALID"]


@pytest.mark.rule("6")
async def test_a_number_is_taken_as_people_type_it(service: Service) -> None:
    await customer(service)
    number = await number_of(service)

    assert codes(await verify_number(service, f" {number[:4]} {number[4:]}\u00a0", "ANN@MAIL.test")) == []


@pytest.mark.rule("6")
@pytest.mark.parametrize("email", [EMAIL, "unknown@mail.test"])
async def test_a_number_is_too_old_after_ten_minutes_also_at_an_unknown_address(service: Service, email: str) -> None:
    await customer(service)
    await request(service, email)
    number = [*await numbers(service, email), NOT_THE_NUMBER][0]

    await service.advance(timedelta(minutes=10))

    assert codes(await verify_number(service, number, email)) == ["TOKEN_EXPIRED"]


@pytest.mark.rule("6")
async def test_only_the_newest_number_lives(service: Service) -> None:
    await customer(service)
    first = await number_of(service)
    second = await number_of(service)

    assert codes(await verify_number(service, first)) == ["TOKEN_INVALID"]
    assert codes(await verify_number(service, second)) == []


@pytest.mark.rule("6")
async def test_a_number_is_dead_after_five_wrong_tries_from_whatever_client(service: Service) -> None:
    await customer(service)
    number = await number_of(service)

    tries = await asyncio.gather(
        *(verify_number(service, NOT_THE_NUMBER, client_address=f"192.0.2.{n}") for n in range(5))
    )

    assert [codes(payload) for payload in tries] == [["TOKEN_INVALID"]] * 5
    assert codes(await verify_number(service, number, client_address="192.0.2.9")) == ["TOKEN_INVALID"]


@pytest.mark.rule("10")
@pytest.mark.parametrize("email", [EMAIL, "unknown@mail.test"])
async def test_thirty_six_numbers_in_three_documents_are_stopped_though_new_ones_are_asked_for(
    service: Service, email: str
) -> None:
    await customer(service)
    tries = " ".join(
        f'n{n}: verifyPasswordResetCode(email: "{email}", code: "0000000{n % 10}") {{ errors {{ code }} }}'
        for n in range(12)
    )

    answered = []
    for _ in range(3):
        await request(service, email)
        data = await service.ask(f"mutation {{ {tries} }}")
        answered += [payload["errors"][0]["code"] for payload in data.values()]

    assert answered == ["TOKEN_INVALID"] * 10 + ["RATE_LIMITED"] * 26
    looked_at = await fetch("select sum(code_tries) as tries from password_resets")
    assert looked_at[0]["tries"] == 5


@pytest.mark.rule("6")
async def test_a_number_is_of_use_at_its_own_address_alone(service: Service) -> None:
    await customer(service)
    await customer(service, "bob@mail.test")
    number = await number_of(service)
    await request(service, "bob@mail.test")

    assert codes(await verify_number(service, number, "bob@mail.test")) == ["TOKEN_INVALID"]


@pytest.mark.rule("6")
@pytest.mark.parametrize("text", ["", "1234567", "123456789", "1234567a", "١٢٣٤٥٦٧٨", "0" * 5_000])
async def test_what_cannot_be_a_number_uses_up_no_try(service: Service, text: str) -> None:
    await customer(service)
    number = await number_of(service)

    for _ in range(5):
        assert codes(await verify_number(service, text)) == ["TOKEN_INVALID"]

    assert codes(await verify_number(service, number)) == []


@pytest.mark.rule("6")
async def test_of_a_number_only_a_keyed_digest_is_kept(service: Service) -> None:
    await customer(service)
    await request(service)

    rows = str(
        [dict(row) for table in ("password_resets", "due_work") for row in await fetch(f"select * from {table}")]
    )

    assert (await numbers(service))[0] not in rows
    assert EMAIL not in str([dict(row) for row in await fetch("select * from password_resets")])


@pytest.mark.rule("6")
async def test_a_hundred_requests_are_answered_alike_and_mailed_within_the_cap(service: Service) -> None:
    await customer(service)

    answers = [await request(service, client_address=f"192.0.2.{n}") for n in range(100)]

    assert answers == [ACCEPTED] * 100
    mailed = await numbers(service)
    assert len(mailed) == 5
    assert codes(await verify_number(service, mailed[0])) == []


@pytest.mark.rule("10")
async def test_a_stranger_who_asks_for_all_of_an_hours_numbers_does_not_keep_the_holder_from_one(
    service: Service,
) -> None:
    await customer(service)
    for _ in range(5):
        await request(service, client_address="192.0.2.9")
    mailed = len(await numbers(service))

    await service.advance(timedelta(minutes=9))
    await request(service)
    good = await numbers(service)
    await service.advance(timedelta(minutes=1))
    for _ in range(3):
        await request(service)

    assert (mailed, len(good)) == (5, 5)
    later = await numbers(service)
    assert len(later) == 6
    assert codes(await verify_number(service, later[0])) == []


async def test_one_client_cannot_ask_for_numbers_without_end(service: Service) -> None:
    answers = [await request(service, f"p{n}@mail.test") for n in range(61)]

    assert [codes(payload) for payload in answers] == [[]] * 60 + [["RATE_LIMITED"]]


async def test_what_is_no_address_is_refused_with_its_path(service: Service) -> None:
    for email, code in (("", "REQUIRED"), ("no address", "INVALID"), ("x" * 100_000, "INVALID")):
        for payload in (await request(service, email), await verify_number(service, NOT_THE_NUMBER, email)):
            assert [(error["code"], error["path"]) for error in payload["errors"]] == [(code, ["email"])]


async def test_resets_that_are_long_over_are_pruned(service: Service) -> None:
    await request(service, "unknown@mail.test")
    now = service.ports.now()

    await recovery.prune(now + timedelta(hours=24))
    assert len(await fetch("select id from password_resets")) == 1
    await recovery.prune(now + timedelta(hours=24, minutes=11))
    assert await fetch("select id from password_resets") == []
