"""Unsubscribing from a plan, step by step, and taking it back (rules 29 and 30)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.cancellation_data import cancellation_data
from api.domain.cancellations import (
    ABANDONED,
    CancellationAction,
    CancellationOutcome,
    CancellationStep,
    Ending,
    OutOfOrder,
    State,
    advance,
)
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.plain_text import is_blank, text_faults, tidy
from api.domain.plans import RENEWING, SubscriptionStatus
from api.services import due_work
from api.services.cancellation_flows import (
    begin_flow,
    end_left,
    expect_left,
    flow_ending,
    flow_of,
    open_flow,
    state_of,
    write_state,
)
from api.services.cancellation_mails import tell_cancelled, tell_resumed
from api.services.plans import subscription_row
from api.services.subscription_states import change, lock_subscription

_FLOW, _SUBSCRIPTION = ("cancellationId",), ("subscriptionId",)


class Unsubscribing(NamedTuple):
    """A flow as it stands, and the subscription with plan, facility and card."""

    flow: Row
    subscription: Row


@transactional
async def unsubscribe(ports: Ports, account_id: UUID, subscription_id: UUID) -> Unsubscribing:
    """Begin a flow, or return the one that is open as it stands; what was left alone for too long is begun anew.

    Raises Refused with NOT_FOUND, or INVALID_STATE for a plan that does not renew.
    """
    subscription = await _lock(account_id, subscription_id, *_SUBSCRIPTION)
    status, now = SubscriptionStatus(subscription["status"]), ports.now()
    if status not in RENEWING:
        facts = {"current_state": status.value, "allowed_actions": _after(subscription, now)}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "cancellations.not_renewing", _SUBSCRIPTION, facts=facts))
    flow = await open_flow(subscription_id)
    if flow is not None and state_of(flow, now) != ABANDONED:
        flow_id = read_uuid(flow["id"])
        await write_state(flow_id, state_of(flow, now), now)
        return await _shown(account_id, flow_id, subscription_id)
    if flow is not None:
        await end_left(flow, now)
    return await _shown(account_id, await begin_flow(subscription_id, now), subscription_id)


@transactional
async def choose_reason(
    ports: Ports, account_id: UUID, cancellation_id: UUID, code: str, comment: str | None
) -> Unsubscribing:
    """Choose why, which makes unsubscribing available; the last choice counts, with its comment or none.

    Raises Refused with NOT_FOUND, INVALID_STATE out of order, or else all faults of code and comment.
    """
    locked = await _lock_flow(account_id, cancellation_id)
    _, after = _advance(locked, CancellationAction.CHOOSE_REASON, ports.now())
    refuse_if(_input_faults(code, comment))
    await execute(
        "update cancellations set reason = $1, comment = $2 where id = $3",
        code, tidy(comment) if comment and not is_blank(comment) else None, cancellation_id,
    )  # fmt: skip
    await write_state(cancellation_id, after, ports.now())
    return await _shown(account_id, cancellation_id, read_uuid(locked.subscription["id"]))


@transactional
async def confirm(ports: Ports, account_id: UUID, cancellation_id: UUID) -> Unsubscribing:
    """Go on to the warning. A repeat shows it again. Raises Refused with NOT_FOUND, or INVALID_STATE out of order."""
    return await _step(ports, account_id, cancellation_id, CancellationAction.CONFIRM)


@transactional
async def stay(ports: Ports, account_id: UUID, cancellation_id: UUID) -> Unsubscribing:
    """Stay enrolled: nothing changes but that the flow is over. A repeat changes nothing.

    Raises Refused with NOT_FOUND, or INVALID_STATE where the flow has ended otherwise.
    """
    return await _step(ports, account_id, cancellation_id, CancellationAction.STAY)


@transactional
async def complete(ports: Ports, viewer: Viewer, cancellation_id: UUID) -> Unsubscribing:
    """Cancel: the plan renews no more and can be used until the paid period ends; where that is over it ends at once.
    A renewal that is being charged came first: the plan ends with the period that it pays, or at once if it fails.

    The confirmation goes out by mail. A repeat changes nothing, also when the cancellation was taken back since.
    Raises Refused with NOT_FOUND, or INVALID_STATE out of order.
    """
    assert viewer.account_id is not None
    locked = await _lock_flow(viewer.account_id, cancellation_id)
    now = ports.now()
    before, after = _advance(locked, CancellationAction.COMPLETE, now)
    subscription_id = read_uuid(locked.subscription["id"])
    if before != after:
        await write_state(cancellation_id, after, now)
        await _cancel(ports, locked, viewer)
    return await _shown(viewer.account_id, cancellation_id, subscription_id)


async def _cancel(ports: Ports, locked: _Locked, viewer: Viewer) -> None:
    """Have a locked subscription renew no more, and confirm that."""
    ending, until = flow_ending(locked.flow, ports.now())
    row = await change(
        ports, locked.subscription, SubscriptionStatus.CANCEL_SCHEDULED, renews_at=None, access_until=until
    )
    if ending is Ending.AT_ONCE:
        await change(ports, row, SubscriptionStatus.ENDED)
    await tell_cancelled(ports, viewer, locked.flow, ending, until)


@transactional
async def resume(ports: Ports, viewer: Viewer, subscription_id: UUID) -> Row:
    """Take a cancellation back while the plan can be used still; return the subscription, which renews again.

    One that renews already is returned as it is. Raises Refused with NOT_FOUND, or INVALID_STATE once it has ended.
    """
    assert viewer.account_id is not None
    row = await _lock(viewer.account_id, subscription_id, *_SUBSCRIPTION)
    status, now = SubscriptionStatus(row["status"]), ports.now()
    if status not in RENEWING:
        if not _is_resumable(row, now):
            ended = status if status is not SubscriptionStatus.CANCEL_SCHEDULED else SubscriptionStatus.ENDED
            facts = {"current_state": ended.value, "allowed_actions": _after(row, now)}
            raise Refused(Fault(ErrorCode.INVALID_STATE, "cancellations.not_resumable", _SUBSCRIPTION, facts=facts))
        await change(ports, row, SubscriptionStatus.ACTIVE, renews_at=read_time(row["period_end"]))
    shown = await subscription_row(viewer.account_id, subscription_id)
    assert shown is not None, "subscriptions are never deleted"
    if status not in RENEWING:
        await tell_resumed(ports, viewer, shown)
    return shown


@transactional
async def look_at_left(ports: Ports, claim: due_work.Claim) -> None:
    """Write that a flow is abandoned that nobody went on with; due work of kind "cancellation". A repeat changes
    nothing."""
    row = await fetch_one("select subscription_id from cancellations where id = $1", UUID(claim.key))
    assert row is not None, "flows are never deleted"
    await lock_subscription(read_uuid(row["subscription_id"]))
    await due_work.complete(claim)
    flow = await open_flow(read_uuid(row["subscription_id"]))
    if flow is None or str(read_uuid(flow["id"])) != claim.key:
        return
    if state_of(flow, ports.now()) == ABANDONED:
        await end_left(flow, ports.now())
    else:
        await expect_left(UUID(claim.key), read_time(flow["changed_at"]))


class _Locked(NamedTuple):
    """A flow whose subscription is locked."""

    flow: Row
    subscription: Row


async def _lock(account_id: UUID, subscription_id: UUID, *path: str) -> Row:
    if await subscription_row(account_id, subscription_id) is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    row = await lock_subscription(subscription_id)
    assert row is not None, "subscriptions are never deleted"
    return row


async def _lock_flow(account_id: UUID, cancellation_id: UUID) -> _Locked:
    found = await flow_of(account_id, cancellation_id)
    if found is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", _FLOW))
    subscription = await _lock(account_id, read_uuid(found["subscription_id"]), *_FLOW)
    flow = await flow_of(account_id, cancellation_id)
    assert flow is not None, "flows are never deleted"
    return _Locked(flow, subscription)


async def _shown(account_id: UUID, cancellation_id: UUID, subscription_id: UUID) -> Unsubscribing:
    flow, subscription = await flow_of(account_id, cancellation_id), await subscription_row(account_id, subscription_id)
    assert flow is not None, "flows are never deleted"
    assert subscription is not None, "subscriptions are never deleted"
    return Unsubscribing(flow, subscription)


async def _step(ports: Ports, account_id: UUID, cancellation_id: UUID, action: CancellationAction) -> Unsubscribing:
    locked = await _lock_flow(account_id, cancellation_id)
    before, after = _advance(locked, action, ports.now())
    if before != after or after[1] is None:
        await write_state(cancellation_id, after, ports.now())
    return await _shown(account_id, cancellation_id, read_uuid(locked.subscription["id"]))


def _advance(locked: _Locked, action: CancellationAction, now: datetime) -> tuple[State, State]:
    """Return where a flow stands and where an action leads; raises Refused with INVALID_STATE where it does not."""
    state = state_of(locked.flow, now)
    try:
        return state, advance(state, action)
    except OutOfOrder as error:
        step, outcome = state
        key = "abandoned" if outcome is CancellationOutcome.ABANDONED else "is_over" if outcome else "out_of_order"
        actions: Sequence[str] = [allowed.value for allowed in error.allowed]
        if step is CancellationStep.DONE:
            actions = _after(locked.subscription, now)
        facts = {"current_state": step.value, "allowed_actions": tuple(actions)}
        raise Refused(Fault(ErrorCode.INVALID_STATE, f"cancellations.{key}", _FLOW, facts=facts)) from None


def _after(subscription: Row, now: datetime) -> tuple[str, ...]:
    """Return what can be done about a subscription that no flow is open of."""
    if SubscriptionStatus(subscription["status"]) in RENEWING:
        return ("unsubscribe",)
    return ("resumeSubscription",) if _is_resumable(subscription, now) else ("subscribe",)


def _is_resumable(subscription: Row, now: datetime) -> bool:
    is_scheduled = SubscriptionStatus(subscription["status"]) is SubscriptionStatus.CANCEL_SCHEDULED
    return is_scheduled and now < read_time(subscription["access_until"])


def _input_faults(code: str, comment: str | None) -> list[Fault]:
    faults = []
    if code not in cancellation_data().offered:
        faults.append(Fault(ErrorCode.INVALID, "cancellations.reason_unknown", ("reasonCode",)))
    if comment and not is_blank(comment):
        faults += [fault.under("comment") for fault in text_faults(comment, cancellation_data().comment_length_max)]
    return faults
