"""What the flows of getting in ask, and inputs that nothing is wrong with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.auth.limits import guess
from api.domain.agreements import AgreementKind, current_version
from api.domain.guesses import Guess
from tests.flows.conftest import Service

ERRORS = "errors { __typename code message path ... on RateLimitedError { retryAfterSeconds } }"
SIGN_UP = f"mutation($input: SignUpInput!) {{ signUp(input: $input) {{ accepted {ERRORS} }} }}"
VALIDATE = f"mutation($input: ValidateSignUpInput!) {{ validateSignUp(input: $input) {{ accepted {ERRORS} }} }}"
VERIFY = f"mutation($token: String!) {{ verifyEmail(token: $token) {{ accepted {ERRORS} }} }}"
RESEND = f"mutation($email: String!) {{ resendVerificationEmail(email: $email) {{ accepted {ERRORS} }} }}"
SIGN_IN = f"""mutation($input: SignInInput!) {{ signIn(input: $input) {{
  token session {{ id device channel current expiresAt }} account {{ email firstName }} {ERRORS} }} }}"""
SIGN_OUT = f"mutation($everywhere: Boolean! = false) {{ signOut(everywhere: $everywhere) {{ accepted {ERRORS} }} }}"
ME = "{ me { id email firstName } }"

EMAIL = "ann@mail.test"
PASSWORD = "Correct horse 7 battery"
WRONG = "Wrong horse 7 battery"


def sign_up_input(email: str = EMAIL, *, first_name: str = "Ann", password: str = PASSWORD) -> dict[str, Any]:
    """Return the three stages without a fault."""
    return {
        "credentials": {
            "email": email,
            "password": password,
            "acceptTerms": True,
            "termsVersion": current_version(AgreementKind.TERMS),
        },
        "securityAnswers": [
            {"questionCode": "first_pet", "answer": "Bartholomew"},
            {"questionCode": "birth_city", "answer": "Albuquerque"},
            {"questionCode": "first_school", "answer": "Lincoln Elementary"},
        ],
        "profile": {
            "firstName": first_name,
            "lastName": "Lee",
            "address": {"line1": "12 Elm Street", "city": "Dallas", "state": "tx", "zip": "75201"},
            "phone": "(214) 555-0123",
            "passcode": "2468",
        },
    }


async def sign_up(service: Service, email: str = EMAIL, **changes: str) -> None:
    """Sign up; done once the mail with the link has gone out."""
    data = await service.ask(SIGN_UP, {"input": sign_up_input(email, **changes)})
    assert data["signUp"] == {"accepted": True, "errors": []}
    await service.work()


async def verify(service: Service, token: str) -> list[str]:
    """Follow a link; return the codes of what was refused."""
    data = await service.ask(VERIFY, {"token": token})
    assert data["verifyEmail"]["accepted"] is not data["verifyEmail"]["errors"]
    return [error["code"] for error in data["verifyEmail"]["errors"]]


async def sign_in(service: Service, email: str = EMAIL, password: str = PASSWORD, **asked: str) -> dict[str, Any]:
    """Sign in; return the payload."""
    payload: dict[str, Any] = (await service.ask(SIGN_IN, {"input": {"email": email, "password": password}}, **asked))[
        "signIn"
    ]
    return payload


async def customer(service: Service, email: str = EMAIL) -> str:
    """Sign up, follow the link and sign in; return the token."""
    await sign_up(service, email)
    assert await verify(service, (await service.links(email))[0]) == []
    token: str = (await sign_in(service, email))["token"]
    return token


async def lock(service: Service, email: str = EMAIL) -> None:
    """Try as often as it takes to lock the account, each time after the wait, from one client after another."""
    for n in range(100):
        await guess(service.ports, email, f"192.0.2.{n}", Guess.PASSWORD)
        await service.advance(timedelta(hours=1))
        await service.ask(ME)


def codes(payload: dict[str, Any]) -> list[str]:
    """Return the codes of what was refused."""
    return [error["code"] for error in payload["errors"]]
