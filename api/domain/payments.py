"""What a payment can be, how it came in, why a card was declined, and which way its status may move."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from uuid import UUID

RETURN_URL_LENGTH_MAX = 500
_MISREAD = re.compile(r"[\\\s]|/(\.|%2e){1,2}(/|\?|#|$)", re.IGNORECASE)


class PaymentChannel(Enum):
    """How the money came in; the refund follows it."""

    CARD_ONLINE = "CARD_ONLINE"
    AUTOPAY = "AUTOPAY"
    TEXTPAY = "TEXTPAY"
    WESTERN_UNION = "WESTERN_UNION"
    MONEYGRAM = "MONEYGRAM"
    MAIL = "MAIL"


class PaymentPurpose(Enum):
    """What the money is for."""

    FUND_ADVANCE_CONNECT = "FUND_ADVANCE_CONNECT"
    FUND_DEBIT = "FUND_DEBIT"
    BUY_STAMPS = "BUY_STAMPS"
    PAY_INVOICE = "PAY_INVOICE"
    SUBSCRIPTION = "SUBSCRIPTION"
    VIDEO_SESSION = "VIDEO_SESSION"


class PaymentStatus(Enum):
    """Where a payment stands.

    PROCESSING covers the committed intent as well as an outcome that nobody knows yet: neither is a failure.
    """

    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    CHARGED_BACK = "CHARGED_BACK"


class DeclineReason(Enum):
    """Why a charge did not go through, as far as the card's bank tells."""

    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    CARD_EXPIRED = "CARD_EXPIRED"
    DO_NOT_HONOR = "DO_NOT_HONOR"
    LOST_OR_STOLEN = "LOST_OR_STOLEN"
    FRAUD_SUSPECTED = "FRAUD_SUSPECTED"
    AUTHENTICATION_REQUIRED = "AUTHENTICATION_REQUIRED"
    PROCESSOR_UNAVAILABLE = "PROCESSOR_UNAVAILABLE"
    OTHER = "OTHER"


class ForbiddenPaymentMove(Exception):
    """A payment was to take a step that its status does not allow; the payment stays as it is."""

    def __init__(self, old: PaymentStatus, new: PaymentStatus) -> None:
        super().__init__(f"a payment cannot go from {old.value} to {new.value}")
        self.old = old
        self.new = new


# A refund counts here once it is confirmed, not while it is under way; so one that fails on its way needs no step back,
# and a payment that was fully refunded has nothing left to charge back. A dispute that is won puts the payment back
# to what it was before.
PAYMENT_MOVES: Mapping[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.PROCESSING: frozenset(
        {PaymentStatus.REQUIRES_ACTION, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED},
    ),
    PaymentStatus.REQUIRES_ACTION: frozenset(
        {PaymentStatus.PROCESSING, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED},
    ),
    PaymentStatus.SUCCEEDED: frozenset(
        {PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED, PaymentStatus.CHARGED_BACK},
    ),
    PaymentStatus.PARTIALLY_REFUNDED: frozenset({PaymentStatus.REFUNDED, PaymentStatus.CHARGED_BACK}),
    PaymentStatus.CHARGED_BACK: frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED}),
    PaymentStatus.FAILED: frozenset(),
    PaymentStatus.REFUNDED: frozenset(),
}


def advance(old: PaymentStatus, new: PaymentStatus) -> bool:
    """Return whether the step from `old` to `new` changes anything.

    The same step twice changes nothing: False. Raises ForbiddenPaymentMove for a step that is not allowed,
    such as a late "failed" after "succeeded".
    """
    if new is old:
        return False
    if new not in PAYMENT_MOVES[old]:
        raise ForbiddenPaymentMove(old, new)
    return True


def may_return_to(url: str, allowed: Iterable[str]) -> bool:
    """Tell whether the bank's page may lead back there: to an allowed address, or to one below it.

    What a browser might read otherwise than it is written (backslashes, ".." , spaces, other letters) is not taken.
    """
    if len(url) > RETURN_URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or _MISREAD.search(url):
        return False
    return any(url == place or url.startswith((place.rstrip("/") + "/", place + "?")) for place in allowed)


def payment_key(key: str) -> UUID:
    """Return the payment that a key at the processor stands for."""
    return UUID(key)


def payment_of_key(key: str) -> UUID | None:
    """Return what a key at the processor stands for; None for one that cannot be ours."""
    try:
        return UUID(key)
    except ValueError:
        return None
