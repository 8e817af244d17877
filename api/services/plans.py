"""Subscriptions to monthly plans: reading them, and beginning one that is paid."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.plans import SubscriptionStatus, live_key, months_after
from api.domain.service_accounts import Product
from api.services.spending import lock_spending

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


async def find_plan(plan_id: UUID) -> Row | None:
    """Return a plan with its facility, or None."""
    return await fetch_one(f"{PLANS.format(key='p.id', more='')} where p.id = $1", plan_id)


def key_of_plan(account_id: UUID, plan: Row) -> str:
    """Return what is unique among an account's subscriptions that have not ended, for a row of `PLANS`."""
    return live_key(account_id, read_uuid(plan["f_id"]), Product(plan["p_product"]))


async def is_subscribed(account_id: UUID, plan: Row) -> bool:
    """Tell whether a subscription to the plan's facility and product has not ended, or its payment is under way."""
    under_way = await fetch_one(
        "select y.id from payments y join plans p on p.id = y.plan_id where y.account_id = $1"
        " and y.status in ('PROCESSING', 'REQUIRES_ACTION') and p.facility_id = $2 and p.product = $3 limit 1",
        account_id, plan["f_id"], plan["p_product"],
    )  # fmt: skip
    return under_way is not None or await _live(account_id, plan) is not None


async def _live(account_id: UUID, plan: Row) -> Row | None:
    return await fetch_one("select * from plan_subscriptions where live_key = $1", key_of_plan(account_id, plan))


async def subscription_row(account_id: UUID, subscription_id: UUID) -> Row | None:
    """Return a subscription of this account with plan, facility and card, or None."""
    return await fetch_one(f"{SUBSCRIPTIONS} and t.id = $2", account_id, subscription_id)


async def subscription_of_payment(account_id: UUID, payment_id: UUID) -> Row | None:
    """Return the subscription that a payment began, with plan, facility and card, or None."""
    return await fetch_one(f"{SUBSCRIPTIONS} and t.payment_id = $2", account_id, payment_id)


async def begin_subscription(ports: Ports, payment: Row) -> None:
    """Begin the subscription whose first month was paid, within the transaction that settles the payment.

    Should the holder have subscribed anew since the payment was given up, what was paid adds a month to that one.
    """
    plan = await find_plan(read_uuid(payment["plan_id"]))
    assert plan is not None, "plans are never deleted"
    account_id, now, zone = read_uuid(payment["account_id"]), ports.now(), plan["f_time_zone"]
    await lock_spending(account_id)
    live = await _live(account_id, plan)
    if live is not None:
        months = live["months"] + 1
        until = months_after(read_time(live["started_at"] or live["period_start"]), months, zone)
        await execute(
            "update plan_subscriptions set months = $1, period_end = $2, access_until = $2, renews_at = $3"
            " where id = $4",
            months, until, until if live["renews_at"] else None, live["id"],
        )  # fmt: skip
        return
    until = months_after(now, 1, zone)
    await execute(
        "insert into plan_subscriptions (id, account_id, plan_id, payment_method_id, status, price, period_start,"
        " period_end, renews_at, access_until, included_calls_left, live_key, payment_id, started_at, months)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10, $11, $7, 1)",
        uuid7(), account_id, payment["plan_id"], payment["method_id"], SubscriptionStatus.ACTIVE.value,
        payment["amount"], now, until, plan["p_included_calls"], key_of_plan(account_id, plan), payment["id"],
    )  # fmt: skip
