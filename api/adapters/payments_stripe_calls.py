"""How Stripe is asked: cards as tokens, lists by time, and what its SDK raises in the words of the port."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import stripe
import structlog

from api.adapters.payments import CardRefused, ProcessorConflict, ProcessorUnavailable
from api.adapters.payments_stripe_answers import reason_of
from api.domain.payments import DeclineReason

PAGE = 100
LISTED_MAX = 20_000

_log = structlog.get_logger("api.payments_stripe")


class Token(NamedTuple):
    """What a card is charged by: whose it is, and its customer and payment method at Stripe."""

    owner: str
    customer: str
    method: str

    def text(self) -> str:
        """Return the token as it is kept."""
        return "|".join(self)


def read_token(text: str) -> Token | None:
    """Return a kept token; None for another text."""
    parts = text.split("|")
    return Token(*parts) if len(parts) == 3 else None


def made_with(key: str) -> datetime | None:
    """Return when a key was made; None for one that is no UUID of version 7."""
    try:
        made = UUID(key)
    except ValueError:
        return None
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC) if made.version == 7 else None


def made_at(thing: Mapping[str, Any]) -> datetime:
    """Return when an object was made at Stripe."""
    return datetime.fromtimestamp(thing["created"], UTC)


def span_of(since: datetime, until: datetime) -> dict[str, Any]:
    """Return the parameters of a list of what was created within a time."""
    return {"created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())}, "limit": PAGE}


async def plain(listed: Any) -> AsyncIterator[Mapping[str, Any]]:
    """Yield a list's objects as dicts, page by page; ProcessorUnavailable past what can be looked through."""
    count = 0
    async for thing in listed.auto_paging_iter():
        count += 1
        if count > LISTED_MAX:
            raise ProcessorUnavailable("there is too much to look through")
        yield thing.to_dict()


def body_of(error: stripe.CardError) -> Mapping[str, Any]:
    """Return what Stripe says of a card that it refused; empty where that cannot be read."""
    body: Mapping[str, Any] = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, dict) else {}
    return body


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what the SDK raises into what the port says; Stripe's messages may name a card's owner, so none is kept."""
    try:
        yield
    except stripe.CardError as error:
        raise CardRefused(reason_of(body_of(error))) from None
    except stripe.IdempotencyError as error:
        if error.http_status == 409:
            raise ProcessorUnavailable("an order of this key is under way") from None
        raise ProcessorConflict("the key already stands for something else") from None
    except stripe.InvalidRequestError as error:
        if error.http_status == 409:
            raise ProcessorUnavailable("an order of this key is under way") from None
        # It was not carried out, and would not be if it were repeated.
        _log.error("Stripe refused a request", code=error.code, parameter=error.param, request=error.request_id)
        raise CardRefused(DeclineReason.OTHER) from None
    except stripe.StripeError as error:
        _log.warning("Stripe did not answer", error=type(error).__name__, status=error.http_status)
        raise ProcessorUnavailable(f"Stripe did not answer ({type(error).__name__})") from None
