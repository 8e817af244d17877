"""Does the time of an answer tell a known address from an unknown one? `python -m bench.timing`; nothing is judged.

Asks about a known and an unknown address in turn, over HTTP, and prints both medians and the p of a Mann-Whitney test:
below 0.01 the two differ by more than chance. Between samples the sandbox's clock moves on, so that no limit is met.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from math import erfc, sqrt
from pathlib import Path
from typing import Any

import httpx

from tests.flows.getting_in import PASSWORD, RESEND, SIGN_IN, SIGN_UP, VERIFY, sign_up_input
from tests.flows.own_account import CHANGE_EMAIL
from tests.flows.resets import REQUEST, VERIFY_NUMBER
from tests.live_servers import live_server
from tests.served.steps import link_token

WARMING_UP = 3
KNOWN, UNKNOWN, HOLDER = "demo@example.com", "nobody@example.com", "holder@example.com"
CALLS: Mapping[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "signUp": (SIGN_UP, lambda email: {"input": sign_up_input(email)}),
    "signIn": (SIGN_IN, lambda email: {"input": {"email": email, "password": "Wrong horse 7 battery"}}),
    "resendVerificationEmail": (RESEND, lambda email: {"email": email}),
    "requestPasswordReset": (REQUEST, lambda email: {"email": email}),
    "changeEmail": (CHANGE_EMAIL, lambda email: {"new": email, "password": PASSWORD}),
    "verifyPasswordResetCode": (VERIFY_NUMBER, lambda email: {"email": email, "code": "12345678"}),
}


def p_of(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p of Mann and Whitney's U by its normal approximation, good from 20 samples on."""
    ranked = sorted((value, which) for which, values in enumerate((first, second)) for value in values)
    rank_sum = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    n, m = len(first), len(second)
    u = rank_sum - n * (n + 1) / 2
    return erfc(abs(u - n * m / 2) / sqrt(n * m * (n + m + 1) / 12) / sqrt(2))


def ask(http: httpx.Client, document: str, variables: dict[str, Any], token: str = "") -> Any:
    """Return the payload of a document with one root field."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
    (payload,) = answer.json()["data"].values()
    return payload


def open_holders_account(http: httpx.Client) -> None:
    """Open the account that asks to change its address."""
    ask(http, SIGN_UP, {"input": sign_up_input(HOLDER)})
    mails = http.get("/sandbox/mail", params={"to": HOLDER}).json()
    assert ask(http, VERIFY, {"token": link_token(mails[0]["text"])})["accepted"]


def sample(http: httpx.Client, call: str, email: str) -> float:
    """Return how many milliseconds an answer takes, after the clock has moved past every limit."""
    http.post("/sandbox/clock", json={"advance": "PT3H"}).raise_for_status()
    document, variables = CALLS[call]
    token = ""
    if call == "changeEmail":
        token = ask(http, SIGN_IN, {"input": {"email": HOLDER, "password": PASSWORD}})["token"]
    begun = time.perf_counter()
    payload = ask(http, document, variables(email), token)
    taken = (time.perf_counter() - begun) * 1000
    if payload.get("errors") and "RATE_LIMITED" in str(payload):
        raise SystemExit(f"{call} met a limit: what is measured is no longer the work")
    return taken


def main() -> None:
    """Measure each call and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.timing", description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50, help="of each kind")
    samples = parser.parse_args().samples
    print("| call | known, ms | unknown, ms | p |\n|---|---|---|---|")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = stack.enter_context(live_server(folder))
        http = stack.enter_context(httpx.Client(base_url=server.url, timeout=60, trust_env=False))
        open_holders_account(http)
        for call in CALLS:
            known, unknown = [], []
            for n in range(WARMING_UP + samples):
                # In turn, and each first as often, so that a busy machine slows both alike.
                for email in (KNOWN, UNKNOWN) if n % 2 else (UNKNOWN, KNOWN):
                    taken = sample(http, call, email)
                    if n >= WARMING_UP:
                        (known if email == KNOWN else unknown).append(taken)
            medians = f"{statistics.median(known):.1f} | {statistics.median(unknown):.1f}"
            print(f"| {call} | {medians} | {p_of(known, unknown):.3f} |", flush=True)


if __name__ == "__main__":
    main()
