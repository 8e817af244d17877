"""Subscriptions to monthly plans: reading them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from api.adapters.database import Row, fetch
from api.domain.plans import SubscriptionStatus


async def subscriptions_of(account_id: UUID, statuses: Sequence[SubscriptionStatus] | None) -> Sequence[Row]:
    """Return an account's subscriptions, newest first, with plan, facility and card; one statement, at most 100."""
    wanted = [status.value for status in dict.fromkeys(statuses or list(SubscriptionStatus))]
    places = ", ".join(f"${n + 2}" for n in range(len(wanted)))
    return await fetch(
        "select s.*, p.product as p_product, p.name_en as p_name_en, p.name_es as p_name_es, p.price as p_price,"
        " p.unlimited as p_unlimited, p.included_calls as p_included_calls, f.id as f_id, f.name as f_name,"
        " f.state as f_state, f.time_zone as f_time_zone, f.products as f_products, m.id as m_id, m.brand as m_brand,"
        " m.last4 as m_last4, m.expiry_month as m_expiry_month, m.expiry_year as m_expiry_year,"
        " m.default_of as m_default_of, m.added_at as m_added_at, m.last_used_at as m_last_used_at"
        " from plan_subscriptions s join plans p on p.id = s.plan_id join facilities f on f.id = p.facility_id"
        f" left join payment_methods m on m.id = s.payment_method_id where s.account_id = $1 and s.status in ({places})"
        " order by s.id desc limit 100",
        account_id, *wanted,
    )  # fmt: skip
