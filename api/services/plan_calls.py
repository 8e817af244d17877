"""Calls within a plan: taken when they are asked for, given back when they come to nothing (rule 28).

Whoever calls this holds the lock of the balance that the call is on. The account is locked after it and before the
subscription, as renewals do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Raced, Row, execute, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.plan_calls import CallingPlan, plan_that_includes
from api.domain.plans import LASTING
from api.domain.renewals import period_at
from api.services.ledger import Balance
from api.services.spending import lock_spending
from api.services.subscription_states import tell_subscription


class Included(NamedTuple):
    """The subscription that a call is within. `period_start` is None where none of its calls is taken: where they are
    not counted, or while it was given back."""

    subscription_id: UUID
    period_start: datetime | None


NOT_INCLUDED = (None, None)


async def include(
    ports: Ports, account_id: UUID, plans: Sequence[CallingPlan], rate_per_minute: Decimal
) -> Included | None:
    """Take an included call for one that begins now, or return None; a call that is free takes none."""
    plan = plan_that_includes(plans, ports.now()) if rate_per_minute > 0 else None
    return await _take(ports, account_id, plan) if plan else None


async def settle(
    ports: Ports, balance: Balance, call: Row | None, plans: Sequence[CallingPlan], price: int, began_at: datetime
) -> Included | None:
    """Return the plan that a call is within, now that it is reported with its price in cents; None where it is in none.

    One that costs nothing gives back what it had. One that was authorised as included stays so, whatever became of
    the plan since; any other takes what is left of the period in which it began.
    """
    had = included_of(call) if call else None
    if price == 0:
        if had is not None:
            await _give_back(ports, balance.account_id, had)
        return None
    if had is not None and had.period_start is not None:
        return had
    plan = plan_that_includes(plans, began_at)
    if plan is not None:
        return await _take(ports, balance.account_id, plan)
    return had or await _of_earlier_period(balance.service_account_id, plans, began_at)


async def release(ports: Ports, account_id: UUID, call_id: UUID) -> None:
    """Give back what a call had that was never reported. The call stays within its plan, should its record come yet; a
    repeat changes nothing."""
    call = await fetch_one(
        "select subscription_id, plan_period_start from calls where id = $1 and plan_period_start is not null", call_id
    )
    had = included_of(call) if call else None
    if had is not None:
        await _give_back(ports, account_id, had)
        await execute("update calls set plan_period_start = null where id = $1", call_id)


def included_of(call: Row) -> Included | None:
    """Return the plan that a row of `calls` is within, or None."""
    if call["subscription_id"] is None:
        return None
    period_start = call["plan_period_start"]
    return Included(read_uuid(call["subscription_id"]), read_time(period_start) if period_start else None)


async def _of_earlier_period(
    service_account_id: UUID, plans: Sequence[CallingPlan], began_at: datetime
) -> Included | None:
    """Return the plan whose earlier period still had a call for one that nobody had asked for, counted by its calls."""
    for plan in plans:
        terms = await _terms_of_plan(plan.subscription_id) if plan.rolled_over(began_at) else None
        if terms is None:
            continue
        period = period_at(plan.started_at, began_at, terms["time_zone"])
        row = await fetch_one(
            "select count(*) as n from calls where service_account_id = $1 and started_at >= $2 and started_at < $3"
            " and subscription_id = $4 and plan_period_start is not null",
            service_account_id, period.start, min(period.end, plan.period_start), plan.subscription_id,
        )  # fmt: skip
        if row is not None and row["n"] < terms["included_calls"]:
            return Included(plan.subscription_id, period.start)
    return None


async def _terms_of_plan(subscription_id: UUID) -> Row | None:
    return await fetch_one(
        "select p.included_calls, f.time_zone from plan_subscriptions t join plans p on p.id = t.plan_id"
        " join facilities f on f.id = p.facility_id where t.id = $1 and p.included_calls is not null",
        subscription_id,
    )


async def _take(ports: Ports, account_id: UUID, plan: CallingPlan) -> Included:
    """Count a call; Raced where a renewal or an end came between, which the repeat then finds.

    Watchers are told of one that has not ended: they know of no other.
    """
    if plan.unlimited:
        return Included(plan.subscription_id, None)
    await lock_spending(account_id)
    taken = await execute(
        "update plan_subscriptions set included_calls_left = included_calls_left - 1"
        " where id = $1 and period_start = $2 and status = $3 and included_calls_left > 0",
        plan.subscription_id, plan.period_start, plan.status.value,
    )  # fmt: skip
    if not taken:
        raise Raced
    if plan.status in LASTING:
        await tell_subscription(ports, account_id, plan.subscription_id)
    return Included(plan.subscription_id, plan.period_start)


async def _give_back(ports: Ports, account_id: UUID, had: Included) -> None:
    """Count a call no longer, unless a new period has begun, which has all its calls, or the plan has ended."""
    if had.period_start is None:
        return
    await lock_spending(account_id)
    given_back = await execute(
        "update plan_subscriptions set included_calls_left = included_calls_left + 1"
        " where id = $1 and period_start = $2 and live_key is not null",
        had.subscription_id, had.period_start,
    )  # fmt: skip
    if given_back:
        await tell_subscription(ports, account_id, had.subscription_id)
