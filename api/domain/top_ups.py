"""AutoPay and TextPay: deposits that follow a low balance."""

from __future__ import annotations

from enum import Enum


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
