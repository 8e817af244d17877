"""Flows of unsubscribing as they are read and written, and how those end that nobody goes on with (rule 29)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid
from api.domain.cancellation_data import cancellation_data
from api.domain.cancellations import (
    ABANDONED,
    BEGUN,
    CancellationOutcome,
    CancellationStep,
    Ending,
    State,
    ending_of,
    state_at,
)
from api.domain.plans import RENEWING, SubscriptionStatus
from api.domain.renewals import period_of
from api.services import due_work

WORK_KIND = "cancellation"

_FLOWS = (
    "select t.id, t.subscription_id, t.step, t.outcome, t.reason, t.changed_at, s.account_id, s.status as s_status,"
    " s.period_end as s_period_end, s.period_start as s_period_start, s.started_at as s_started_at,"
    " s.months as s_months, s.renewal_id as s_renewal_id, p.name_en as p_name_en, p.name_es as p_name_es,"
    " f.name as f_name, f.time_zone as f_time_zone"
    " from cancellations t join plan_subscriptions s on s.id = t.subscription_id join plans p on p.id = s.plan_id"
    " join facilities f on f.id = p.facility_id"
)
FLOWS = f"{_FLOWS} where s.account_id = $1"
"""A flow with what its screens tell of the subscription, the plan and the facility."""


def state_of(flow: Row, now: datetime) -> State:
    """Return where a flow stands now: one that was left alone, or whose subscription has ended, is abandoned."""
    state: State = (
        CancellationStep(flow["step"]),
        CancellationOutcome(flow["outcome"]) if flow["outcome"] else None,
    )
    if state[0] is not CancellationStep.DONE and SubscriptionStatus(flow["s_status"]) not in RENEWING:
        return ABANDONED
    return state_at(state, read_time(flow["changed_at"]), now, cancellation_data().abandoned_after)


def flow_ending(flow: Row, now: datetime) -> tuple[Ending, datetime]:
    """Return how the plan of a flow ends if it is cancelled now, and until when it can be used."""
    renewed_until = None
    if flow["s_renewal_id"] is not None:
        begun_at = read_time(flow["s_started_at"] or flow["s_period_start"])
        renewed_until = period_of(begun_at, flow["s_months"], flow["f_time_zone"]).end
    return ending_of(read_time(flow["s_period_end"]), renewed_until, now)


async def flow_of(account_id: UUID, cancellation_id: UUID) -> Row | None:
    """Return a flow of this account, or None."""
    return await fetch_one(f"{FLOWS} and t.id = $2", account_id, cancellation_id)


async def open_flow(subscription_id: UUID) -> Row | None:
    """Return the flow of a subscription that nothing was written about the end of, or None."""
    return await fetch_one(f"{_FLOWS} where t.open_for = $1", subscription_id)


async def newest_flows(subscription_ids: Sequence[UUID]) -> list[Row | None]:
    """Return the newest flow of each subscription, in their order, None where there was none; one statement."""
    places = ", ".join(f"${n + 1}" for n in range(len(subscription_ids)))
    rows = await fetch(
        f"{_FLOWS} where t.subscription_id in ({places}) and not exists (select 1 from cancellations newer"
        " where newer.subscription_id = t.subscription_id and newer.id > t.id)",
        *subscription_ids,
    )
    found = {read_uuid(row["subscription_id"]): row for row in rows}
    return [found.get(key) for key in subscription_ids]


async def was_cancelled(subscription_id: UUID) -> bool:
    """Tell whether the last flow of a subscription cancelled it."""
    (flow,) = await newest_flows([subscription_id])
    return flow is not None and flow["outcome"] == CancellationOutcome.CANCELLED.value


async def begin_flow(subscription_id: UUID, now: datetime) -> UUID:
    """Begin a flow within the transaction under way, which has the subscription locked; return its id."""
    key = uuid7()
    await execute(
        "insert into cancellations (id, subscription_id, open_for, step, outcome, reason, comment, begun_at,"
        " changed_at, ended_at) values ($1, $2, $2, $3, null, null, null, $4, $4, null)",
        key, subscription_id, BEGUN[0].value, now,
    )  # fmt: skip
    await expect_left(key, now)
    return key


async def expect_left(cancellation_id: UUID, changed_at: datetime) -> None:
    """Make it due to look whether a flow was left alone since then, within the transaction under way."""
    await due_work.enqueue(WORK_KIND, str(cancellation_id), changed_at + cancellation_data().abandoned_after)


async def write_state(cancellation_id: UUID, state: State, now: datetime) -> None:
    """Write where a flow stands within the transaction under way; the time after which it is abandoned begins anew."""
    step, outcome = state
    if outcome is None:
        await execute(
            "update cancellations set step = $1, changed_at = $2 where id = $3", step.value, now, cancellation_id
        )
        await due_work.postpone(WORK_KIND, str(cancellation_id), now + cancellation_data().abandoned_after)
        return
    await execute(
        "update cancellations set step = $1, outcome = $2, ended_at = $3, open_for = null where id = $4",
        step.value, outcome.value, now, cancellation_id,
    )  # fmt: skip
    await due_work.drop(WORK_KIND, str(cancellation_id))


async def end_left(flow: Row, now: datetime) -> None:
    """Write that a flow is abandoned since it was left alone, as of when that came about, or now if it came earlier."""
    left_at = read_time(flow["changed_at"]) + cancellation_data().abandoned_after
    await write_state(read_uuid(flow["id"]), ABANDONED, min(left_at, now))


async def end_with_subscription(subscription_id: UUID, now: datetime) -> None:
    """Write that the open flow of a subscription that has ended, if there is one, came to nothing."""
    flow = await open_flow(subscription_id)
    if flow is not None:
        await end_left(flow, now)
