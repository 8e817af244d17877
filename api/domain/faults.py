"""What a use case refuses, as data: the codes of the contract, a text's key and its parameters, and the path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class ErrorCode(Enum):
    """Why something was refused; a client branches on these, never on the message."""

    REQUIRED = "REQUIRED"
    INVALID = "INVALID"
    TOO_LONG = "TOO_LONG"
    WEAK_PASSWORD = "WEAK_PASSWORD"  # noqa: S105
    DUPLICATE_CHOICE = "DUPLICATE_CHOICE"
    TERMS_NOT_ACCEPTED = "TERMS_NOT_ACCEPTED"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    EMAIL_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105
    CHALLENGE_REQUIRED = "CHALLENGE_REQUIRED"
    REAUTHENTICATION_REQUIRED = "REAUTHENTICATION_REQUIRED"
    LOCKED = "LOCKED"
    NOT_FOUND = "NOT_FOUND"
    STALE = "STALE"
    INVALID_STATE = "INVALID_STATE"
    ACKNOWLEDGEMENT_MISSING = "ACKNOWLEDGEMENT_MISSING"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"
    PAYMENT_DECLINED = "PAYMENT_DECLINED"
    PAYMENT_METHOD_EXPIRED = "PAYMENT_METHOD_EXPIRED"
    QUOTE_EXPIRED = "QUOTE_EXPIRED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    NOT_REFUNDABLE = "NOT_REFUNDABLE"
    NOTHING_TO_REFUND = "NOTHING_TO_REFUND"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    RATE_LIMITED = "RATE_LIMITED"
    ATTACHMENT_REJECTED = "ATTACHMENT_REJECTED"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason for a refusal.

    `key` names a text in `data/texts` ("sign_ups.password_too_short"), `params` fill its placeholders,
    `path` leads from the mutation's arguments to the value ("input", "profile", "address", "zip").
    `facts` holds what the typed errors of the contract carry besides, by their field names in Python.
    """

    code: ErrorCode
    key: str
    path: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def under(self, *prefix: str) -> Fault:
        """Return the fault as seen from further out: its path begins with `prefix`."""
        return Fault(self.code, self.key, (*prefix, *self.path), self.params, self.facts)


class Refused(Exception):
    """Rolls the use case back; arrives in the payload's `errors`, translated at the edge."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(", ".join(f"{fault.code.value} {fault.key}" for fault in faults))
        self.faults = faults


def refuse_if(faults: Iterable[Fault]) -> None:
    """Raise Refused with all of `faults`; return when there are none."""
    found = tuple(faults)
    if found:
        raise Refused(*found)
