"""Monthly plans, and the months that a subscription lasts."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from uuid import UUID
from zoneinfo import ZoneInfo

from api.domain.service_accounts import Product


class SubscriptionStatus(Enum):
    """Where a subscription to a plan stands."""

    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    CANCEL_SCHEDULED = "CANCEL_SCHEDULED"
    ENDED = "ENDED"
    CANCELLED_BY_CLOSURE = "CANCELLED_BY_CLOSURE"


class ForbiddenSubscriptionMove(Exception):
    """A subscription was to take a step that its status does not allow; it stays as it is."""

    def __init__(self, old: SubscriptionStatus, new: SubscriptionStatus) -> None:
        super().__init__(f"a subscription cannot go from {old.value} to {new.value}")
        self.old = old
        self.new = new


_S = SubscriptionStatus
SUBSCRIPTION_MOVES: Mapping[SubscriptionStatus, frozenset[SubscriptionStatus]] = {
    _S.ACTIVE: frozenset({_S.PAST_DUE, _S.CANCEL_SCHEDULED, _S.CANCELLED_BY_CLOSURE}),
    _S.PAST_DUE: frozenset({_S.ACTIVE, _S.CANCEL_SCHEDULED, _S.ENDED, _S.CANCELLED_BY_CLOSURE}),
    _S.CANCEL_SCHEDULED: frozenset({_S.ACTIVE, _S.ENDED, _S.CANCELLED_BY_CLOSURE}),
    _S.ENDED: frozenset(),
    _S.CANCELLED_BY_CLOSURE: frozenset(),
}
LASTING = tuple(status for status in SubscriptionStatus if SUBSCRIPTION_MOVES[status])
"""Where a subscription stands that has not ended."""
RENEWING = (_S.ACTIVE, _S.PAST_DUE)
"""Where one stands that renews by itself: it can be used, also while its renewal is a moment late or tried again."""


def advance(old: SubscriptionStatus, new: SubscriptionStatus) -> bool:
    """Return whether the step from `old` to `new` changes anything; the same step twice does not.

    Raises ForbiddenSubscriptionMove for a step that is not allowed: what has ended stays so.
    """
    if new is old:
        return False
    if new not in SUBSCRIPTION_MOVES[old]:
        raise ForbiddenSubscriptionMove(old, new)
    return True


def has_access(status: SubscriptionStatus, access_until: datetime, now: datetime) -> bool:
    """Tell whether a plan can be used now: while its renewal is under way or tried again too, which may take a while;
    of one that was cancelled until the paid period ends."""
    if status in RENEWING:
        return True
    return status is _S.CANCEL_SCHEDULED and now < access_until


def live_key(account_id: UUID, facility_id: UUID, product: Product) -> str:
    """Return what is unique among subscriptions that have not ended: one per customer, facility and product."""
    return f"{account_id}:{facility_id}:{product.value}"


def months_after(start: datetime, months: int, zone: str) -> datetime:
    """Return the instant, in UTC, so many calendar months after `start` by the zone's clock.

    The day is that of `start`, or the month's last where it has none such: from 31 January to 28 February, and to
    31 March. So count months from the first start; counting on from an end would keep the 28th.
    """
    local = start.astimezone(ZoneInfo(zone))
    years, month = divmod(local.month - 1 + months, 12)
    year, month = local.year + years, month + 1
    day = min(local.day, monthrange(year, month)[1])
    # Of an hour that comes twice the first, of one that a clock skips the next: the day stays.
    return local.replace(year=year, month=month, day=day, fold=0).astimezone(UTC)
