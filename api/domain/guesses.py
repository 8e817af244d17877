"""How wrong tries of an account's secrets slow down and then lock (rule 10). The steps are `data/guesses.toml`."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Guess(Enum):
    """Which secret is tried. All secrets of an account draw on one budget."""

    PASSWORD = "password"  # noqa: S105
    PROOF = "proof"
    """The password once more, from within an open sign-in."""
    PASSCODE = "passcode"
    TOTP = "totp"
    RESET_NUMBER = "reset_number"
    SECURITY_ANSWERS = "security_answers"

    @property
    def recovers(self) -> bool:
        """True for what a reset asks for: counted, but not stopped by the budget."""
        return self in (Guess.RESET_NUMBER, Guess.SECURITY_ANSWERS)

    @property
    def is_proven(self) -> bool:
        """True for what only somebody tries who has given a right password already. Strangers do not make it wait: its
        waits and its lock are by the wrong tries of its own, which count among the account's as well."""
        return self in (Guess.PROOF, Guess.TOTP)

    @property
    def clears(self) -> bool:
        """True where the right secret clears the wrong tries. A passcode is too short for that: one who knows it could
        go on guessing the password for ever. A reset's number is but its first step."""
        return self not in (Guess.PASSCODE, Guess.RESET_NUMBER)


class _Budget(NamedTuple):
    waits: tuple[tuple[int, timedelta], ...]
    locked_at: int
    forgotten_after: timedelta
    recovery_counted_to: int


@cache
def guess_budget() -> _Budget:
    """Return the steps that ship, the longest wait last."""
    data = tomllib.loads((files("api") / "data" / "guesses.toml").read_text("utf-8"))
    return _Budget(
        waits=tuple(sorted((step["wrong"], timedelta(seconds=step["seconds"])) for step in data["waits"])),
        locked_at=data["lock"]["wrong"],
        forgotten_after=timedelta(days=data["lock"]["forgotten_days"]),
        recovery_counted_to=data["recovery"]["counted_to"],
    )


def wait_after(wrong: int) -> timedelta | None:
    """Return how long after the last of so many wrong tries the next may come; None when it may not come at all."""
    budget = guess_budget()
    if wrong >= budget.locked_at:
        return None
    return max((wait for step, wait in budget.waits if wrong >= step), default=timedelta(0))


def counted(wrong: int, kind: Guess) -> int:
    """Return how many wrong tries there are with one more of this kind."""
    return max(wrong, min(wrong + 1, guess_budget().recovery_counted_to)) if kind.recovers else wrong + 1
