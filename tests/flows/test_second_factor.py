"""TOTP as a second factor, and the second step of signing in (rule 10)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from api.adapters.database import execute, fetch, fetch_one
from api.adapters.secrets import Secrets
from tests.flows.conftest import Service
from tests.flows.doors import Browser
from tests.flows.getting_in import EMAIL, ME, PASSWORD, WRONG, codes, customer, sign_in
from tests.flows.own_account import REAUTHENTICATE, actions
from tests.flows.second_steps import (
    ANSWER,
    CONFIRM,
    DISABLE,
    ENABLE,
    SIGN_IN,
    answer,
    begin_enrolment,
    challenge_of,
    enrol,
)

CREDENTIALS = {"input": {"email": EMAIL, "password": PASSWORD}}


@pytest.mark.rule("10")
async def test_with_a_second_factor_a_password_gives_a_challenge_and_a_code_the_sign_in(service: Service) -> None:
    phone = await enrol(service, await customer(service))

    challenge = await challenge_of(service, EMAIL, user_agent="A browser")
    payload = await answer(service, challenge, phone.code())

    assert payload["errors"] == []
    assert payload["session"] == {"device": "A browser", "current": True}
    assert payload["account"] == {"email": EMAIL}
    assert (await service.ask(ME, token=payload["token"]))["me"]["email"] == EMAIL


@pytest.mark.rule("10")
async def test_nothing_is_asked_for_until_a_code_has_confirmed_the_setup(service: Service) -> None:
    token = await customer(service)
    phone = await begin_enrolment(service, token)

    assert (await sign_in(service))["token"]
    wrong = (await service.ask(CONFIRM, {"c": phone.wrong()}, token=token))["confirmMfa"]
    on_paper = (await service.ask(CONFIRM, {"c": phone.paper[0]}, token=token))["confirmMfa"]
    assert codes(wrong) == codes(on_paper) == ["INVALID_CREDENTIALS"]
    assert (await sign_in(service))["token"]
    right = (await service.ask(CONFIRM, {"c": phone.code()}, token=token))["confirmMfa"]

    assert right["account"] == {"email": EMAIL, "security": {"mfaEnabled": True}}
    await challenge_of(service, EMAIL)


@pytest.mark.rule("10")
async def test_setting_it_up_takes_the_password_and_ten_codes_are_shown_once(service: Service) -> None:
    token = await customer(service)

    wrong = (await service.ask(ENABLE, {"p": "Wrong horse 7"}, token=token))["enableMfa"]
    phone = await begin_enrolment(service, token)

    assert codes(wrong) == ["INVALID_CREDENTIALS"]
    assert wrong["errors"][0]["path"] == ["password"]
    assert wrong["provisioningUri"] is None
    assert len(set(phone.paper)) == 10
    kept = "".join(str(dict(row)) for row in await fetch("select * from recovery_codes"))
    assert [code for code in phone.paper if code in kept or code.replace("-", "") in kept] == []


@pytest.mark.rule("10")
async def test_a_factor_that_is_on_is_not_replaced_without_turning_it_off(service: Service) -> None:
    token = await customer(service)
    phone = await enrol(service, token)

    again = (await service.ask(ENABLE, {"p": PASSWORD}, token=token))["enableMfa"]
    confirmed = (await service.ask(CONFIRM, {"c": phone.code()}, token=token))["confirmMfa"]

    for payload in (again, confirmed):
        assert codes(payload) == ["INVALID_STATE"]
        assert payload["errors"][0]["currentState"] == "ENABLED"
        assert payload["errors"][0]["allowedActions"] == ["disableMfa"]


@pytest.mark.rule("10")
async def test_turning_it_off_takes_the_password_and_a_code(service: Service) -> None:
    token = await customer(service)
    phone = await enrol(service, token)

    async def disable(password: str, code: str) -> dict[str, object]:
        return (await service.ask(DISABLE, {"p": password, "c": code}, token=token))["disableMfa"]

    assert codes(await disable("Wrong horse 7", phone.code())) == ["INVALID_CREDENTIALS"]
    assert codes(await disable(PASSWORD, phone.wrong())) == ["INVALID_CREDENTIALS"]
    done = await disable(PASSWORD, phone.code())

    assert done["account"] == {"email": EMAIL, "security": {"mfaEnabled": False}}
    assert (await sign_in(service))["token"]
    assert codes(await disable(PASSWORD, phone.code(1))) == ["INVALID_STATE"]
    assert await fetch("select * from recovery_codes") == []


@pytest.mark.rule("10")
async def test_a_code_works_once_also_for_another_challenge(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    first, second = await challenge_of(service, EMAIL), await challenge_of(service, EMAIL)

    assert codes(await answer(service, first, phone.code())) == []
    replayed = await answer(service, second, phone.code())
    older = await answer(service, second, phone.code(-1))
    later = await answer(service, second, phone.code(1))

    assert codes(replayed) == codes(older) == ["INVALID_CREDENTIALS"]
    assert codes(later) == []


@pytest.mark.rule("10")
async def test_a_recovery_code_stands_in_for_the_phone_once(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    typed = phone.paper[3].lower().replace("-", " ")

    first = await answer(service, await challenge_of(service, EMAIL), typed)
    again = await answer(service, await challenge_of(service, EMAIL), phone.paper[3])

    assert first["token"]
    assert codes(again) == ["INVALID_CREDENTIALS"]


@pytest.mark.rule("10")
async def test_somebody_elses_recovery_code_is_wrong(service: Service) -> None:
    mine = await enrol(service, await customer(service))
    await enrol(service, await customer(service, "bob@mail.test"))

    payload = await answer(service, await challenge_of(service, "bob@mail.test"), mine.paper[0])

    assert codes(payload) == ["INVALID_CREDENTIALS"]


@pytest.mark.rule("10")
async def test_a_challenge_works_once_also_when_answered_twice_at_once(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    challenge = await challenge_of(service, EMAIL)

    answers = await asyncio.gather(answer(service, challenge, phone.code()), answer(service, challenge, phone.paper[0]))
    later = await answer(service, challenge, phone.paper[1])

    assert sorted(codes(payload) for payload in answers) == [[], ["TOKEN_INVALID"]]
    assert codes(later) == ["TOKEN_INVALID"]


@pytest.mark.rule("10")
async def test_a_challenge_lives_five_minutes(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    challenge = await challenge_of(service, EMAIL)

    await service.advance(timedelta(minutes=5))

    assert codes(await answer(service, challenge, phone.code())) == ["TOKEN_EXPIRED"]


@pytest.mark.rule("10")
async def test_five_wrong_codes_end_a_challenge_also_by_aliases_in_one_document(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    challenge = await challenge_of(service, EMAIL)
    fields = " ".join(
        f'g{n}: answerChallenge(challenge: "{challenge}", code: "{phone.wrong()}") {{ errors {{ code }} }}'
        for n in range(7)
    )

    data = await service.ask(f"mutation {{ {fields} }}")
    right = await answer(service, challenge, phone.code())

    found = [payload["errors"][0]["code"] for payload in data.values()]
    assert found == ["INVALID_CREDENTIALS"] * 5 + ["TOKEN_INVALID"] * 2
    assert codes(right) == ["TOKEN_INVALID"]


@pytest.mark.rule("10")
async def test_new_challenges_buy_no_more_guesses(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    found: list[str] = []

    for _ in range(6):
        payload = (await service.ask(SIGN_IN, CREDENTIALS))["signIn"]
        if payload["challenge"] is None:
            found += codes(payload)
            break
        for _ in range(4):
            found += codes(await answer(service, payload["challenge"], phone.wrong()))

    assert found.count("INVALID_CREDENTIALS") <= 9
    assert "RATE_LIMITED" in found


@pytest.mark.rule("10")
async def test_a_password_that_was_changed_meanwhile_ends_the_challenge(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    challenge = await challenge_of(service, EMAIL)
    await service.advance(timedelta(seconds=1))
    await execute("update accounts set password_changed_at = $1", service.ports.now())

    assert codes(await answer(service, challenge, phone.code())) == ["TOKEN_INVALID"]


@pytest.mark.parametrize("challenge", ["", "nobody", "x" * 5000])
async def test_a_challenge_that_was_never_given_is_invalid(service: Service, challenge: str) -> None:
    assert codes(await answer(service, challenge, "123456")) == ["TOKEN_INVALID"]


@pytest.mark.rule("10")
@pytest.mark.parametrize("email", [EMAIL, "unknown@mail.test"])
async def test_a_wrong_password_says_nothing_of_a_second_factor(service: Service, email: str) -> None:
    await enrol(service, await customer(service))

    payload = (await service.ask(SIGN_IN, {"input": {"email": email, "password": "Wrong horse 7"}}))["signIn"]

    assert codes(payload) == ["INVALID_CREDENTIALS"]
    assert payload["challenge"] is None


@pytest.mark.rule("10")
async def test_a_sign_in_that_asked_for_a_cookie_gets_it_after_the_second_step(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    browser = Browser(service)
    wanted = {"x-session": "cookie"}

    first = (await browser.ask(SIGN_IN, CREDENTIALS, headers=wanted))["signIn"]
    assert list(browser.http.cookies) == []
    elsewhere = await answer(service, first["challenge"], phone.code())
    second = (await browser.ask(ANSWER, {"challenge": first["challenge"], "code": phone.code()}))["answerChallenge"]

    assert codes(elsewhere) == ["TOKEN_INVALID"]
    assert second["errors"] == []
    assert second["token"] is None
    assert (await browser.ask(ME))["me"]["email"] == EMAIL


@pytest.mark.rule("10")
async def test_the_secret_is_sealed_at_rest_and_opens_while_the_key_rotates(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    before = await fetch_one("select sealed_secret from second_factors")
    rotated = Secrets("a new key for tests only", "a key for tests only")
    turning = Service(replace(service.ports, secrets=rotated), service.passwords)

    by_phone = await answer(turning, await challenge_of(turning, EMAIL), phone.code())
    by_paper = await answer(turning, await challenge_of(turning, EMAIL), phone.paper[0])
    done = Service(replace(service.ports, secrets=Secrets("a new key for tests only")), service.passwords)
    by_new_key = await answer(done, await challenge_of(done, EMAIL), phone.code(1))

    assert before is not None
    assert phone.secret.hex() not in before["sealed_secret"]
    assert codes(by_phone) == codes(by_paper) == codes(by_new_key) == []


@pytest.mark.rule("10")
async def test_wrong_passwords_of_strangers_do_not_make_the_code_wait_once_the_password_was_right(
    service: Service,
) -> None:
    phone = await enrol(service, await customer(service))
    for _ in range(5):
        assert codes(await sign_in(service, password=WRONG)) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service)) == ["RATE_LIMITED"]
    await service.advance(timedelta(seconds=30))

    payload = await answer(service, await challenge_of(service, EMAIL), phone.code())

    assert payload["errors"] == []
    assert await fetch("select * from guess_counters where subject like 'guesses_per_account%' and count > 0") == []


@pytest.mark.rule("10")
async def test_a_stranger_who_guesses_between_the_right_password_and_its_code_does_not_keep_the_holder_out(
    service: Service,
) -> None:
    phone = await enrol(service, await customer(service))
    for _ in range(20):
        await service.advance(timedelta(hours=1))
        await sign_in(service, password=WRONG)
    await service.advance(timedelta(hours=1))
    challenge = await challenge_of(service, EMAIL)

    stranger = [codes(await sign_in(service, password=WRONG, client_address="192.0.2.9")) for _ in range(2)]
    payload = await answer(service, challenge, phone.code())

    assert stranger == [["INVALID_CREDENTIALS"], ["RATE_LIMITED"]]
    assert payload["errors"] == []


@pytest.mark.rule("10")
async def test_challenges_that_were_gathered_before_buy_no_more_codes_than_one(service: Service) -> None:
    phone = await enrol(service, await customer(service))
    gathered = [await challenge_of(service, EMAIL) for _ in range(8)]

    answers = [codes(await answer(service, challenge, phone.wrong())) for challenge in gathered]

    assert answers == [["INVALID_CREDENTIALS"]] * 5 + [["RATE_LIMITED"]] * 3


@pytest.mark.rule("10")
async def test_a_wrong_code_after_the_right_password_is_noted_whatever_strangers_tried_besides(
    service: Service,
) -> None:
    token = await customer(service)
    phone = await enrol(service, token)
    challenge = await challenge_of(service, EMAIL)
    await sign_in(service, password=WRONG)
    await execute("update guess_counters set count = 10 where subject like 'failures_noted%'")

    assert codes(await answer(service, challenge, phone.wrong())) == ["INVALID_CREDENTIALS"]

    assert (await actions(service, token))[0] == "code_refused"


@pytest.mark.rule("10")
async def test_a_known_password_does_not_buy_further_codes(service: Service) -> None:
    token = await customer(service)
    phone = await enrol(service, token)
    for _ in range(5):
        assert codes(await answer(service, await challenge_of(service, EMAIL), phone.wrong())) == [
            "INVALID_CREDENTIALS"
        ]

    assert codes(await sign_in(service)) == ["RATE_LIMITED"]
    reauthenticated = (await service.ask(REAUTHENTICATE, {"password": PASSWORD}, token=token))["reauthenticate"]
    disabled = (await service.ask(DISABLE, {"p": PASSWORD, "c": phone.code()}, token=token))["disableMfa"]
    assert codes(reauthenticated) == codes(disabled) == ["RATE_LIMITED"]


@pytest.mark.rule("10")
async def test_turning_it_on_and_off_is_noted_and_told_by_mail(service: Service) -> None:
    token = await customer(service)
    phone = await enrol(service, token)

    assert (await service.mails(EMAIL))[0].subject == "A second factor was added"
    assert codes((await service.ask(DISABLE, {"p": PASSWORD, "c": phone.code()}, token=token))["disableMfa"]) == []

    assert (await service.mails(EMAIL))[0].subject == "Your second factor was removed"
    assert (await actions(service, token))[:2] == ["second_factor_removed", "second_factor_added"]
