"""Signing up, and the link that confirms it (rules 1 to 5, 7, 9)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from api.adapters.database import fetch, read_json
from api.auth import limits
from tests.flows.conftest import Service
from tests.flows.getting_in import (
    EMAIL,
    ME,
    PASSWORD,
    RESEND,
    SIGN_UP,
    VALIDATE,
    codes,
    customer,
    sign_in,
    sign_up,
    sign_up_input,
    verify,
)


@pytest.mark.rule("1")
async def test_all_faults_of_all_stages_come_at_once_with_their_paths(service: Service) -> None:
    broken = sign_up_input("no address", password="short")
    broken["credentials"]["acceptTerms"] = False
    broken["securityAnswers"][1] = {"questionCode": "first_pet", "answer": ""}
    broken["profile"] |= {"firstName": " ", "passcode": "12", "phone": "555"}
    broken["profile"]["address"]["zip"] = "10001"

    payload = (await service.ask(SIGN_UP, {"input": broken}))["signUp"]

    assert payload["accepted"] is False
    found = {(error["code"], ".".join(error["path"])) for error in payload["errors"]}
    assert found >= {
        ("INVALID", "input.credentials.email"),
        ("WEAK_PASSWORD", "input.credentials.password"),
        ("TERMS_NOT_ACCEPTED", "input.credentials.acceptTerms"),
        ("DUPLICATE_CHOICE", "input.securityAnswers.1.questionCode"),
        ("REQUIRED", "input.securityAnswers.1.answer"),
        ("REQUIRED", "input.profile.firstName"),
        ("INVALID", "input.profile.address.zip"),
        ("INVALID", "input.profile.phone"),
        ("INVALID", "input.profile.passcode"),
    }
    assert await service.mails("no address") == []


@pytest.mark.rule("1")
async def test_each_stage_can_be_checked_alone(service: Service) -> None:
    profile = sign_up_input()["profile"]
    accepted = (await service.ask(VALIDATE, {"input": {"profile": profile}}))["validateSignUp"]
    refused = (await service.ask(VALIDATE, {"input": {"profile": profile | {"passcode": "1234"}}}))["validateSignUp"]

    assert accepted == {"accepted": True, "errors": []}
    assert [error["path"] for error in refused["errors"]] == [["input", "profile", "passcode"]]


@pytest.mark.rule("37")
@pytest.mark.parametrize("language, message", [("en", "Please enter an email"), ("es-MX", "Escriba un correo")])
async def test_faults_are_told_in_the_language_of_the_request(service: Service, language: str, message: str) -> None:
    data = await service.ask(SIGN_UP, {"input": sign_up_input("nobody")}, language=language)

    assert data["signUp"]["errors"][0]["message"].startswith(message)


@pytest.mark.rule("37")
@pytest.mark.parametrize("language, subject", [("en", "Confirm your"), ("es", "Confirme su")])
async def test_the_mail_is_in_the_language_of_the_request(service: Service, language: str, subject: str) -> None:
    await service.ask(SIGN_UP, {"input": sign_up_input()}, language=language)

    (mail,) = await service.mails(EMAIL)
    assert mail.subject.startswith(subject)
    assert "Example Calls" in mail.text
    assert "972-734-1111" in mail.text


@pytest.mark.rule("37")
async def test_what_signing_up_asks_for_is_told_in_both_languages(service: Service) -> None:
    document = """{ signUpRequirements { passwordMinLength passwordRules securityQuestionsRequired passcodeLength
      termsVersion termsUrl states securityQuestions { code text spanish: text(locale: "es") } }
      agreement(kind: TERMS, locale: "es") { kind version text } }"""

    data = await service.ask(document)

    asked = data["signUpRequirements"]
    assert (asked["passwordMinLength"], asked["securityQuestionsRequired"], asked["passcodeLength"]) == (8, 3, 4)
    assert asked["securityQuestions"][0] == {
        "code": "first_pet",
        "text": "What is the name of your first pet?",
        "spanish": "¿Cómo se llamaba su primera mascota?",
    }
    assert asked["termsUrl"] == "https://calls.example/terms"
    assert "TX" in asked["states"]
    assert data["agreement"]["version"] == asked["termsVersion"]


@pytest.mark.rule("5")
async def test_nothing_works_before_the_address_is_confirmed(service: Service) -> None:
    await sign_up(service)

    right = await sign_in(service)
    wrong = await sign_in(service, password="Wrong horse 7 battery")

    assert (right["token"], codes(right)) == (None, ["EMAIL_NOT_VERIFIED"])
    assert codes(wrong) == ["INVALID_CREDENTIALS"]
    assert (await service.ask(ME))["me"] is None


@pytest.mark.rule("5")
async def test_the_link_opens_the_account_as_it_was_signed_up_for(service: Service) -> None:
    token = await customer(service, "Ann.Lee@Mail.Test")
    document = """{ me { status email emailVerifiedAt firstName lastName phone locale
      address { line1 line2 city state zip country revision }
      security { securityQuestions { code } sessions { current } } } }"""

    me = (await service.ask(document, token=token))["me"]

    assert me.pop("emailVerifiedAt") is not None
    assert me == {
        "status": "ACTIVE",
        "email": "Ann.Lee@mail.test",
        "firstName": "Ann",
        "lastName": "Lee",
        "phone": "+12145550123",
        "locale": "en",
        "address": {
            "line1": "12 Elm Street",
            "line2": None,
            "city": "Dallas",
            "state": "TX",
            "zip": "75201",
            "country": "US",
            "revision": 1,
        },
        "security": {
            "securityQuestions": [{"code": "first_pet"}, {"code": "birth_city"}, {"code": "first_school"}],
            "sessions": [{"current": True}],
        },
    }


@pytest.mark.rule("5")
async def test_a_link_works_once(service: Service) -> None:
    await sign_up(service)
    (link,) = await service.links(EMAIL)

    assert await verify(service, link) == []
    assert await verify(service, link) == ["TOKEN_INVALID"]
    assert await verify(service, link[:-1]) == ["TOKEN_INVALID"]


@pytest.mark.rule("5")
async def test_of_two_who_follow_a_link_at_once_one_opens_the_account(service: Service) -> None:
    await sign_up(service)
    (link,) = await service.links(EMAIL)

    answers = await asyncio.gather(verify(service, link), verify(service, link))

    assert sorted(answers) == [[], ["TOKEN_INVALID"]]


@pytest.mark.rule("5")
async def test_the_owners_click_does_not_confirm_a_strangers_sign_up(service: Service) -> None:
    await sign_up(service, first_name="Mallory", password="Stranger chose 9 this")
    await sign_up(service, first_name="Ann")
    owners, strangers = await service.mails(EMAIL)
    link, other_link = await service.links(EMAIL)

    assert await verify(service, link) == []

    assert '"Ann"' in owners.text
    assert '"Mallory"' in strangers.text
    assert (await sign_in(service))["account"]["firstName"] == "Ann"
    assert codes(await sign_in(service, password="Stranger chose 9 this")) == ["INVALID_CREDENTIALS"]
    assert await verify(service, other_link) == ["TOKEN_INVALID"]


@pytest.mark.rule("5")
async def test_a_link_ends_after_24_hours_and_a_new_one_may_be_asked_for(service: Service) -> None:
    await sign_up(service)
    (link,) = await service.links(EMAIL)
    await service.advance(timedelta(hours=24))

    assert await verify(service, link) == ["TOKEN_EXPIRED"]

    await service.ask(RESEND, {"email": EMAIL})
    assert await verify(service, (await service.links(EMAIL))[0]) == []


async def test_a_link_works_until_its_24_hours_are_over(service: Service) -> None:
    await sign_up(service)
    await service.advance(timedelta(hours=23, minutes=59))

    assert await verify(service, (await service.links(EMAIL))[0]) == []


@pytest.mark.rule("5")
async def test_a_new_link_ends_the_old_one(service: Service) -> None:
    await sign_up(service)
    await service.ask(RESEND, {"email": EMAIL.upper()})
    new, old = await service.links(EMAIL)

    assert await verify(service, old) == ["TOKEN_INVALID"]
    assert await verify(service, new) == []


@pytest.mark.rule("7")
async def test_asking_for_a_new_link_is_answered_alike_for_every_address(service: Service) -> None:
    await sign_up(service)
    await customer(service, "bob@mail.test")

    answers = [await service.ask(RESEND, {"email": email}) for email in (EMAIL, "bob@mail.test", "zoe@mail.test")]

    assert answers == [{"resendVerificationEmail": {"accepted": True, "errors": []}}] * 3
    assert len(await service.mails("bob@mail.test")) == 1
    assert await service.mails("zoe@mail.test") == []


@pytest.mark.rule("7")
async def test_signing_up_a_taken_address_is_answered_alike_and_tells_its_owner(service: Service) -> None:
    await customer(service)

    await sign_up(service, first_name="Mallory", password="Stranger chose 9 this")

    newest, _ = await service.mails(EMAIL)
    assert newest.subject == "You already have an account"
    assert "Mallory" not in newest.text
    assert len(await service.links(EMAIL)) == 1
    assert (await sign_in(service, password="Stranger chose 9 this"))["token"] is None
    assert codes(await sign_in(service)) == []


@pytest.mark.rule("7")
async def test_whoever_signed_up_learns_by_signing_in_no_more_of_a_taken_address_than_of_a_free_one(
    service: Service,
) -> None:
    await customer(service)
    chosen = "Stranger chose 9 this"

    answers = []
    for email in (EMAIL, "free@mail.test"):
        await sign_up(service, email, password=chosen)
        tries = [await sign_in(service, email, password) for password in (chosen, "Stranger chose 8 this")]
        await service.ask(RESEND, {"email": email})
        await service.advance(timedelta(days=7, hours=23))
        later = await sign_in(service, email, chosen)
        await service.advance(timedelta(days=2))
        answers.append([codes(payload) for payload in (*tries, later, await sign_in(service, email, chosen))])

    taken, free = answers
    assert taken == free == [["EMAIL_NOT_VERIFIED"], ["INVALID_CREDENTIALS"]] * 2


@pytest.mark.rule("5")
async def test_a_sign_up_at_a_taken_address_keeps_no_answers_and_no_new_link_is_mailed_for_it(service: Service) -> None:
    await customer(service)
    await sign_up(service, first_name="Mallory")

    await service.ask(RESEND, {"email": EMAIL})

    (row,) = await fetch("select * from pending_sign_ups where email_key = $1", EMAIL)
    assert (row["passcode_hash"], read_json(row["answers"]), read_json(row["profile"])) == ("", [], {})
    assert (await service.mails(EMAIL))[0].subject == "You already have an account"
    assert len(await service.links(EMAIL)) == 1


@pytest.mark.rule("10")
async def test_an_address_gets_five_mails_an_hour_however_many_are_asked_for(service: Service) -> None:
    await sign_up(service)
    for _ in range(7):
        assert (await service.ask(RESEND, {"email": EMAIL}))["resendVerificationEmail"]["accepted"]

    links = await service.links(EMAIL)
    assert len(links) == 5
    assert await verify(service, links[0]) == []


@pytest.mark.rule("10")
async def test_a_client_that_asks_for_mails_to_many_addresses_is_slowed_down(service: Service) -> None:
    fields = " ".join(
        f'm{n}: resendVerificationEmail(email: "p{n}@mail.test") {{ errors {{ code }} }}' for n in range(55)
    )

    first = await service.ask(f"mutation {{ {fields} }}")
    second = await service.ask(f"mutation {{ {fields} }}")

    answers = [*first.values(), *second.values()]
    assert [len(payload["errors"]) for payload in answers] == [0] * 60 + [1] * 50
    assert second["m54"]["errors"][0]["code"] == "RATE_LIMITED"


@pytest.mark.rule("10")
async def test_links_cannot_be_guessed_without_end(service: Service) -> None:
    fields = " ".join(f'v{n}: verifyEmail(token: "guess{n}") {{ errors {{ code }} }}' for n in range(32))

    data = await service.ask(f"mutation {{ {fields} }}")

    answered = [payload["errors"][0]["code"] for payload in data.values()]
    assert answered == ["TOKEN_INVALID"] * 30 + ["RATE_LIMITED"] * 2


async def test_twenty_sign_ups_at_once_end_in_one_account(service: Service) -> None:
    variables = {"input": sign_up_input()}

    answers = await asyncio.gather(*(service.ask(SIGN_UP, variables) for _ in range(20)))

    assert all(answer["signUp"] == {"accepted": True, "errors": []} for answer in answers)
    links = await service.links(EMAIL)
    assert len(links) == 5
    outcomes = await asyncio.gather(*(verify(service, link) for link in links))
    assert sorted(outcomes) == [[], *[["TOKEN_INVALID"]] * 4]
    assert len(await fetch("select id from accounts")) == 1


async def test_a_client_that_signs_up_two_hundred_times_within_an_hour_has_to_wait(service: Service) -> None:
    subject = limits.subject_of(service.ports, limits.Limit.SIGN_UPS_PER_CLIENT.value, "198.51.100.7")
    for _ in range(199):
        await limits.count(subject, service.ports.now(), timedelta(hours=1))
    await sign_up(service, "p@mail.test")

    late = (await service.ask(SIGN_UP, {"input": sign_up_input()}))["signUp"]
    elsewhere = (await service.ask(SIGN_UP, {"input": sign_up_input()}, client_address="203.0.113.9"))["signUp"]

    assert codes(late) == ["RATE_LIMITED"]
    assert 0 < late["errors"][0]["retryAfterSeconds"] <= 3600
    assert codes(elsewhere) == []


@pytest.mark.rule("5")
async def test_at_most_five_sign_ups_wait_for_an_address(service: Service) -> None:
    names = ["Ada", "Bea", "Cleo", "Dora", "Eva", "Fay", "Gina"]
    for name in names:
        await sign_up(service, first_name=name)
        await service.advance(timedelta(minutes=15))

    rows = await fetch("select profile from pending_sign_ups order by created_at")

    assert [json.loads(row["profile"])["first_name"] for row in rows] == names[-5:]


@pytest.mark.rule("9")
async def test_no_secret_is_kept_as_it_was_typed(service: Service) -> None:
    await sign_up(service)
    waiting = await fetch("select * from pending_sign_ups")
    work = await fetch("select * from due_work")
    (link,) = await service.links(EMAIL)
    await verify(service, link)
    kept = [*waiting, *work, *await fetch("select * from accounts"), *await fetch("select * from security_answers")]

    text = "\n".join(str(dict(row)) for row in kept)
    for secret in (PASSWORD, "2468", "Bartholomew", "bartholomew", link):
        assert f"'{secret}'" not in text
        assert f'"{secret}"' not in text
    assert text.count("$argon2id$") == 2 + 3 + 2 + 3


@pytest.mark.rule("5")
async def test_what_a_stranger_calls_himself_is_nothing_to_click_on(service: Service) -> None:
    await sign_up(service, first_name="Go to https://evil.test/win <b>now</b>")

    (mail,) = await service.mails(EMAIL)

    assert '"Go to https evil test win b now b"' in mail.text


@pytest.mark.parametrize(
    "email", ["a\r\nbcc: x@mail.test", "Ann <a@mail.test>", "a@b@mail.test", "a" * 300, "a\0@b.test"]
)
async def test_an_address_that_mail_cannot_safely_go_to_is_refused(service: Service, email: str) -> None:
    payload = (await service.ask(SIGN_UP, {"input": sign_up_input(email)}))["signUp"]

    assert ["input", "credentials", "email"] in [error["path"] for error in payload["errors"]]
