"""Monthly plans, and the months that a subscription lasts."""

from __future__ import annotations

from calendar import monthrange
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
    return local.replace(year=year, month=month, day=day).astimezone(UTC)
