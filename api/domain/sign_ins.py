"""How long a sign-in lasts, and how many an account may have."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from api.domain.accounts import Channel

SEEN_EVERY_MAX = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a sign-in ends by itself: `idle` after it was last used, `absolute` after it began."""

    idle: timedelta
    absolute: timedelta

    @property
    def seen_every(self) -> timedelta:
        """How exactly it is noted when a sign-in was used: a write at each request would cost too much."""
        return min(SEEN_EVERY_MAX, self.idle / 10)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """A deployment's choice for each kind of sign-in."""

    apps: Lifetime = Lifetime(timedelta(days=30), timedelta(days=180))
    browsers: Lifetime = Lifetime(timedelta(days=1), timedelta(days=14))
    staff: Lifetime = Lifetime(timedelta(minutes=30), timedelta(hours=12))

    def of(self, channel: Channel, *, is_staff: bool = False) -> Lifetime:
        """Return the lifetime of a sign-in; staff have the same one everywhere."""
        if is_staff:
            return self.staff
        return self.apps if channel in (Channel.IOS, Channel.ANDROID) else self.browsers


class SignInData(NamedTuple):
    """The shipped numbers, see `data/sign_ins.toml`."""

    open_max: int
    challenge_lifetime: timedelta
    challenge_tries_max: int
    recovery_codes: int
    turns_max: int
    turn_wait: timedelta


@cache
def sign_in_data() -> SignInData:
    """Return the shipped data, read once."""
    data = tomllib.loads((files("api") / "data" / "sign_ins.toml").read_text("utf-8"))
    return SignInData(
        open_max=data["sign_ins"]["open_max"],
        challenge_lifetime=timedelta(minutes=data["challenges"]["minutes"]),
        challenge_tries_max=data["challenges"]["tries_max"],
        recovery_codes=data["recovery_codes"]["count"],
        turns_max=data["turns"]["there_max"],
        turn_wait=timedelta(seconds=data["turns"]["seconds"]),
    )
