"""How a subscription begins: with the payment of its first month."""

from __future__ import annotations

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.plans import SubscriptionStatus, months_after
from api.services.plan_prices import tell_prices
from api.services.plans import key_of_plan, live_subscription, plan_of, started
from api.services.spending import lock_spending
from api.services.subscription_states import change, expect, tell_subscription


async def begin_subscription(ports: Ports, payment: Row) -> None:
    """Begin the subscription whose first month was paid, within the transaction that settles the payment.

    Should the holder have subscribed anew since the payment was given up, what was paid adds a month to that one.
    """
    plan = await plan_of(payment)
    account_id, now, zone = read_uuid(payment["account_id"]), ports.now(), plan["f_time_zone"]
    await lock_spending(account_id)
    live = await live_subscription(account_id, plan)
    if live is not None:
        months = live["months"] + 1
        until = months_after(started(live), months, zone)
        renewed = SubscriptionStatus.ACTIVE if live["status"] == SubscriptionStatus.PAST_DUE.value else None
        await change(
            ports, live, renewed, tries=0, kept_try_at=None, months=months, period_end=until, access_until=until,
            renews_at=until if live["renews_at"] else None, included_calls_left=with_more_calls(live, plan),
        )  # fmt: skip
        return
    until, subscription_id = months_after(now, 1, zone), uuid7()
    await execute(
        "insert into plan_subscriptions (id, account_id, plan_id, payment_method_id, status, price, period_start,"
        " period_end, renews_at, access_until, included_calls_left, live_key, payment_id, started_at, months, revision)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10, $11, $7, 1, 0)",
        subscription_id, account_id, payment["plan_id"], payment["method_id"], SubscriptionStatus.ACTIVE.value,
        payment["amount"], now, until, plan["p_included_calls"], key_of_plan(account_id, plan), payment["id"],
    )  # fmt: skip
    await tell_subscription(ports, account_id, subscription_id)
    begun = await fetch_one("select * from plan_subscriptions where id = $1", subscription_id)
    assert begun is not None
    await expect(begun)
    await tell_prices(ports, begun)


def with_more_calls(subscription: Row, plan: Row) -> int | None:
    """Return the calls left once a further month is paid within a period, maybe by another plan of the facility; None
    where the subscription's calls are not counted."""
    left, included = subscription["included_calls_left"], plan["p_included_calls"]
    return None if left is None else int(left) + int(included or 0)
