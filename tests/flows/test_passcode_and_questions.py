"""Changing the passcode and the security questions (rules 3, 4, 9, 10)."""

from __future__ import annotations

from typing import Any

import pytest

from api.adapters.database import fetch, fetch_one
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, PASSWORD, codes, customer
from tests.flows.own_account import CHANGE_PASSCODE, SET_QUESTIONS, WRONG, actions

ANSWERS = [
    {"questionCode": "favorite_movie", "answer": "The Third Man"},
    {"questionCode": "first_pet", "answer": "Rosinante"},
    {"questionCode": "childhood_place", "answer": "Grandmother's barn"},
]


async def set_passcode(service: Service, token: str, new: str, password: str = PASSWORD) -> dict[str, Any]:
    data = await service.ask(CHANGE_PASSCODE, {"password": password, "new": new}, token=token)
    payload: dict[str, Any] = data["changePasscode"]
    return payload


@pytest.mark.rule("9")
async def test_a_new_passcode_is_kept_as_a_hash_and_told_by_mail(service: Service) -> None:
    token = await customer(service)

    payload = await set_passcode(service, token, "8642")

    assert payload == {"account": {"email": EMAIL}, "errors": []}
    row = await fetch_one("select passcode_hash from accounts")
    assert row is not None
    assert await service.passwords.check_short("passcode", "8642", row["passcode_hash"])
    notice = (await service.mails(EMAIL))[0]
    assert notice.subject == "Your passcode was changed"
    assert "8642" not in notice.text
    assert (await actions(service, token))[0] == "passcode_changed"


@pytest.mark.row("P4")
@pytest.mark.rule("10")
async def test_a_passcode_is_not_changed_without_the_password(service: Service) -> None:
    token = await customer(service)
    before = await fetch("select passcode_hash from accounts")

    payload = await set_passcode(service, token, "8642", WRONG)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID_CREDENTIALS", ["password"])]
    assert await fetch("select passcode_hash from accounts") == before


@pytest.mark.row("P1")
@pytest.mark.rule("4")
@pytest.mark.parametrize("passcode", ["", "123", "12345", "abcd", "0000", "1234", "2580"])
async def test_a_passcode_that_is_malformed_or_easily_guessed_is_refused(service: Service, passcode: str) -> None:
    token = await customer(service)

    payload = await set_passcode(service, token, passcode)

    assert [error["path"] for error in payload["errors"]] == [["newPasscode"]]


async def set_questions(
    service: Service, token: str, answers: list[dict[str, str]], password: str = PASSWORD
) -> dict[str, Any]:
    data = await service.ask(SET_QUESTIONS, {"password": password, "answers": answers}, token=token)
    payload: dict[str, Any] = data["setSecurityQuestions"]
    return payload


@pytest.mark.row("Q10", "Q11")
@pytest.mark.rule("9")
async def test_all_three_questions_are_replaced_at_once_and_the_answers_hashed(service: Service) -> None:
    token = await customer(service)

    payload = await set_questions(service, token, ANSWERS)

    asked = [question["code"] for question in payload["account"]["security"]["securityQuestions"]]
    assert asked == [given["questionCode"] for given in ANSWERS]
    rows = await fetch("select question_code, answer_hash from security_answers order by id")
    for given, row in zip(ANSWERS, rows, strict=True):
        assert row["answer_hash"].startswith("$argon2id$")
        assert await service.passwords.check_short("answer", given["answer"], row["answer_hash"])
    notice = (await service.mails(EMAIL))[0]
    assert notice.subject == "Your security questions were changed"
    assert not any(given["answer"] in notice.text for given in ANSWERS)
    assert (await actions(service, token))[0] == "security_questions_changed"


@pytest.mark.row("Q11")
@pytest.mark.rule("10")
async def test_the_questions_are_not_changed_without_the_password(service: Service) -> None:
    token = await customer(service)
    before = await fetch("select * from security_answers order by id")

    payload = await set_questions(service, token, ANSWERS, WRONG)

    assert codes(payload) == ["INVALID_CREDENTIALS"]
    assert await fetch("select * from security_answers order by id") == before


@pytest.mark.row("Q7", "Q8")
@pytest.mark.rule("3")
async def test_what_is_wrong_with_the_answers_comes_at_once_with_paths(service: Service) -> None:
    token = await customer(service)
    answers = [{"questionCode": "first_pet", "answer": "blue"}, *ANSWERS[1:]]
    answers[2] = {"questionCode": "birth_city", "answer": PASSWORD}

    payload = await set_questions(service, token, answers)

    assert [(error["code"], ".".join(error["path"])) for error in payload["errors"]] == [
        ("INVALID", "answers.0.answer"),
        ("DUPLICATE_CHOICE", "answers.1.questionCode"),
        ("INVALID", "answers.2.answer"),
    ]


@pytest.mark.parametrize("password", ["Aa1 " + "x" * 100_000, "Aa1\0\ud800"])
async def test_a_password_that_no_account_can_have_is_refused_before_hashing(service: Service, password: str) -> None:
    token = await customer(service)

    payload = await set_passcode(service, token, "8642", password)

    assert [error["path"] for error in payload["errors"]] == [["password"]]
    assert set(codes(payload)) <= {"TOO_LONG", "INVALID"}
