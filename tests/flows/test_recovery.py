"""A forgotten password: the answers, the new password, and what a reset ends (rules 6 and 10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.adapters.database import execute, fetch, fetch_one, read_uuid
from api.adapters.live import WatcherEnded
from api.services import recovery
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.getting_in import EMAIL, ME, PASSWORD, VERIFY, WRONG, codes, customer, sign_in
from tests.flows.resets import (
    ACCEPTED,
    ANSWERS,
    NEW_PASSWORD,
    WRONG_ANSWERS,
    number_of,
    reset,
    verified,
    verify_number,
)


@pytest.mark.row("R13")
@pytest.mark.rule("6")
async def test_a_number_the_answers_and_a_new_password_get_a_holder_back_in(service: Service) -> None:
    old = await customer(service)

    given = await verify_number(service, await number_of(service))
    done = await reset(service, given["resetToken"])

    assert [question["code"] for question in given["securityQuestions"]] == [a["questionCode"] for a in ANSWERS]
    assert done == ACCEPTED
    assert (await service.ask(ME, token=old))["me"] is None
    assert codes(await sign_in(service)) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service, password=NEW_PASSWORD)) == []


@pytest.mark.row("R3")
@pytest.mark.rule("6")
async def test_until_the_reset_is_done_nothing_changes(service: Service) -> None:
    token = await customer(service)

    await verified(service)

    assert (await service.ask(ME, token=token))["me"]["email"] == EMAIL
    assert codes(await sign_in(service)) == []


@pytest.mark.row("T3", "R13")
@pytest.mark.rule("6")
async def test_a_reset_ends_the_sockets_of_every_sign_in(service: Service) -> None:
    await customer(service)
    row = await fetch_one("select id, account_id from sign_ins")
    assert row is not None
    token = await verified(service)

    with service.ports.live.watch(read_uuid(row["account_id"]), read_uuid(row["id"])) as watcher:
        await reset(service, token)
        with pytest.raises(WatcherEnded):
            await watcher.next(SECONDS_MAX)


@pytest.mark.row("R13")
@pytest.mark.rule("6")
async def test_a_reset_gives_no_sign_in_and_ends_what_waits_for_a_code_or_a_new_address(service: Service) -> None:
    await customer(service)
    account = await fetch_one("select id from accounts")
    assert account is not None
    now, account_id = service.ports.now(), read_uuid(account["id"])
    await execute(
        "insert into challenges (id, token_hash, owner, is_staff, in_browser, device, channel, tries, created_at,"
        " expires_at) values ($1, 'c', $1, $2, $2, '', 'WEB', 0, $3, $3)",
        account_id, False, now,
    )  # fmt: skip
    await execute(
        "insert into email_changes (id, account_id, email, email_key, link_number, token_hash, created_at, expires_at)"
        " values ($1, $1, 'x@mail.test', 'x@mail.test', 1, 'e', $2, $2)",
        account_id, now,
    )  # fmt: skip

    await reset(service, await verified(service))

    assert await fetch("select id from sign_ins where ended_at is null") == []
    assert await fetch("select id from challenges") == []
    assert await fetch("select id from email_changes") == []


@pytest.mark.row("R14")
@pytest.mark.rule("6")
async def test_a_reset_is_noted_and_told_by_mail_without_a_secret(service: Service) -> None:
    await customer(service)
    number = await number_of(service)
    token = (await verify_number(service, number))["resetToken"]

    await reset(service, token)

    notice = (await service.mails(EMAIL))[0]
    assert notice.subject == "Your password was reset"
    assert "UTC" in notice.text
    secrets = [number, token, NEW_PASSWORD, *(given["answer"] for given in ANSWERS)]
    assert [secret for secret in secrets if secret in notice.text] == []
    assert [row["action"] for row in await fetch("select action from activity")][-1] == "password_reset"


@pytest.mark.row("R9", "R10", "R11", "Q1")
@pytest.mark.rule("6")
async def test_tokens_of_other_kinds_reset_nothing_and_the_resets_token_opens_nothing(service: Service) -> None:
    signed_in = await customer(service)
    number = await number_of(service)
    token = (await verify_number(service, number))["resetToken"]

    for other in (signed_in, number, "", "x" * 300, token[:-1] + "_"):
        assert codes(await reset(service, other)) == ["TOKEN_INVALID"]
    assert (await service.ask(ME, token=token))["me"] is None
    assert [error["code"] for error in (await service.ask(VERIFY, {"token": token}))["verifyEmail"]["errors"]] == [
        "TOKEN_INVALID"
    ]


@pytest.mark.row("R12", "S2")
@pytest.mark.rule("6")
async def test_a_weak_password_uses_up_nothing(service: Service) -> None:
    await customer(service)
    token = await verified(service)

    for _ in range(6):
        weak = await reset(service, token, "short1A")
    holds_name = await reset(service, token, "Ann-mail.test 77x ann@mail.test")

    assert [(error["code"], error["path"]) for error in weak["errors"]] == [("WEAK_PASSWORD", ["input", "newPassword"])]
    assert "WEAK_PASSWORD" in codes(holds_name)
    assert await reset(service, token) == ACCEPTED


@pytest.mark.row("Q3")
@pytest.mark.rule("6")
async def test_which_answer_is_wrong_is_not_told(service: Service) -> None:
    await customer(service)
    token = await verified(service)
    one_wrong = WRONG_ANSWERS
    all_wrong = [{**given, "answer": "Somebody else"} for given in ANSWERS]

    answers = [await reset(service, token, answers=given) for given in (one_wrong, all_wrong)]

    assert answers[0] == answers[1]
    assert [(error["code"], error["path"]) for error in answers[0]["errors"]] == [
        ("INVALID_CREDENTIALS", ["input", "securityAnswers"])
    ]


@pytest.mark.row("Q4")
@pytest.mark.rule("6")
@pytest.mark.parametrize("count", [0, 2])
async def test_all_three_questions_are_to_be_answered(service: Service, count: int) -> None:
    await customer(service)
    token = await verified(service)

    for given in (ANSWERS[:count], [*ANSWERS, ANSWERS[0]], [ANSWERS[0]] * 3):
        payload = await reset(service, token, answers=given)
        assert [(e["code"], e["path"]) for e in payload["errors"]] == [("INVALID", ["input", "securityAnswers"])]

    assert await reset(service, token) == ACCEPTED


@pytest.mark.row("Q6")
@pytest.mark.rule("6")
async def test_answers_are_taken_in_any_order_case_and_spacing(service: Service) -> None:
    await customer(service)
    token = await verified(service)
    given = [{**answer, "answer": f"  {answer['answer'].upper()} "} for answer in reversed(ANSWERS)]

    assert await reset(service, token, answers=given) == ACCEPTED


@pytest.mark.row("Q5", "Q3")
@pytest.mark.rule("6")
async def test_five_wrong_sets_end_the_reset_and_its_holder_is_told(service: Service) -> None:
    await customer(service)
    token = await verified(service)

    wrong = [codes(await reset(service, token, answers=WRONG_ANSWERS)) for _ in range(5)]

    assert wrong == [["INVALID_CREDENTIALS"]] * 5
    assert codes(await reset(service, token)) == ["TOKEN_INVALID"]
    assert (await service.mails(EMAIL))[0].subject == "Security answers were wrong 5 times"
    assert codes(await sign_in(service)) == ["RATE_LIMITED"]


@pytest.mark.row("Q5")
@pytest.mark.rule("6")
async def test_of_sets_of_answers_at_once_no_more_than_five_are_looked_at(service: Service) -> None:
    await customer(service)
    token = await verified(service)

    answers = await asyncio.gather(
        *(reset(service, token, answers=WRONG_ANSWERS, client_address=f"192.0.2.{n}") for n in range(9))
    )

    assert sorted(code for payload in answers for code in codes(payload)) == (
        ["INVALID_CREDENTIALS"] * 5 + ["TOKEN_INVALID"] * 4
    )


@pytest.mark.row("Q3", "Q5")
@pytest.mark.rule("6")
async def test_wrong_answers_of_several_resets_add_up_for_the_account(service: Service) -> None:
    await customer(service)
    for _ in range(2):
        token = await verified(service)
        for _ in range(5):
            await reset(service, token, answers=WRONG_ANSWERS)

    assert codes(await reset(service, await verified(service))) == ["RATE_LIMITED"]


@pytest.mark.row("R6")
@pytest.mark.rule("6")
async def test_of_two_resets_at_once_one_succeeds(service: Service) -> None:
    await customer(service)
    token = await verified(service)

    answers = await asyncio.gather(*(reset(service, token, f"{NEW_PASSWORD} {n}") for n in range(3)))

    assert sorted(tuple(codes(payload)) for payload in answers) == [(), ("TOKEN_INVALID",), ("TOKEN_INVALID",)]
    winner = next(n for n, payload in enumerate(answers) if not payload["errors"])
    assert codes(await sign_in(service, password=f"{NEW_PASSWORD} {winner}")) == []


@pytest.mark.rule("6")
async def test_a_reset_is_over_after_its_lifetime(service: Service) -> None:
    await customer(service)
    token = await verified(service)

    await service.advance(timedelta(minutes=15))

    assert codes(await reset(service, token)) == ["TOKEN_EXPIRED"]


@pytest.mark.rule("6")
async def test_a_done_reset_ends_the_accounts_other_ones(service: Service) -> None:
    await customer(service)
    other = await verified(service)
    token = await verified(service)
    number = await number_of(service)

    assert await reset(service, token) == ACCEPTED

    assert codes(await reset(service, other)) == ["TOKEN_INVALID"]
    assert codes(await verify_number(service, number)) == ["TOKEN_INVALID"]


@pytest.mark.rule("6")
async def test_ended_resets_take_neither_number_nor_answers(service: Service) -> None:
    await customer(service)
    token = await verified(service)
    number = await number_of(service)
    account = await fetch_one("select id from accounts")
    assert account is not None

    await recovery.end_resets(read_uuid(account["id"]))

    assert codes(await verify_number(service, number)) == ["TOKEN_INVALID"]
    assert codes(await reset(service, token)) == ["TOKEN_INVALID"]


@pytest.mark.row("L5")
@pytest.mark.rule("10")
async def test_a_reset_opens_what_wrong_passwords_have_locked(service: Service) -> None:
    await customer(service)
    await execute("update guess_counters set count = 0")
    await sign_in(service, password=WRONG)
    await execute("update guess_counters set count = 100 where subject like 'guesses_per_account:%'")
    assert codes(await sign_in(service)) == ["LOCKED"]

    done = await reset(service, await verified(service))

    assert done == ACCEPTED
    assert codes(await sign_in(service, password=NEW_PASSWORD)) == []


@pytest.mark.rule("6")
async def test_an_account_that_closes_meanwhile_is_not_reset(service: Service) -> None:
    await customer(service)
    token = await verified(service)
    await execute("update accounts set status = 'CLOSING'")

    assert codes(await reset(service, token)) == ["TOKEN_INVALID"]
    assert codes(await sign_in(service, password=PASSWORD)) == ["INVALID_CREDENTIALS"]
