"""Where a subscription stands: whoever changes one does it here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.plans import SubscriptionStatus
from api.services.cancellation_flows import end_with_subscription


async def lock_subscription(subscription_id: UUID) -> Row | None:
    """Lock a subscription, after its account, until the transaction ends; return its row, or None."""
    row = await fetch_one("select account_id from plan_subscriptions where id = $1", subscription_id)
    if row is None:
        return None
    await fetch_one("select id from accounts where id = $1 for update", read_uuid(row["account_id"]))
    return await fetch_one("select * from plan_subscriptions where id = $1 for update", subscription_id)


async def change(ports: Ports, row: Row, status: SubscriptionStatus, **columns: Any) -> Row:
    """Change a locked subscription; return it as it is then."""
    columns["status"] = status.value
    if status in (SubscriptionStatus.ENDED, SubscriptionStatus.CANCELLED_BY_CLOSURE):
        columns |= {"live_key": None, "renews_at": None}
    settings = ", ".join(f"{name} = ${number + 2}" for number, name in enumerate(columns))
    subscription_id = read_uuid(row["id"])
    await execute(f"update plan_subscriptions set {settings} where id = $1", subscription_id, *columns.values())
    changed = await fetch_one("select * from plan_subscriptions where id = $1", subscription_id)
    assert changed is not None, "subscriptions are never deleted"
    if changed["live_key"] is None:
        await end_with_subscription(subscription_id, ports.now())
    return changed
