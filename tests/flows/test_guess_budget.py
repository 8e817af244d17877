"""One budget for all that can be guessed of an account (rule 10)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.adapters.database import execute, fetch
from api.auth import limits
from api.auth.limits import guess, guessed_right
from api.domain.faults import ErrorCode, Refused
from api.domain.guesses import Guess
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, ME, PASSWORD, WRONG, codes, customer, sign_in, verify
from tests.flows.own_account import REAUTHENTICATE, change_email

CLIENT = "203.0.113.5"


def guesses(count: int, email: str = EMAIL, password: str = WRONG) -> str:
    fields = " ".join(
        f'g{n}: signIn(input: {{email: "{email}", password: "{password}"}}) {{ token errors {{ code message path }} }}'
        for n in range(count)
    )
    return f"mutation {{ {fields} }}"


async def tried(service: Service, kind: Guess, email: str = EMAIL, client: str = CLIENT) -> list[ErrorCode]:
    """Count a try; return the codes of what was refused."""
    try:
        await guess(service.ports, email, client, kind)
    except Refused as refusal:
        return [fault.code for fault in refusal.faults]
    return []


async def lock(service: Service, email: str = EMAIL) -> None:
    """Try as often as it takes to lock the account, each time after the wait, from one client after another."""
    for n in range(100):
        assert await tried(service, Guess.PASSWORD, email, f"192.0.2.{n}") == []
        await service.advance(timedelta(hours=1))
        await service.ask(ME)


@pytest.mark.rule("10")
@pytest.mark.parametrize("email", [EMAIL, "unknown@mail.test"])
async def test_thirty_six_guesses_in_three_documents_of_twelve_aliases_are_stopped(
    service: Service, email: str
) -> None:
    await customer(service)

    answers = [(await service.ask(guesses(12, email))).values() for _ in range(3)]

    answered = [payload["errors"][0]["code"] for data in answers for payload in data]
    assert answered == ["INVALID_CREDENTIALS"] * 5 + ["RATE_LIMITED"] * 31


@pytest.mark.rule("10")
async def test_guesses_at_once_count_each_from_whatever_client(service: Service) -> None:
    await customer(service)

    answers = await asyncio.gather(
        *(sign_in(service, password=WRONG, client_address=f"192.0.2.{n}") for n in range(25))
    )

    assert sorted(code for payload in answers for code in codes(payload)) == (
        ["INVALID_CREDENTIALS"] * 5 + ["RATE_LIMITED"] * 20
    )


@pytest.mark.rule("10")
async def test_of_guesses_at_once_only_those_within_the_budget_are_looked_at_though_one_is_right(
    service: Service,
) -> None:
    await customer(service)
    await service.ask(guesses(4))

    tried_at_once = [WRONG, PASSWORD, WRONG, WRONG]
    answers = await asyncio.gather(*(sign_in(service, password=password) for password in tried_at_once))

    wrong_looked_at = [payload for payload in answers if codes(payload) == ["INVALID_CREDENTIALS"]]
    assert len(wrong_looked_at) == 1 or answers[1]["token"]


@pytest.mark.rule("10")
@pytest.mark.parametrize("wrong, seconds", [(5, 30), (10, 300), (20, 3600)])
async def test_each_further_guess_waits_for_longer(service: Service, wrong: int, seconds: int) -> None:
    await customer(service)
    for _ in range(wrong):
        await service.advance(timedelta(hours=1))
        assert codes(await sign_in(service, password=WRONG)) == ["INVALID_CREDENTIALS"]

    stopped = await sign_in(service)
    await service.advance(timedelta(seconds=seconds - 10))
    still = await sign_in(service)
    await service.advance(timedelta(seconds=10))
    again = await sign_in(service)

    assert [codes(payload) for payload in (stopped, still, again)] == [["RATE_LIMITED"], ["RATE_LIMITED"], []]
    assert stopped["errors"][0]["__typename"] == "RateLimitedError"
    assert seconds - 10 <= stopped["errors"][0]["retryAfterSeconds"] <= seconds


@pytest.mark.rule("10")
@pytest.mark.parametrize("email", [EMAIL, "unknown@mail.test"])
async def test_a_hundred_wrong_guesses_lock_for_good(service: Service, email: str) -> None:
    await customer(service)
    await lock(service, email)

    await service.advance(timedelta(days=400))
    answers = [await sign_in(service, email, password) for password in (WRONG, PASSWORD)]

    assert [codes(payload) for payload in answers] == [["LOCKED"]] * 2


@pytest.mark.rule("10")
async def test_a_lock_leaves_open_sign_ins_as_they_are(service: Service) -> None:
    token = await customer(service)
    for n in range(100):
        await tried(service, Guess.PASSWORD, client=f"192.0.2.{n}")

    assert codes(await sign_in(service)) == ["RATE_LIMITED"]
    assert (await service.ask(ME, token=token))["me"]["email"] == EMAIL


@pytest.mark.rule("10")
async def test_an_open_sign_in_overcomes_the_lock_that_strangers_brought_about(service: Service) -> None:
    token = await customer(service)
    await tried(service, Guess.PASSWORD)
    await execute("update guess_counters set count = 100 where subject like 'guesses_per_account:%'")
    assert codes(await sign_in(service)) == ["LOCKED"]

    proved = (await service.ask(REAUTHENTICATE, {"password": PASSWORD}, token=token))["reauthenticate"]

    assert codes(proved) == []
    assert codes(await sign_in(service)) == []


@pytest.mark.rule("10")
async def test_guesses_from_an_open_sign_in_wait_and_lock_by_a_count_of_their_own(service: Service) -> None:
    for _ in range(30):
        await tried(service, Guess.PASSWORD)

    first = [await tried(service, Guess.PROOF) for _ in range(6)]
    for n in range(95):
        await service.advance(timedelta(hours=1))
        await service.ask(ME)
        assert await tried(service, Guess.PROOF, client=f"192.0.2.{n}") == []
    await service.advance(timedelta(hours=1))
    await service.ask(ME)

    assert first == [[]] * 5 + [[ErrorCode.RATE_LIMITED]]
    assert await tried(service, Guess.PROOF) == await tried(service, Guess.TOTP) == [ErrorCode.LOCKED]


@pytest.mark.rule("10")
async def test_wrong_guesses_at_an_address_from_before_its_account_do_not_lock_the_account(service: Service) -> None:
    await tried(service, Guess.PASSWORD)
    await execute("update guess_counters set count = 100 where subject like 'guesses_per_account:%'")
    assert codes(await sign_in(service)) == ["LOCKED"]

    await customer(service)

    assert codes(await sign_in(service)) == []


@pytest.mark.rule("10")
async def test_wrong_guesses_go_with_the_account_to_its_new_address_and_those_made_there_do_not_count(
    service: Service,
) -> None:
    token, new = await customer(service), "new@mail.test"
    await change_email(service, token, new)
    link = (await service.links(new))[0]
    await tried(service, Guess.PASSWORD, new)
    await execute("update guess_counters set count = 100 where subject like 'guesses_per_account:%'")
    for _ in range(5):
        await tried(service, Guess.PROOF)

    assert await verify(service, link) == []

    assert await tried(service, Guess.PROOF, new) == [ErrorCode.RATE_LIMITED]
    assert await tried(service, Guess.PASSWORD, new) == [ErrorCode.RATE_LIMITED]
    assert await tried(service, Guess.PROOF) == []


@pytest.mark.rule("10")
async def test_the_right_password_clears_the_wrong_ones(service: Service) -> None:
    await customer(service)

    for _ in range(3):
        await service.ask(guesses(4))
        assert codes(await sign_in(service)) == []


@pytest.mark.rule("10")
async def test_guesses_of_all_kinds_draw_on_one_budget(service: Service) -> None:
    kinds = [Guess.PASSCODE, Guess.PROOF, Guess.TOTP, Guess.RESET_NUMBER, Guess.SECURITY_ANSWERS, Guess.PASSWORD]
    assert [await tried(service, kind) for kind in kinds[:5]] == [[]] * 5

    later = {kind: await tried(service, kind) for kind in kinds}

    stopped = [ErrorCode.RATE_LIMITED]
    assert later == {
        Guess.PASSWORD: stopped,
        Guess.PASSCODE: stopped,
        Guess.PROOF: [],
        Guess.TOTP: [],
        Guess.RESET_NUMBER: [],
        Guess.SECURITY_ANSWERS: [],
    }


@pytest.mark.rule("10")
async def test_a_reset_is_stopped_by_limits_of_its_own_and_never_by_the_lock(service: Service) -> None:
    await lock(service)

    numbers = [await tried(service, Guess.RESET_NUMBER) for _ in range(11)]
    elsewhere = await tried(service, Guess.RESET_NUMBER, client="192.0.2.200")
    sets = [await tried(service, Guess.SECURITY_ANSWERS, client=f"192.0.2.{n}") for n in range(11)]

    assert numbers == [[]] * 10 + [[ErrorCode.RATE_LIMITED]]
    assert elsewhere == []
    assert sets == [[]] * 10 + [[ErrorCode.RATE_LIMITED]]


@pytest.mark.rule("10")
async def test_numbers_and_answers_alone_never_lock(service: Service) -> None:
    for n in range(150):
        assert await tried(service, Guess.RESET_NUMBER, client=f"192.0.2.{n}") == []

    await service.advance(timedelta(minutes=5))
    await service.ask(ME)

    assert await tried(service, Guess.PASSWORD) == []


@pytest.mark.rule("10")
async def test_a_right_passcode_takes_back_just_itself(service: Service) -> None:
    for _ in range(4):
        await tried(service, Guess.PASSWORD)

    for _ in range(3):
        assert await tried(service, Guess.PASSCODE) == []
        assert await guessed_right(service.ports, EMAIL, CLIENT, Guess.PASSCODE) == 4

    assert await tried(service, Guess.PASSWORD) == []
    assert await tried(service, Guess.PASSWORD) == [ErrorCode.RATE_LIMITED]


@pytest.mark.rule("10")
async def test_a_right_password_that_awaits_a_code_clears_nothing(service: Service) -> None:
    for _ in range(4):
        await tried(service, Guess.TOTP)

    await tried(service, Guess.PASSWORD)
    await guessed_right(service.ports, EMAIL, CLIENT, complete=False)
    await tried(service, Guess.TOTP)

    assert await tried(service, Guess.TOTP) == [ErrorCode.RATE_LIMITED]


@pytest.mark.rule("10")
async def test_one_client_that_tries_many_accounts_is_stopped(service: Service) -> None:
    answers = [codes(await sign_in(service, f"p{n}@mail.test", client_address="2001:db8::1")) for n in range(51)]
    neighbour = codes(await sign_in(service, client_address="2001:db8::2:3"))
    other = codes(await sign_in(service, client_address="2001:db8:1::1"))

    assert answers == [["INVALID_CREDENTIALS"]] * 50 + [["RATE_LIMITED"]]
    assert neighbour == ["RATE_LIMITED"]
    assert other == ["INVALID_CREDENTIALS"]


@pytest.mark.rule("10")
async def test_a_client_that_signs_in_often_is_not_stopped(service: Service) -> None:
    await customer(service)

    assert [codes(await sign_in(service)) for _ in range(60)] == [[]] * 60


@pytest.mark.rule("10")
async def test_a_client_that_is_stopped_does_not_use_up_an_accounts_tries(service: Service) -> None:
    await customer(service)
    for n in range(50):
        await sign_in(service, f"p{n}@mail.test", client_address="203.0.113.9")

    for _ in range(12):
        assert codes(await sign_in(service, password=WRONG, client_address="203.0.113.9")) == ["RATE_LIMITED"]

    assert codes(await sign_in(service)) == []


async def test_counters_tell_no_addresses_and_are_pruned_but_for_locks(service: Service) -> None:
    await lock(service, "locked@mail.test")
    await sign_in(service, password=WRONG)
    assert "mail.test" not in str([dict(row) for row in await fetch("select * from guess_counters")])

    await limits.prune(service.ports.now() + timedelta(days=30))
    after_a_month = await fetch("select subject from guess_counters")
    await limits.prune(service.ports.now() + timedelta(days=400))

    assert len(after_a_month) == 2
    assert len(await fetch("select subject from guess_counters")) == 1
