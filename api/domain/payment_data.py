"""Bounds of payments, as data. Read once from `data/payments.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class PaymentLimits:
    """Amounts in cents."""

    payment_min: int
    payment_max: int
    quote_lives: timedelta
    cards_max: int
    action_lives: timedelta
    expiry_notice_days: tuple[int, ...]
    expiry_notice_hour: int
    unknown_event_lives: timedelta


@cache
def payment_limits() -> PaymentLimits:
    """Return the bounds that ship."""
    limits = tomllib.loads((files("api") / "data" / "payments.toml").read_text("utf-8"))["limits"]
    return PaymentLimits(
        limits["payment_min"],
        limits["payment_max"],
        timedelta(minutes=limits["quote_minutes"]),
        limits["cards_max"],
        timedelta(hours=limits["action_hours"]),
        tuple(limits["expiry_notice_days"]),
        limits["expiry_notice_hour"],
        timedelta(hours=limits["unknown_event_hours"]),
    )
