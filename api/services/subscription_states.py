"""Where a subscription stands: whoever changes one does it here, so that each change is told, in order (rule 28)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.plans import SUBSCRIPTION_MOVES, SubscriptionStatus, advance
from api.domain.renewals import reminder_at
from api.services import due_work
from api.services.cancellation_flows import end_with_subscription
from api.services.outbox import tell
from api.services.plans import subscription_row

EVENT = "subscription"
RENEWAL_WORK = "renewal"
"""Kind of the work that looks at a subscription when something of it falls due: reminder, renewal, try or end."""

EXPECTED_AT_ONCE = 1_000
_DATES = frozenset({"status", "renews_at", "period_end", "renewal_id"})


async def lock_subscription(subscription_id: UUID) -> Row | None:
    """Lock a subscription, after its account, until the transaction ends; return its row, or None.

    Balances are locked before, never after. Read status and dates from what this returns.
    """
    row = await fetch_one("select account_id from plan_subscriptions where id = $1", subscription_id)
    if row is None:
        return None
    await fetch_one("select id from accounts where id = $1 for update", read_uuid(row["account_id"]))
    return await fetch_one("select * from plan_subscriptions where id = $1 for update", subscription_id)


async def change(ports: Ports, row: Row, status: SubscriptionStatus | None = None, **columns: Any) -> Row:
    """Change columns of a locked subscription, and its status where one is given, and tell its watchers; return it as
    it is then; what falls due of it next is made due. One that ends leaves its place to another and renews no more,
    and a flow of unsubscribing ends with it.

    Raises ForbiddenSubscriptionMove, see domain/plans.
    """
    if status is not None and advance(SubscriptionStatus(row["status"]), status):
        columns["status"] = status.value
        if not SUBSCRIPTION_MOVES[status]:
            columns |= {"live_key": None, "renews_at": None}
    if not columns:
        return row
    subscription_id = read_uuid(row["id"])
    settings = ", ".join(f"{name} = ${number + 2}" for number, name in enumerate(columns))
    await execute(f"update plan_subscriptions set {settings} where id = $1", subscription_id, *columns.values())
    if status is not None and not SUBSCRIPTION_MOVES[status]:
        await end_with_subscription(subscription_id, ports.now())
    await tell_subscription(ports, read_uuid(row["account_id"]), subscription_id)
    changed = await fetch_one("select * from plan_subscriptions where id = $1", subscription_id)
    assert changed is not None, "subscriptions are never deleted"
    if not _DATES.isdisjoint(columns):
        await expect(changed)
    return changed


async def expect(row: Row) -> None:
    """Make due what comes next of a subscription, instead of anything that was due before; within the transaction under
    way. Work that holds a claim of it completes that first."""
    key, due_at = str(read_uuid(row["id"])), _next_due(row)
    await due_work.drop(RENEWAL_WORK, key)
    if due_at is not None:
        await due_work.enqueue(RENEWAL_WORK, key, due_at)


@transactional
async def expect_renewals(ports: Ports) -> int:
    """Make due what comes next of subscriptions of which nothing is, such as those that began before plans renewed;
    return how many there were, at most a thousand at once."""
    rows = await fetch(
        "select t.* from plan_subscriptions t where t.live_key is not null and t.renewal_id is null"
        " and (t.renews_at is not null or t.status = 'CANCEL_SCHEDULED') and not exists (select 1 from due_work d"
        " where d.kind = $1 and d.key = cast(t.id as text)) order by t.id limit $2",
        RENEWAL_WORK, EXPECTED_AT_ONCE,
    )  # fmt: skip
    for row in rows:
        due_at = _next_due(row)
        assert due_at is not None, "it lasts, and no charge is under way"
        await due_work.enqueue(RENEWAL_WORK, str(read_uuid(row["id"])), due_at)
    return len(rows)


def _next_due(row: Row) -> datetime | None:
    status = SubscriptionStatus(row["status"])
    if row["renewal_id"] is not None or not SUBSCRIPTION_MOVES[status]:
        # The outcome of a charge under way says what comes next.
        return None
    if status is SubscriptionStatus.CANCEL_SCHEDULED:
        return read_time(row["period_end"])
    renews_at = read_time(row["renews_at"])
    is_reminded = status is SubscriptionStatus.PAST_DUE or row["reminded"] >= row["months"]
    return renews_at if is_reminded else reminder_at(renews_at)


async def tell_subscription(ports: Ports, account_id: UUID, subscription_id: UUID) -> None:
    """Tell a subscription's watchers its whole state once the transaction under way is committed.

    For whoever has changed its row otherwise than by `change`; its account is locked, or locks are taken in that order.
    """
    await execute("update plan_subscriptions set revision = revision + 1 where id = $1", subscription_id)
    row = await subscription_row(account_id, subscription_id)
    assert row is not None, "subscriptions are never deleted"
    state = {name: _plain(value) for name, value in dict(row).items()}
    await tell(account_id, EVENT, {EVENT: state | {"at": ports.now().isoformat()}})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
