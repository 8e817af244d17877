"""Monthly plans, and the subscriptions to them, as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_time, read_uuid
from api.domain.plans import SubscriptionStatus, live_key
from api.domain.service_accounts import Product

PLANS = (
    "select {key} as id, p.id as p_id, p.product as p_product, p.name_en as p_name_en, p.name_es as p_name_es,"
    " p.price as p_price, p.unlimited as p_unlimited, p.included_calls as p_included_calls, f.id as f_id,"
    " f.name as f_name, f.state as f_state, f.time_zone as f_time_zone, f.products as f_products{more}"
    " from plans p join facilities f on f.id = p.facility_id"
)
SUBSCRIPTIONS = (
    PLANS.format(
        key="t.id",
        more=", t.status, t.revision, t.price, t.period_start, t.period_end, t.renews_at, t.access_until,"
        " t.included_calls_left, m.id as m_id, m.brand as m_brand, m.last4 as m_last4,"
        " m.expiry_month as m_expiry_month, m.expiry_year as m_expiry_year, m.default_of as m_default_of,"
        " m.added_at as m_added_at, m.last_used_at as m_last_used_at",
    )
    + " join plan_subscriptions t on t.plan_id = p.id left join payment_methods m on m.id = t.payment_method_id"
    " where t.account_id = $1"
)
"""A subscription with its plan, facility and card, so that a list of them is one statement."""


async def subscriptions_of(account_id: UUID, statuses: Sequence[SubscriptionStatus] | None) -> Sequence[Row]:
    """Return an account's subscriptions, newest first, with plan, facility and card; one statement, at most 100."""
    wanted = [status.value for status in dict.fromkeys(statuses or list(SubscriptionStatus))]
    places = ", ".join(f"${n + 2}" for n in range(len(wanted)))
    return await fetch(f"{SUBSCRIPTIONS} and t.status in ({places}) order by t.id desc limit 100", account_id, *wanted)


async def find_plan(plan_id: UUID) -> Row | None:
    """Return a plan with its facility, or None."""
    return await fetch_one(f"{PLANS.format(key='p.id', more='')} where p.id = $1", plan_id)


async def plan_of(row: Row) -> Row:
    """Return the plan of a subscription or of its payment, with its facility."""
    plan = await find_plan(read_uuid(row["plan_id"]))
    assert plan is not None, "plans are never deleted"
    return plan


def started(subscription: Row) -> datetime:
    """Return when a subscription began; the first ones did not note it and are in their first period."""
    return read_time(subscription["started_at"] or subscription["period_start"])


def key_of_plan(account_id: UUID, plan: Row) -> str:
    """Return what is unique among an account's subscriptions that have not ended, for a row of `PLANS`."""
    return live_key(account_id, read_uuid(plan["f_id"]), Product(plan["p_product"]))


async def is_subscribed(account_id: UUID, plan: Row, gives_way_until: datetime | None = None) -> bool:
    """Tell whether a subscription to the plan's facility and product has not ended, or its payment is under way.

    What has waited at the bank's page since `gives_way_until` or before does not count, where that is given.
    """
    rows = await fetch(
        "select y.status, y.created_at from payments y join plans p on p.id = y.plan_id where y.account_id = $1"
        " and y.status in ('PROCESSING', 'REQUIRES_ACTION') and p.facility_id = $2 and p.product = $3 limit 10",
        account_id, plan["f_id"], plan["p_product"],
    )  # fmt: skip
    under_way = [
        row for row in rows
        if row["status"] == "PROCESSING" or gives_way_until is None or read_time(row["created_at"]) > gives_way_until
    ]  # fmt: skip
    return bool(under_way) or await live_subscription(account_id, plan) is not None


async def live_subscription(account_id: UUID, plan: Row) -> Row | None:
    """Return the subscription to a plan's facility and product that has not ended, or None; a row of its table."""
    return await fetch_one("select * from plan_subscriptions where live_key = $1", key_of_plan(account_id, plan))


async def subscription_row(account_id: UUID, subscription_id: UUID) -> Row | None:
    """Return a subscription of this account with plan, facility and card, or None."""
    return await fetch_one(f"{SUBSCRIPTIONS} and t.id = $2", account_id, subscription_id)


async def subscription_of_payment(account_id: UUID, payment_id: UUID) -> Row | None:
    """Return the subscription that a payment began, with plan, facility and card, or None."""
    return await fetch_one(f"{SUBSCRIPTIONS} and t.payment_id = $2", account_id, payment_id)
