"""Errors as data: the interface, its types, and how a refusal becomes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import strawberry

from api.domain.faults import ErrorCode, Fault
from api.domain.payments import DeclineReason
from api.domain.texts import render
from api.schema.scalars import Money

strawberry.enum(ErrorCode, description="Why something was refused; branch on this, never on the message.")
strawberry.enum(DeclineReason, description="Why a charge did not go through, as far as the card's bank tells.")


@strawberry.interface(description="An expected failure, as data.")
class UserError:
    code: ErrorCode = strawberry.field(description="What to branch on.")
    message: str = strawberry.field(description="In the account's language or Accept-Language; safe to show.")
    path: list[str] = strawberry.field(
        description='Where in the mutation\'s arguments, e.g. ["input", "profile", "address", "zip"].'
    )


@strawberry.type(description="A failure that carries nothing besides.")
class GenericError(UserError):
    pass


@strawberry.type(description="The thing is not in a state that allows this.")
class InvalidStateError(UserError):
    current_state: str = strawberry.field(description="The state it is in.")
    allowed_actions: list[str] = strawberry.field(description="Mutations that are possible now.")


@strawberry.type(description="The card's bank did not let the payment through.")
class PaymentDeclinedError(UserError):
    reason: DeclineReason = strawberry.field(description="The bank's reason.")
    retryable: bool = strawberry.field(description="True when the same card may succeed later.")


@strawberry.type(description="The idempotency key was used before for something else.")
class IdempotencyConflictError(UserError):
    first_used_at: datetime = strawberry.field(description="When the key was first used.")


@strawberry.type(description="An amount is outside of what is allowed.")
class LimitExceededError(UserError):
    limit: Money = strawberry.field(description="The limit that applies.")
    remaining: Money = strawberry.field(description="What may still be used of it.")
    resets_at: datetime | None = strawberry.field(description="When it starts anew; null when it does not.")


@strawberry.type(description="What was shown is no longer so.")
class StaleError(UserError):
    changed: list[str] = strawberry.field(description='What changed meanwhile, e.g. ["address", "balance"].')


@strawberry.type(description="Tried too often.")
class RateLimitedError(UserError):
    retry_after_seconds: int = strawberry.field(description="Wait this long before the next try.")


@strawberry.interface(description="What every mutation answers with.")
class Payload:
    errors: list[UserError] = strawberry.field(
        description="Why it was refused; empty when it was done.", default_factory=list
    )


@strawberry.type(description="The same answer whether or not the address is known.")
class AcceptedPayload(Payload):
    accepted: bool = strawberry.field(description="True when the request was taken.", default=False)


_TYPED: dict[ErrorCode, type[UserError]] = {
    ErrorCode.INVALID_STATE: InvalidStateError,
    ErrorCode.PAYMENT_DECLINED: PaymentDeclinedError,
    ErrorCode.IDEMPOTENCY_CONFLICT: IdempotencyConflictError,
    ErrorCode.LIMIT_EXCEEDED: LimitExceededError,
    ErrorCode.STALE: StaleError,
    ErrorCode.RATE_LIMITED: RateLimitedError,
}
ERROR_TYPES: tuple[type, ...] = (GenericError, *_TYPED.values())
_MONEY_FACTS = {"limit", "remaining"}


def user_errors(faults: Iterable[Fault], locale: str) -> list[UserError]:
    """Return faults as the contract's errors, in the reader's language."""
    return [_user_error(fault, locale) for fault in faults]


def _user_error(fault: Fault, locale: str) -> UserError:
    kind = _TYPED.get(fault.code, GenericError) if fault.facts else GenericError
    facts: dict[str, Any] = {
        name: Money.of(value) if name in _MONEY_FACTS else list(value) if isinstance(value, tuple) else value
        for name, value in fault.facts.items()
    }
    params = {name: render(locale, v[1:]) if _is_key(v) else v for name, v in fault.params.items()}
    return kind(code=fault.code, message=render(locale, fault.key, params), path=list(fault.path), **facts)


def _is_key(value: object) -> bool:
    """Tell whether a parameter names a text itself ("@sign_ups.passcode") instead of being one."""
    return isinstance(value, str) and value.startswith("@")
