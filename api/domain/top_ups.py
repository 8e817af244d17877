"""AutoPay and TextPay: deposits that follow a low balance."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from importlib.resources import files


class AutoPayState(Enum):
    """Where AutoPay of a service stands."""

    ON = "ON"
    PAUSED = "PAUSED"
    CAP_REACHED = "CAP_REACHED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    TERMINATED = "TERMINATED"


class TextPayState(Enum):
    """Where TextPay of a service stands."""

    ON = "ON"
    AWAITING_REPLY = "AWAITING_REPLY"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    TERMINATED = "TERMINATED"


class OfferState(Enum):
    """Where an offer by text stands; it ends once."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class TopUpRules:
    """How AutoPay tries again, and how long an offer by text lasts."""

    try_again_after: timedelta
    tries_max: int
    offer_lives: timedelta


@cache
def top_up_rules() -> TopUpRules:
    """Return the rules that ship."""
    tables = tomllib.loads((files("api") / "data" / "top_ups.toml").read_text("utf-8"))
    auto_pay, text_pay = tables["auto_pay"], tables["text_pay"]
    return TopUpRules(
        timedelta(hours=auto_pay["try_again_hours"]), auto_pay["tries_max"], timedelta(hours=text_pay["offer_hours"])
    )


def next_try_at(tried_first_at: datetime, tries: int) -> datetime | None:
    """Return when a charge that failed `tries` times is tried again; None when it is not (rule 16)."""
    rules = top_up_rules()
    return tried_first_at + tries * rules.try_again_after if tries < rules.tries_max else None
