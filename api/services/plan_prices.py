"""Prices of plans: announced by an operator, told to each subscriber by mail, charged when that said (rule 28).

A price is the plan's for new subscribers from its day on. A subscriber pays it from the first renewal that comes at
least 30 days after the notice. So whoever subscribes in between is told then, and whoever had cancelled and stays after
all with the next renewal.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_date, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.days import day_of, start_of
from api.domain.money import format_money
from api.domain.payment_data import payment_limits
from api.domain.payments import PaymentPurpose
from api.domain.renewals import price_applies_at, renewal_rules
from api.services import due_work
from api.services.mails import queue_mail
from api.services.plans import find_plan, plan_of, started
from api.services.subscription_states import lock_subscription

WORK_KIND = "plan_price"
TOLD_AT_ONCE = 100
PENDING_MAX = 50
PLANS_LISTED_MAX = 1_000


class WrongPrice(ValueError):
    """A price that cannot be announced; the message says why."""


@transactional
async def announce(ports: Ports, plan_id: UUID, cents: int, effective_from: date) -> None:
    """Announce a plan's price from a day on, by the facility's calendar; its subscribers are mailed soon after.

    Raises WrongPrice: no such plan, a price that is none, a day that is over, or one that has a price already.
    """
    plan = await find_plan(plan_id)
    if plan is None:
        raise WrongPrice("there is no such plan; see: plan list")
    smallest, largest = payment_limits().bounds_of(PaymentPurpose.SUBSCRIPTION)
    if not smallest <= cents <= largest:
        raise WrongPrice(f"a price is above zero, and at most {format_money(largest, 'en')}")
    now = ports.now()
    if effective_from < day_of(now, plan["f_time_zone"]):
        raise WrongPrice("the day is over at the plan's facility")
    if effective_from > day_of(now + renewal_rules().ahead_max, plan["f_time_zone"]):
        raise WrongPrice("the day is too far ahead")
    price_id = uuid7()
    inserted = await execute(
        "insert into plan_prices (id, plan_id, price, effective_from, announced_at, applied_at)"
        " values ($1, $2, $3, $4, $5, null) on conflict (plan_id, effective_from) do nothing",
        price_id, plan_id, cents, effective_from, now,
    )  # fmt: skip
    if not inserted:
        raise WrongPrice("a price was announced for that day already")
    await due_work.enqueue(WORK_KIND, str(price_id), now)


@transactional
async def follow_price(ports: Ports, claim: due_work.Claim) -> None:
    """Tell an announced price to some of those who subscribe to the plan and come again for the others, then for its
    day; due work of kind "plan_price". Whoever was told is not told again."""
    await due_work.complete(claim)
    price = await fetch_one(
        "select p.*, f.time_zone from plan_prices p join plans l on l.id = p.plan_id"
        " join facilities f on f.id = l.facility_id where p.id = $1 and p.applied_at is null",
        UUID(claim.key),
    )
    if price is None:
        return
    begins = start_of(read_date(price["effective_from"]), price["time_zone"])
    if await _tell_some(ports, price):
        await due_work.enqueue(WORK_KIND, claim.key, ports.now())
    elif begins > ports.now():
        await due_work.enqueue(WORK_KIND, claim.key, begins)
    else:
        await execute("update plans set price = $1 where id = $2", price["price"], read_uuid(price["plan_id"]))
        await execute("update plan_prices set applied_at = $1 where id = $2", ports.now(), read_uuid(price["id"]))


async def _tell_some(ports: Ports, price: Row) -> bool:
    """Tell a price to those who subscribed before it was announced, the others were told then; tell whether there may
    be more of them."""
    rows = await fetch(
        "select t.id from plan_subscriptions t where t.plan_id = $1 and t.status in ('ACTIVE', 'PAST_DUE')"
        " and coalesce(t.started_at, t.period_start) <= $2 and not exists (select 1 from price_notices n"
        " where n.subscription_id = t.id and n.plan_price_id = $3) order by t.account_id, t.id limit $4",
        read_uuid(price["plan_id"]), read_time(price["announced_at"]), read_uuid(price["id"]), TOLD_AT_ONCE,
    )  # fmt: skip
    for row in rows:
        locked = await lock_subscription(read_uuid(row["id"]))
        assert locked is not None, "subscriptions are never deleted"
        await tell_prices(ports, locked)
    return len(rows) == TOLD_AT_ONCE


async def tell_prices(ports: Ports, subscription: Row) -> None:
    """Mail a locked subscription's holder each price that was announced and not told yet, within the transaction under
    way. Of one that does not renew nothing is told."""
    if subscription["renews_at"] is None:
        return
    plan = await plan_of(subscription)
    started_at, zone = started(subscription), plan["f_time_zone"]
    prices = await fetch(
        "select p.* from plan_prices p where p.plan_id = $1 and (p.announced_at >= $2 or p.effective_from >= $3)"
        " and not exists (select 1 from price_notices n where n.subscription_id = $4 and n.plan_price_id = p.id)"
        " order by p.effective_from limit $5",
        read_uuid(subscription["plan_id"]), started_at, day_of(started_at, zone), read_uuid(subscription["id"]),
        PENDING_MAX,
    )  # fmt: skip
    for price in prices:
        day = read_date(price["effective_from"])
        applies_at = price_applies_at(started_at, subscription["months"], zone, day, ports.now())
        old = await price_at(subscription, applies_at)
        await execute(
            "insert into price_notices (id, subscription_id, plan_price_id, applies_at, told_at)"
            " values ($1, $2, $3, $4, $5)",
            uuid7(), read_uuid(subscription["id"]), read_uuid(price["id"]), applies_at, ports.now(),
        )  # fmt: skip
        if old != await price_at(subscription, applies_at):
            # Not where a price of a later day holds by then: told last, this one would be the one to expect.
            await _mail(ports, subscription, plan, price, old, applies_at)


async def price_at(subscription: Row, at: datetime) -> int:
    """Return what a subscription's renewal at a moment costs, in cents without fees: as its holder was told."""
    row = await fetch_one(
        "select p.price from price_notices n join plan_prices p on p.id = n.plan_price_id"
        " where n.subscription_id = $1 and n.applies_at <= $2 order by p.effective_from desc limit 1",
        read_uuid(subscription["id"]), at,
    )  # fmt: skip
    return int(row["price"] if row else subscription["price"])


async def _mail(ports: Ports, subscription: Row, plan: Row, price: Row, old: int, applies_at: datetime) -> None:
    """Mail the notice, which nobody can turn off: without it the price may not be charged."""
    account = await fetch_one("select * from accounts where id = $1", read_uuid(subscription["account_id"]))
    assert account is not None, "accounts are never deleted"
    locale = account["locale"]
    await queue_mail(
        ports, "renewals.price", to=account["email"], locale=locale,
        key=f"price-{read_uuid(subscription['id'])}-{read_uuid(price['id'])}",
        params={
            "plan": plan[f"p_name_{locale}"], "facility": plan["f_name"], "old": format_money(old, locale),
            "new": format_money(price["price"], locale), "date": day_of(applies_at, plan["f_time_zone"]).isoformat(),
        },
    )  # fmt: skip


async def plan_list() -> list[str]:
    """Return a line for each plan: its id, price, facility and name."""
    rows = await fetch(
        "select p.id, p.price, f.name, p.name_en from plans p join facilities f on f.id = p.facility_id"
        " order by f.name, p.name_en, p.id limit $1",
        PLANS_LISTED_MAX,
    )
    return [
        f"{read_uuid(row['id'])}  {format_money(row['price'], 'en')}  {row['name']}: {row['name_en']}" for row in rows
    ]
