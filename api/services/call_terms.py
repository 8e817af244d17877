"""On which terms a call runs: whether its service is open, whether it is deducted still, which plans there are.

All of it in one statement, since it is read for each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.adapters.database import Row, fetch, read_time, read_uuid
from api.domain.plan_calls import CallingPlan
from api.domain.plans import SubscriptionStatus
from api.domain.service_accounts import Product, ServiceStatus
from api.services.plans import started

_ROWS_MAX = 200
# Subscriptions that have ended are looked at too: a record may come after the end of the plan that its call was within.
_TERMS = (
    "select a.status, c.requested_at, c.calls_until, k.product as closed_product, k.settled_at, p.unlimited,"
    " t.id as t_id, t.status as t_status, t.started_at, t.period_start, t.access_until,"
    " t.included_calls_left"
    " from service_accounts a left join closed_services k on k.service_account_id = a.id"
    " left join closures c on c.id = k.closure_id and c.status <> 'WITHDRAWN'"
    " left join plan_subscriptions t on t.account_id = a.account_id"
    " and t.plan_id in (select id from plans where facility_id = $2 and product = a.product)"
    f" left join plans p on p.id = t.plan_id where a.id = $1 order by t.id desc limit {_ROWS_MAX}"
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What calls to a service stand under. `closing` is the last that was not withdrawn, None without one."""

    is_open: bool
    closing: Row | None
    plans: tuple[CallingPlan, ...]

    def deducts(self, now: datetime) -> bool:
        """Tell whether a call that is reported now is deducted from the service, under its balance's lock.

        It is while the service is open and in the window of its closing, of Direct Bill until its hold is over. A
        record that comes later is kept and costs the holder nothing: the amount was fixed.
        """
        if self.closing is None:
            return True
        if self.closing["settled_at"] is not None:
            return False
        if Product(self.closing["closed_product"]) is Product.DIRECT_BILL or self.closing["calls_until"] is None:
            return True
        return now <= read_time(self.closing["calls_until"])


async def terms_of(service_account_id: UUID, facility_id: UUID | None) -> Terms:
    """Return the terms of calls to a service from a facility; None for a call that says none, which no plan includes.

    Read it under the balance's lock.
    """
    rows = await fetch(_TERMS, service_account_id, facility_id)
    closings = [row for row in rows if row["requested_at"] is not None]
    plans = {row["t_id"]: row for row in rows if row["t_id"] is not None}
    return Terms(
        is_open=bool(rows) and rows[0]["status"] == ServiceStatus.ACTIVE.value,
        closing=max(closings, key=lambda row: read_time(row["requested_at"]), default=None),
        plans=tuple(_plan(row) for row in plans.values()),
    )


def _plan(row: Row) -> CallingPlan:
    return CallingPlan(
        subscription_id=read_uuid(row["t_id"]),
        started_at=started(row),
        status=SubscriptionStatus(row["t_status"]),
        period_start=read_time(row["period_start"]),
        access_until=read_time(row["access_until"]),
        unlimited=bool(row["unlimited"]),
        calls_left=row["included_calls_left"],
    )
