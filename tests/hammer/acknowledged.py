"""What clients were told: plain records that know nothing of the service's code, to be held against its books."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.hammer.world import Holder

FINAL = frozenset({"SUCCEEDED", "FAILED"})


def price_cents(rate_per_minute: str, duration_seconds: int) -> int:
    """Return a call's price by exact fractions: each started minute counts, rounded once to the cent, half up."""
    cents = Fraction(rate_per_minute) * math.ceil(Fraction(duration_seconds, 60)) * 100
    return math.floor(cents + Fraction(1, 2))


@dataclass
class Payment:
    """One idempotency key of one holder: what was asked with it, and every answer that came."""

    holder: Holder
    key: str
    quote: str
    card: str
    cents: int
    answers: list[tuple[str, str]] = field(default_factory=list)
    fresh: int = 0
    refusals: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, Any]:
        """What `pay` is asked with, each time the same."""
        return {"input": {"quoteId": self.quote, "paymentMethodId": self.card, "idempotencyKey": self.key}}

    def hear(self, root: dict[str, Any]) -> None:
        """Take an answer; an error beside a payment is the decline's reason, without one it is a refusal."""
        if payment := root.get("payment"):
            self.answers.append((payment["id"], payment["status"]))
            self.fresh += not root["replayed"]
        else:
            self.refusals.append(root["errors"][0]["code"])

    def contradictions(self) -> list[str]:
        """Return where the answers to one key disagree: ids, ends that changed, two that both say they were first."""
        found = []
        if len({id for id, _ in self.answers}) > 1:
            found.append(f"key {self.key} was answered with several payments: {self.answers}")
        if len(FINAL & {status for _, status in self.answers}) > 1:
            found.append(f"key {self.key} has two ends: {self.answers}")
        if self.fresh > 1:
            found.append(f"key {self.key} was new {self.fresh} times")
        return found


@dataclass
class Call:
    """One call of the switch: the reports that were sent of it, and every answer that came."""

    call_id: str
    holder: Holder
    rate: str
    reports: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[str, str, str | None]] = field(default_factory=list)
    fresh: int = 0
    allowed: dict[int, set[int]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def hear_report(self, root: dict[str, Any]) -> None:
        """Take the answer to a report."""
        if call := root.get("call"):
            self.answers.append((call["id"], call["status"], (call["cost"] or {}).get("amount")))
            self.fresh += not root["replayed"]
        else:
            self.refusals.append(root["errors"][0]["code"])

    def prices(self) -> set[int]:
        """Return what the call may cost, in cents: the price of any one report that was sent."""
        return {price_cents(report["ratePerMinute"], report["durationSeconds"]) for report in self.reports}

    def contradictions(self) -> list[str]:
        """Return where the answers about one call disagree."""
        found = []
        if len(set(self.answers)) > 1 or any(status != "ENDED" for _, status, _ in self.answers):
            found.append(f"call {self.call_id} was answered differently: {self.answers}")
        if self.fresh > 1:
            found.append(f"call {self.call_id} was new {self.fresh} times")
        return found


class Acknowledged:
    """All payments and calls that anybody asked for."""

    def __init__(self) -> None:
        self.payments: dict[str, Payment] = {}
        self.calls: dict[str, Call] = {}
        self.contradictions: list[str] = []

    def pay(self, payment: Payment) -> Payment:
        """Keep a payment that is about to be asked for."""
        return self.payments.setdefault(payment.key, payment)

    def call(self, call: Call) -> Call:
        """Keep a call that is about to be asked for."""
        return self.calls.setdefault(call.call_id, call)
