"""Subscriptions to monthly plans: reading them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from api.adapters.database import Row, fetch
from api.domain.plans import SubscriptionStatus

PLANS = (
    "select {key} as id, p.id as p_id, p.product as p_product, p.name_en as p_name_en, p.name_es as p_name_es,"
    " p.price as p_price, p.unlimited as p_unlimited, p.included_calls as p_included_calls, f.id as f_id,"
    " f.name as f_name, f.state as f_state, f.time_zone as f_time_zone, f.products as f_products{more}"
    " from plans p join facilities f on f.id = p.facility_id"
)
SUBSCRIPTIONS = (
    PLANS.format(
        key="t.id",
        more=", t.status, t.price, t.period_start, t.period_end, t.renews_at, t.access_until, t.included_calls_left,"
        " m.id as m_id, m.brand as m_brand, m.last4 as m_last4, m.expiry_month as m_expiry_month,"
        " m.expiry_year as m_expiry_year, m.default_of as m_default_of, m.added_at as m_added_at,"
        " m.last_used_at as m_last_used_at",
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
