"""Closings: their kinds and states, and what they cost the holder (rules 20 to 27)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum


class ClosureKind(Enum):
    """Why something is closed."""

    DELETE_ACCOUNT = "DELETE_ACCOUNT"
    CLOSE_SERVICE = "CLOSE_SERVICE"
    INACTIVITY = "INACTIVITY"


class ClosureStatus(Enum):
    """Where a closing stands."""

    SETTLING_CALLS = "SETTLING_CALLS"
    DIRECT_BILL_HOLD = "DIRECT_BILL_HOLD"
    REFUNDING = "REFUNDING"
    AWAITING_FINAL_PAYMENT = "AWAITING_FINAL_PAYMENT"
    COMPLETED = "COMPLETED"
    WITHDRAWN = "WITHDRAWN"


class Consequence(Enum):
    """What closing costs the holder, in the order in which it is listed."""

    SERVICES_STOP_NOW = "SERVICES_STOP_NOW"
    LAST_24H_CALLS_DEDUCTED = "LAST_24H_CALLS_DEDUCTED"
    AUTOPAY_TEXTPAY_TERMINATED = "AUTOPAY_TEXTPAY_TERMINATED"
    VIDEO_SESSIONS_VOIDED = "VIDEO_SESSIONS_VOIDED"
    VIDEO_SUBSCRIPTIONS_CANCELLED = "VIDEO_SUBSCRIPTIONS_CANCELLED"
    STAMPS_FORFEITED = "STAMPS_FORFEITED"
    DEBIT_NOT_REFUNDABLE = "DEBIT_NOT_REFUNDABLE"
    FINAL_INVOICE_MAY_FOLLOW = "FINAL_INVOICE_MAY_FOLLOW"
    EMAIL_NEVER_REUSABLE = "EMAIL_NEVER_REUSABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What a closing touches; `stamps` is how many there are."""

    is_deletion: bool
    has_advance_connect: bool = False
    has_direct_bill: bool = False
    has_debit: bool = False
    has_auto_or_text_pay: bool = False
    stamps: int = 0
    video_sessions: int = 0
    subscriptions: int = 0


def consequences(affected: Affected) -> tuple[Consequence, ...]:
    """Return each consequence that applies, and none that does not."""
    applies = {
        Consequence.SERVICES_STOP_NOW: True,
        Consequence.LAST_24H_CALLS_DEDUCTED: affected.has_advance_connect,
        Consequence.AUTOPAY_TEXTPAY_TERMINATED: affected.has_auto_or_text_pay,
        Consequence.VIDEO_SESSIONS_VOIDED: affected.video_sessions > 0,
        Consequence.VIDEO_SUBSCRIPTIONS_CANCELLED: affected.subscriptions > 0,
        Consequence.STAMPS_FORFEITED: affected.stamps > 0,
        Consequence.DEBIT_NOT_REFUNDABLE: affected.has_debit,
        Consequence.FINAL_INVOICE_MAY_FOLLOW: affected.has_direct_bill,
        Consequence.EMAIL_NEVER_REUSABLE: affected.is_deletion,
    }
    return tuple(consequence for consequence in Consequence if applies[consequence])


def hold_is_over(today: date, earliest: date, latest: date, *, is_quiet: bool) -> bool:
    """Tell whether the hold of a Direct Bill service ends on this Central day: from the earliest on once the call feed
    is quiet, on the latest in any case (rule 24)."""
    return today >= latest or (today >= earliest and is_quiet)


class ForbiddenClosureMove(ValueError):
    """A step that no closing takes; it stays as it is."""

    def __init__(self, old: ClosureStatus, new: ClosureStatus) -> None:
        super().__init__(f"a closing cannot go from {old.value} to {new.value}")
        self.old = old
        self.new = new


S = ClosureStatus
_ONWARD = (S.SETTLING_CALLS, S.DIRECT_BILL_HOLD, S.REFUNDING, S.AWAITING_FINAL_PAYMENT, S.COMPLETED)
# What is still open decides, so a closing may skip what it has nothing of. It may come back from waiting for the final
# payment to refunding: an invoice that is overpaid leaves a credit, which is refunded.
CLOSURE_MOVES: Mapping[ClosureStatus, frozenset[ClosureStatus]] = {
    **{state: frozenset(_ONWARD[place + 1 :]) for place, state in enumerate(_ONWARD)},
    S.DIRECT_BILL_HOLD: frozenset({*_ONWARD[2:], S.WITHDRAWN}),
    S.AWAITING_FINAL_PAYMENT: frozenset({S.REFUNDING, S.COMPLETED}),
    S.COMPLETED: frozenset(),
    S.WITHDRAWN: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What of a closing is not over yet."""

    settles_calls: bool
    holds_direct_bill: bool
    refunds: int
    unpaid_invoices: int


def status_of(still_open: Open) -> ClosureStatus:
    """Return where a closing stands, from what of it is still open, in the order of the states."""
    if still_open.settles_calls:
        return S.SETTLING_CALLS
    if still_open.holds_direct_bill:
        return S.DIRECT_BILL_HOLD
    if still_open.refunds:
        return S.REFUNDING
    if still_open.unpaid_invoices:
        return S.AWAITING_FINAL_PAYMENT
    return S.COMPLETED


def advance(old: ClosureStatus, new: ClosureStatus) -> bool:
    """Return whether the step changes anything; the same step twice does not. Raises ForbiddenClosureMove."""
    if new is old:
        return False
    if new not in CLOSURE_MOVES[old]:
        raise ForbiddenClosureMove(old, new)
    return True
