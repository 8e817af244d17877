"""Known and unknown addresses cost the same work, so that the time of an answer does not tell them apart (rule 7)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from api.adapters.database import execute
from api.auth.passwords import Passwords
from tests.flows.conftest import Service
from tests.flows.getting_in import (
    EMAIL,
    RESEND,
    SIGN_IN,
    SIGN_UP,
    WRONG,
    customer,
    sign_up,
    sign_up_input,
)
from tests.flows.resets import REQUEST, VERIFY_NUMBER
from tests.flows.test_statements import counted

WAITING, CLOSING, UNKNOWN = "waiting@mail.test", "closing@mail.test", "unknown@mail.test"
NOT_THE_NUMBER = "12345678"
CALLS = {
    "signUp": (SIGN_UP, lambda email: {"input": sign_up_input(email)}),
    "signIn": (SIGN_IN, lambda email: {"input": {"email": email, "password": WRONG}}),
    "resendVerificationEmail": (RESEND, lambda email: {"email": email}),
    "requestPasswordReset": (REQUEST, lambda email: {"email": email}),
    "verifyPasswordResetCode": (VERIFY_NUMBER, lambda email: {"email": email, "code": NOT_THE_NUMBER}),
}


class CountingPasswords(Passwords):
    """Notes each hash that is made or checked."""

    hashes = 0

    async def _run(self, work, *arguments):  # type: ignore[no-untyped-def]
        self.hashes += 1
        return await super()._run(work, *arguments)


def shape(statement: str) -> str:
    """Return a statement without its values, which SQLite's driver shows in their places."""
    return re.sub(r"'(?:[^']|'')*'|\bNULL\b|\b\d+(?:\.\d+)?\b", "?", re.sub(r"\s+", " ", statement))


@pytest.fixture
async def counting(service: Service) -> AsyncIterator[tuple[Service, CountingPasswords]]:
    """Yield a service with one account, one that is closing and one sign-up that waits, and what counts its hashes."""
    await customer(service)
    await customer(service, CLOSING)
    await execute("update accounts set status = 'CLOSING' where email_key = $1", CLOSING)
    await sign_up(service, WAITING)
    await execute("delete from guess_counters")
    passwords = CountingPasswords(service.ports.secrets, memory_kib=64, passes=1)
    yield Service(service.ports, passwords), passwords
    passwords.close()


async def work_of(counting: tuple[Service, CountingPasswords], call: str, email: str) -> tuple[int, list[str]]:
    """Return how many hashes and which statements a call takes, the second time: by then its counters are there."""
    service, passwords = counting
    document, variables = CALLS[call]
    await service.ask(document, variables(email))
    before = passwords.hashes
    async with counted() as statements:
        await service.ask(document, variables(email))
    return passwords.hashes - before, [shape(text) for text in statements.texts]


@pytest.mark.rule("7")
@pytest.mark.parametrize("call", CALLS)
async def test_known_and_unknown_addresses_take_the_same_work(
    counting: tuple[Service, CountingPasswords], call: str
) -> None:
    if call == "verifyPasswordResetCode":
        for email in (EMAIL, WAITING, CLOSING, UNKNOWN):
            await work_of(counting, "requestPasswordReset", email)

    known, *others = [await work_of(counting, call, email) for email in (EMAIL, CLOSING, UNKNOWN)]

    assert others == [known, known]
    assert len(known[1]) >= 2
    assert known[0] == {"signUp": 5, "signIn": 2}.get(call, 0)


@pytest.mark.rule("7")
@pytest.mark.parametrize("call", ["signIn", "resendVerificationEmail"])
async def test_a_taken_address_that_was_signed_up_for_takes_the_work_of_a_free_one(
    counting: tuple[Service, CountingPasswords], call: str
) -> None:
    service, _ = counting
    for email in (EMAIL, UNKNOWN):
        await sign_up(service, email)
        await sign_up(service, email)
    await execute("delete from guess_counters")

    assert await work_of(counting, call, EMAIL) == await work_of(counting, call, UNKNOWN)


@pytest.mark.rule("7")
@pytest.mark.parametrize("call", ["signIn", "resendVerificationEmail", "requestPasswordReset"])
async def test_an_address_that_waits_for_its_link_takes_the_same_work(
    counting: tuple[Service, CountingPasswords], call: str
) -> None:
    assert await work_of(counting, call, WAITING) == await work_of(counting, call, UNKNOWN)
