"""What the flows of second factors ask, and a phone whose app shows codes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from api.domain.totp import STEP_SECONDS, code_at, step_at
from tests.flows.conftest import Service
from tests.flows.getting_in import PASSWORD

ERRORS = "errors { __typename code message path ... on InvalidStateError { currentState allowedActions } }"
ENABLE = f"mutation($p: String!) {{ enableMfa(password: $p) {{ provisioningUri recoveryCodes {ERRORS} }} }}"
ACCOUNT = f"account {{ email security {{ mfaEnabled }} }} {ERRORS}"
CONFIRM = f"mutation($c: String!) {{ confirmMfa(code: $c) {{ {ACCOUNT} }} }}"
DISABLE = f"mutation($p: String!, $c: String!) {{ disableMfa(password: $p, code: $c) {{ {ACCOUNT} }} }}"
ANSWER = f"""mutation($challenge: String!, $code: String!) {{ answerChallenge(challenge: $challenge, code: $code) {{
  token challenge session {{ device current }} account {{ email }} {ERRORS} }} }}"""
SIGN_IN = f"""mutation($input: SignInInput!) {{ signIn(input: $input) {{
  token challenge session {{ id }} account {{ email }} {ERRORS} }} }}"""


class MachineClock:
    """Machine time that a test moves; codes are shown for it, and nothing else hears of it."""

    def __init__(self, service: Service) -> None:
        self.seconds = 1_800_000_000.0
        service.ports.machine_seconds = lambda: self.seconds

    def next_step(self, steps: int = 1) -> None:
        """Go on to a later code."""
        self.seconds += steps * STEP_SECONDS


@dataclass
class Phone:
    """An authenticator app with the secret, and the recovery codes on paper."""

    clock: MachineClock
    secret: bytes
    paper: list[str]

    def code(self, drift: int = 0) -> str:
        """Return what the app shows now, or so many steps from now."""
        return code_at(self.secret, step_at(self.clock.seconds) + drift)

    def wrong(self) -> str:
        """Return a code that the app shows at no time near."""
        near = {self.code(drift) for drift in range(-3, 4)}
        return next(code for code in (f"{n:06}" for n in range(20)) if code not in near)


async def enrol(service: Service, token: str, password: str = PASSWORD) -> Phone:
    """Set a second factor up and turn it on; the code that it took is used up."""
    phone = await begin_enrolment(service, token, password)
    payload = (await service.ask(CONFIRM, {"c": phone.code()}, token=token))["confirmMfa"]
    assert payload["errors"] == []
    phone.clock.next_step()
    return phone


async def begin_enrolment(service: Service, token: str, password: str = PASSWORD) -> Phone:
    """Scan the secret; nothing is on yet."""
    payload = (await service.ask(ENABLE, {"p": password}, token=token))["enableMfa"]
    assert payload["errors"] == []
    secret = parse_qs(urlsplit(payload["provisioningUri"]).query)["secret"][0]
    padded = secret + "=" * (-len(secret) % 8)
    return Phone(MachineClock(service), base64.b32decode(padded), payload["recoveryCodes"])


async def challenge_of(service: Service, email: str, password: str = PASSWORD, **asked: Any) -> str:
    """Take the first step of signing in; return the challenge."""
    payload = (await service.ask(SIGN_IN, {"input": {"email": email, "password": password}}, **asked))["signIn"]
    assert payload["errors"] == []
    assert payload["token"] is payload["session"] is payload["account"] is None
    challenge: str = payload["challenge"]
    return challenge


async def answer(service: Service, challenge: str, code: str) -> dict[str, Any]:
    """Take the second step; return the payload."""
    payload: dict[str, Any] = (await service.ask(ANSWER, {"challenge": challenge, "code": code}))["answerChallenge"]
    return payload
