"""A password is what was typed, all of it, and nothing near it (rules 2 and 9)."""

from __future__ import annotations

import os
import sys
import unicodedata

import pytest

from api.adapters.database import fetch
from api.auth.passwords import NICENESS
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, SIGN_UP, codes, customer, sign_in, sign_up, sign_up_input, verify
from tests.flows.own_account import change_password
from tests.flows.resets import reset, verified
from tests.flows.test_equal_work import CountingPasswords

LONG = "Aa1 " + "x" * 200_000


async def customer_with(service: Service, password: str) -> None:
    """Sign up with a password and follow the link."""
    await sign_up(service, password=password)
    assert await verify(service, (await service.links(EMAIL))[0]) == []


@pytest.mark.row("S3")
@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "password",
    [
        "Kx7 " + "mq wLp" * 10,
        "Kx7 " + "mqwLpzvt" * 15 + "abcd",
        "Clave 🔐 Segura 7 👨‍👩‍👧",
        "密码 Kx7 长长长 パスワード",
        " Kx7 mqwLp ",
    ],
    ids=["64 with spaces", "128", "emoji", "cjk", "outer spaces"],
)
async def test_whatever_can_be_seen_may_be_a_password_and_signs_in_exactly(service: Service, password: str) -> None:
    await customer_with(service, password)

    answers = [await sign_in(service, password=given) for given in (password, password[:-1], password + "x")]

    assert codes(answers[0]) == []
    assert codes(answers[1]) == ["INVALID_CREDENTIALS"]
    assert codes(answers[2]) in (["INVALID_CREDENTIALS"], ["TOO_LONG"])


@pytest.mark.row("S5")
@pytest.mark.rule("2")
async def test_of_passwords_that_differ_only_late_just_the_right_one_signs_in(service: Service) -> None:
    common = "Kx7 " + "mqwLpzvt" * 10
    await customer_with(service, common + "A")

    assert codes(await sign_in(service, password=common + "B")) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service, password=common)) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service, password=common + "A")) == []


@pytest.mark.row("S6")
@pytest.mark.rule("2")
async def test_another_case_or_an_outer_space_makes_another_password(service: Service) -> None:
    await customer_with(service, "Kx7mqwLp")

    for other in ("kx7mqwLp", "KX7MQWLP", " Kx7mqwLp", "Kx7mqwLp "):
        assert codes(await sign_in(service, password=other)) == ["INVALID_CREDENTIALS"]
    assert codes(await sign_in(service, password="Kx7mqwLp")) == []


@pytest.mark.row("S7")
@pytest.mark.rule("2")
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
async def test_a_password_signs_in_however_a_keyboard_encodes_it(service: Service, form: str) -> None:
    await customer_with(service, unicodedata.normalize("NFC", "Ñandú ﬁel Peña 7"))

    assert codes(await sign_in(service, password=unicodedata.normalize(form, "Ñandú ﬁel Peña 7"))) == []  # type: ignore[arg-type]


@pytest.mark.row("S4")
@pytest.mark.rule("2")
async def test_a_password_of_endless_length_is_refused_without_hashing_wherever_one_is_given(service: Service) -> None:
    token = await customer(service)
    reset_token = await verified(service)
    passwords = CountingPasswords(service.ports.secrets, memory_kib=64, passes=1)
    counting = Service(service.ports, passwords)

    refused = [
        (await counting.ask(SIGN_UP, {"input": sign_up_input("bob@mail.test", password=LONG)}))["signUp"],
        await sign_in(counting, password=LONG),
        await change_password(counting, token, current=LONG),
        await reset(counting, reset_token, LONG),
    ]
    hashes_by_then = passwords.hashes
    new = await change_password(counting, token, new=LONG)
    passwords.close()

    assert [codes(payload) for payload in (*refused, new)] == [["TOO_LONG"]] * 5
    assert all("128" in payload["errors"][0]["message"] for payload in refused)
    assert hashes_by_then == 0
    # The new one is judged after the current one was found to be right.
    assert passwords.hashes <= 1


@pytest.mark.row("L18", "Q10")
@pytest.mark.rule("9")
async def test_two_who_chose_the_same_secrets_have_hashes_of_their_own(service: Service) -> None:
    await customer(service)
    await customer(service, "bob@mail.test")

    accounts = await fetch("select password_hash, passcode_hash from accounts")
    answers = await fetch("select question_code, answer_hash from security_answers")

    hashes = [row[column] for row in accounts for column in ("password_hash", "passcode_hash")]
    hashes += [row["answer_hash"] for row in answers]
    assert len(set(hashes)) == len(hashes) == 10
    assert all(kept.startswith("$argon2id$") for kept in hashes)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
async def test_hashing_gives_way_to_the_event_loop(service: Service) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)

    hashing = await service.passwords._run(service.passwords._checking, lambda: os.getpriority(os.PRIO_PROCESS, 0))

    assert hashing == own + NICENESS
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


@pytest.mark.row("P2")
@pytest.mark.rule("10")
async def test_a_passcode_alone_signs_nobody_in(service: Service) -> None:
    await customer(service)

    assert codes(await sign_in(service, password=sign_up_input()["profile"]["passcode"])) == ["INVALID_CREDENTIALS"]
