"""Refunds: where one stands, which way it may move, and within which days it is promised (rules 20 to 23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from uuid import UUID

from api.domain.payments import PaymentChannel

IsBusinessDay = Callable[[date], bool]
"""Tells whether a day is Monday to Friday and no federal holiday."""


class RefundMethod(Enum):
    """How money goes back."""

    CARD = "CARD"
    CHECK = "CHECK"


class RefundStatus(Enum):
    """Where a refund stands."""

    SETTLING = "SETTLING"
    CALCULATED = "CALCULATED"
    SUBMITTED = "SUBMITTED"
    ISSUED = "ISSUED"
    COMPLETED = "COMPLETED"
    REROUTED = "REROUTED"
    HELD = "HELD"
    NOTHING_DUE = "NOTHING_DUE"


class ForbiddenRefundMove(ValueError):
    """A step that no refund takes; the refund stays as it is."""

    def __init__(self, old: RefundStatus, new: RefundStatus) -> None:
        super().__init__(f"a refund cannot go from {old.value} to {new.value}")
        self.old = old
        self.new = new


S = RefundStatus
REFUND_MOVES: Mapping[RefundStatus, frozenset[RefundStatus]] = {
    S.SETTLING: frozenset({S.CALCULATED, S.NOTHING_DUE}),
    S.CALCULATED: frozenset({S.SUBMITTED}),
    S.SUBMITTED: frozenset({S.ISSUED, S.REROUTED, S.HELD}),
    S.ISSUED: frozenset({S.COMPLETED, S.REROUTED, S.HELD}),
    S.COMPLETED: frozenset(),
    S.REROUTED: frozenset(),
    S.HELD: frozenset(),
    S.NOTHING_DUE: frozenset(),
}
FINAL = frozenset(status for status, moves in REFUND_MOVES.items() if not moves)
"""States that a refund never leaves: what happens to its money afterwards is a refund or held funds of its own."""


def advance(old: RefundStatus, new: RefundStatus) -> bool:
    """Return whether the step from `old` to `new` changes anything; the same step twice does not.

    Raises ForbiddenRefundMove for a step that is not allowed.
    """
    if new is old:
        return False
    if new not in REFUND_MOVES[old]:
        raise ForbiddenRefundMove(old, new)
    return True


CARD_CHANNELS = frozenset({PaymentChannel.CARD_ONLINE, PaymentChannel.AUTOPAY, PaymentChannel.TEXTPAY})


def method_after(last_funding: PaymentChannel | None) -> RefundMethod:
    """Return how a balance goes back: by the channel last used; by check where nothing was ever paid in (rule 23)."""
    return RefundMethod.CARD if last_funding in CARD_CHANNELS else RefundMethod.CHECK


@dataclass(frozen=True, slots=True)
class Charge:
    """A successful charge of the card that the refund goes to, and what is left of it to give back, in cents."""

    payment_id: UUID
    left: int


def spread(amount: int, charges: Sequence[Charge]) -> tuple[list[Charge], int]:
    """Return what goes back against which charge, in the order given (newest first), and what is left for a check.

    No part is larger than what is left of its charge; parts and rest sum to `amount`.
    """
    parts = []
    for charge in charges:
        part = min(amount, charge.left)
        if part > 0:
            parts.append(Charge(charge.payment_id, part))
            amount -= part
    return parts, amount


@dataclass(frozen=True, slots=True)
class Window:
    """A promise about when: both days are included."""

    earliest: date
    latest: date


def add_business_days(day: date, count: int, is_business_day: IsBusinessDay) -> date:
    """Return the `count`-th business day after `day`, which itself never counts."""
    while count:
        day += timedelta(days=1)
        count -= is_business_day(day)
    return day


def card_window(requested_on: date, least: int, most: int, is_business_day: IsBusinessDay) -> Window:
    """Return when a card refund is issued: that many business days after the Central day of the request."""
    return Window(
        add_business_days(requested_on, least, is_business_day), add_business_days(requested_on, most, is_business_day)
    )


def days_window(requested_on: date, least: int, most: int) -> Window:
    """Return a window of calendar days after the Central day of the request: checks, and the Direct Bill hold."""
    return Window(requested_on + timedelta(days=least), requested_on + timedelta(days=most))
