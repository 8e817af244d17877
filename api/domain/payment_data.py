"""Bounds of payments, prices of stamps and caps on spending, as data. Read once from `data/*.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from api.domain.payments import PaymentPurpose


@dataclass(frozen=True, slots=True)
class PaymentLimits:
    """Amounts in cents. `payment_min` and `payment_max` bound deposits, `amounts` what is not a deposit."""

    payment_min: int
    payment_max: int
    quote_lives: timedelta
    cards_max: int
    action_lives: timedelta
    action_gives_way: timedelta
    expiry_notice_days: tuple[int, ...]
    expiry_notice_hour: int
    unknown_event_lives: timedelta
    amounts: Mapping[PaymentPurpose, tuple[int, int]]

    def bounds_of(self, purpose: PaymentPurpose) -> tuple[int, int]:
        """Return the smallest and largest amount of a payment, before fees and taxes."""
        return self.amounts.get(purpose, (self.payment_min, self.payment_max))


@dataclass(frozen=True, slots=True)
class Stamps:
    """`price` is cents for one stamp; `packs` are the numbers that are sold at once."""

    price: int
    packs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SpendingCaps:
    """Cents that an account may spend with cards, by Central days and months."""

    per_day: int
    per_month: int


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files("api") / "data" / f"{name}.toml").read_text("utf-8"))


@cache
def payment_limits() -> PaymentLimits:
    """Return the bounds that ship."""
    data = _read("payments")
    limits = data["limits"]
    return PaymentLimits(
        limits["payment_min"],
        limits["payment_max"],
        timedelta(minutes=limits["quote_minutes"]),
        limits["cards_max"],
        timedelta(hours=limits["action_hours"]),
        timedelta(minutes=limits["action_gives_way_minutes"]),
        tuple(limits["expiry_notice_days"]),
        limits["expiry_notice_hour"],
        timedelta(hours=limits["unknown_event_hours"]),
        {PaymentPurpose(purpose): (bounds["min"], bounds["max"]) for purpose, bounds in data["amounts"].items()},
    )


@cache
def stamps() -> Stamps:
    """Return what stamps cost."""
    data = _read("stamps")
    return Stamps(data["price"], tuple(data["packs"]))


@cache
def spending_caps() -> SpendingCaps:
    """Return the caps that ship."""
    data = _read("spending")
    return SpendingCaps(data["per_day"], data["per_month"])
