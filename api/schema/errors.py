"""Errors as data: the interface, its types, and how a refusal becomes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import strawberry

from api.domain.closures import Consequence
from api.domain.faults import ErrorCode, Fault
from api.domain.payments import DeclineReason
from api.domain.texts import render
from api.schema.enums import publish
from api.schema.scalars import Money

publish(
    ErrorCode,
    "Why something was refused; branch on this, never on the message.",
    REQUIRED="Something is missing; `path` says what.",
    INVALID="A value cannot be taken; the message says why.",
    TOO_LONG="A text is longer than it may be.",
    WEAK_PASSWORD="The password breaks a rule; one error for each.",  # noqa: S106
    DUPLICATE_CHOICE="Chosen twice, where the choices must differ.",
    TERMS_NOT_ACCEPTED="The terms of service are not ticked.",
    INVALID_CREDENTIALS="E-mail or password is wrong; which of them is not told.",
    EMAIL_NOT_VERIFIED="The address is not confirmed yet: offer `resendVerificationEmail`.",
    TOKEN_INVALID="The link or number is unknown, used, or replaced by a newer one.",  # noqa: S106
    TOKEN_EXPIRED="The link or number is too old: ask for a new one.",  # noqa: S106
    CHALLENGE_REQUIRED="One more proof is asked for.",
    REAUTHENTICATION_REQUIRED="Sign in again first.",
    LOCKED="Closed after too many wrong tries.",
    NOT_FOUND="There is no such thing, or it is somebody else's.",
    STALE="What was shown has changed: read it again and show it.",
    INVALID_STATE="The thing is not in a state that allows this.",
    ACKNOWLEDGEMENT_MISSING="A consequence was not acknowledged.",
    CONSENT_REQUIRED="A consent is missing, or names a text that no longer holds.",
    PAYMENT_DECLINED="The card's bank or the processor said no.",
    PAYMENT_METHOD_EXPIRED="The card's last month is over.",
    QUOTE_EXPIRED="The quote is too old: ask for a new one.",
    LIMIT_EXCEEDED="An amount is outside of what is allowed.",
    INSUFFICIENT_FUNDS="The balance does not cover it.",
    NOT_REFUNDABLE="Money of this product does not come back.",
    NOTHING_TO_REFUND="Nothing is left to refund.",
    ACCOUNT_CLOSED="The service is closed or being closed.",
    IDEMPOTENCY_CONFLICT="The key was used before with other input or in another mutation: make a new one.",
    IDEMPOTENCY_IN_PROGRESS="The first call with this key still runs: ask again with the same key.",
    RATE_LIMITED="Tried too often.",
    ATTACHMENT_REJECTED="A file is of a kind or size that is not taken.",
    UNAVAILABLE="Not to be had at the moment, or not offered yet; the message says which.",
)
publish(
    DeclineReason,
    "Why a charge did not go through, as far as the card's bank tells.",
    INSUFFICIENT_FUNDS="The card's account does not cover it.",
    CARD_EXPIRED="The card's last month is over.",
    DO_NOT_HONOR="The bank said no without a reason.",
    LOST_OR_STOLEN="The card is reported lost or stolen.",
    FRAUD_SUSPECTED="The bank suspects somebody else.",
    AUTHENTICATION_REQUIRED="The holder did not prove to be the one, e.g. failed 3-D Secure.",
    PROCESSOR_UNAVAILABLE="The processor was not reached; nothing was charged.",
    OTHER="Anything else.",
)
publish(
    Consequence,
    "What closing costs the holder; each one that the preview lists must be acknowledged.",
    SERVICES_STOP_NOW="The services stop at once.",
    LAST_24H_CALLS_DEDUCTED="Calls of the last 24 hours are deducted when they are reported.",
    AUTOPAY_TEXTPAY_TERMINATED="AutoPay or TextPay ends at once.",
    VIDEO_SESSIONS_VOIDED="Scheduled video visits are void, without a refund.",
    VIDEO_SUBSCRIPTIONS_CANCELLED="Monthly plans are cancelled at once, without a refund.",
    STAMPS_FORFEITED="Remaining stamps are lost.",
    DEBIT_NOT_REFUNDABLE="Deposits for a person in custody are theirs and do not come back.",
    FINAL_INVOICE_MAY_FOLLOW="Direct Bill: a final invoice may follow.",
    EMAIL_NEVER_REUSABLE="The e-mail address can never be used for an account again.",
)


@strawberry.interface(description="An expected failure, as data.")
class UserError:
    code: ErrorCode = strawberry.field(description="What to branch on.")
    message: str = strawberry.field(description="In the account's language or Accept-Language; safe to show.")
    path: list[str] = strawberry.field(
        description='Where in the mutation\'s arguments, e.g. ["input", "profile", "address", "zip"]; '
        "empty when it is about none of them."
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


@strawberry.type(description="Consequences that the preview lists were not acknowledged.")
class AcknowledgementMissingError(UserError):
    missing: list[Consequence] = strawberry.field(description="Each of them must be in `acknowledge`.")


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
    ErrorCode.ACKNOWLEDGEMENT_MISSING: AcknowledgementMissingError,
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
