"""What the flows of a forgotten password ask."""

from __future__ import annotations

import re
from typing import Any

from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, ERRORS, sign_up_input

REQUEST = f"mutation($email: String!) {{ requestPasswordReset(email: $email) {{ accepted {ERRORS} }} }}"
VERIFY_NUMBER = f"""mutation($email: String!, $code: String!) {{
  verifyPasswordResetCode(email: $email, code: $code) {{ resetToken securityQuestions {{ code text }} {ERRORS} }} }}"""
RESET = f"mutation($input: ResetPasswordInput!) {{ resetPassword(input: $input) {{ accepted {ERRORS} }} }}"

NEW_PASSWORD = "Another horse 8 saddle"
ANSWERS: list[dict[str, str]] = sign_up_input()["securityAnswers"]
WRONG_ANSWERS = [{**ANSWERS[0], "answer": "Somebody else"}, *ANSWERS[1:]]
ACCEPTED = {"accepted": True, "errors": []}
_NUMBER = re.compile(r"^(\d{8})$", re.MULTILINE)


async def request(service: Service, email: str = EMAIL, **asked: str) -> dict[str, Any]:
    """Ask for a number; return the payload."""
    payload: dict[str, Any] = (await service.ask(REQUEST, {"email": email}, **asked))["requestPasswordReset"]
    return payload


async def numbers(service: Service, email: str = EMAIL) -> list[str]:
    """Return the numbers that an address was mailed, newest first."""
    return [found[1] for mail in await service.mails(email) if (found := _NUMBER.search(mail.text))]


async def number_of(service: Service, email: str = EMAIL) -> str:
    """Ask for a number and return it."""
    assert await request(service, email) == ACCEPTED
    return (await numbers(service, email))[0]


async def verify_number(service: Service, number: str, email: str = EMAIL, **asked: str) -> dict[str, Any]:
    """Give a number; return the payload."""
    data = await service.ask(VERIFY_NUMBER, {"email": email, "code": number}, **asked)
    payload: dict[str, Any] = data["verifyPasswordResetCode"]
    return payload


async def verified(service: Service, email: str = EMAIL) -> str:
    """Ask for a number and give it; return the reset's token."""
    token: str = (await verify_number(service, await number_of(service, email), email))["resetToken"]
    return token


async def reset(
    service: Service,
    token: str,
    password: str = NEW_PASSWORD,
    answers: list[dict[str, str]] | None = None,
    **asked: str,
) -> dict[str, Any]:
    """Give the new password and the answers; return the payload."""
    given = {"resetToken": token, "newPassword": password, "securityAnswers": ANSWERS if answers is None else answers}
    payload: dict[str, Any] = (await service.ask(RESET, {"input": given}, **asked))["resetPassword"]
    return payload
