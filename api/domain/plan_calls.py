"""Which calls a monthly plan includes: those that begin while it lasts, as long as some are left (rule 28)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.domain.plans import RENEWING, SubscriptionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingPlan:
    """A subscription to a plan of calls as it stands. `calls_left`, of the period that began at `period_start`, is
    None where the plan is not counted."""

    subscription_id: UUID
    started_at: datetime
    status: SubscriptionStatus
    period_start: datetime
    access_until: datetime
    unlimited: bool
    calls_left: int | None

    def lasts(self, at: datetime) -> bool:
        """Tell whether it is used at a moment of this period or later: until it ends, or the end that was set."""
        return self.period_start <= at and (self.status in RENEWING or at < self.access_until)

    def includes_call(self, began_at: datetime) -> bool:
        """Tell whether a call that began then, of this period, costs nothing more."""
        return self.lasts(began_at) and (self.unlimited or (self.calls_left or 0) > 0)

    def rolled_over(self, began_at: datetime) -> bool:
        """Tell whether a call began in an earlier period, of which no count is kept."""
        return not self.unlimited and self.started_at <= began_at < self.period_start


def plan_that_includes(plans: Iterable[CallingPlan], began_at: datetime) -> CallingPlan | None:
    """Return the plan that a call takes, of several that include it the one that counts nothing, or None."""
    found = [plan for plan in plans if plan.includes_call(began_at)]
    return max(found, key=lambda plan: (plan.unlimited, plan.period_start), default=None)
