"""What pays for a video visit besides a card: a plan of unlimited visits, or one that was paid and lost its time."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_time
from api.domain.days import facility_time_and_zone
from api.domain.plans import SubscriptionStatus
from api.domain.service_accounts import Product
from api.domain.video_sessions import PlaceStatus, plan_covers_until
from api.services.video_offers import is_length
from api.services.video_places import Wish


class Cover(NamedTuple):
    """The subscription that covers a visit, or else the visit that is owed.

    `until` says before when a plan that the account has would cover it, by the facility's clock; None without one.
    """

    subscription: Row | None
    owed: Row | None
    until: str | None


async def find_cover(account_id: UUID, wish: Wish, now: datetime) -> Cover:
    """Return what covers a visit; the account is locked. At a facility there is one plan that has not ended.

    Of a length that is not offered nothing is owed; no column need hold what a client sends.
    """
    plan = await fetch_one(
        "select s.*, f.time_zone from plan_subscriptions s join plans p on p.id = s.plan_id"
        " join facilities f on f.id = p.facility_id where s.account_id = $1 and p.facility_id = $2 and p.product = $3"
        " and p.unlimited and s.status in ('ACTIVE', 'PAST_DUE', 'CANCEL_SCHEDULED') order by s.id limit 1",
        account_id, wish.facility_id, Product.VIDEO_CONNECT.value,
    )  # fmt: skip
    until = None
    if plan is not None:
        status, ends = SubscriptionStatus(plan["status"]), read_time(plan["access_until"])
        if status is SubscriptionStatus.CANCEL_SCHEDULED and plan["renewal_id"]:
            # It was cancelled as it renews: that month is not paid before its charge has succeeded.
            ends = read_time(plan["period_end"])
        ends = plan_covers_until(status, ends, now)
        if wish.begins < ends:
            return Cover(plan, None, None)
        until = facility_time_and_zone(ends, plan["time_zone"])
    if not is_length(wish.minutes):
        return Cover(None, None, until)
    owed = await fetch_one(
        "select * from video_sessions where account_id = $1 and facility_id = $2 and duration_minutes = $3"
        " and status = $4 order by id limit 1 for update",
        account_id, wish.facility_id, wish.minutes, PlaceStatus.OWED.value,
    )  # fmt: skip
    return Cover(None, owed, until)
