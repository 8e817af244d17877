"""What follows for a subscription from a renewal that is over; part of the transaction that decides it.

Charges import this by way of `payment_effects`; so nothing here may import them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_json, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.charge_lines import Line, total_of
from api.domain.payments import DeclineReason, PaymentStatus
from api.domain.plans import LASTING, RENEWING, SubscriptionStatus
from api.domain.renewals import last_try_at, next_try_at, period_of, renewal_rules
from api.services import due_work, renewal_mails
from api.services.cancellation_flows import was_cancelled
from api.services.plan_prices import tell_prices
from api.services.plans import plan_of, started
from api.services.subscription_begins import begin_subscription, with_more_calls
from api.services.subscription_states import change, expect, lock_subscription
from api.services.top_up_outcomes import SENDING

UNREACHABLE = "unreachable"
_WHY = {
    DeclineReason.AUTHENTICATION_REQUIRED: "confirm",
    DeclineReason.CARD_EXPIRED: "card_unusable",
    DeclineReason.PROCESSOR_UNAVAILABLE: UNREACHABLE,
}


async def after_renewal(ports: Ports, payment: Row) -> None:
    """Begin the next period with a payment that succeeded, or note that it failed; within the same transaction.

    Of a subscription that a deletion has ended nothing changes: what its charge took is not refunded (rule 25).
    """
    await due_work.drop(SENDING, str(read_uuid(payment["id"])))
    row = await lock_subscription(read_uuid(payment["subscription_id"]))
    assert row is not None, "subscriptions are never deleted"
    is_under_way = row["renewal_id"] is not None and read_uuid(row["renewal_id"]) == read_uuid(payment["id"])
    if is_under_way:
        await execute("update plan_subscriptions set renewal_id = null where id = $1", read_uuid(row["id"]))
        row = {**row, "renewal_id": None}
    if payment["status"] == PaymentStatus.SUCCEEDED.value:
        await _succeeded(ports, row, payment)
        return
    await execute("update payments set renewal_key = null where id = $1", read_uuid(payment["id"]))
    # A charge that was given up may have paid the month meanwhile.
    is_unpaid = payment["period"] == row["months"]
    if is_under_way and is_unpaid and SubscriptionStatus(row["status"]) in RENEWING:
        plan = await plan_of(row)
        why = _WHY.get(DeclineReason(payment["decline_reason"] or DeclineReason.OTHER.value), "declined")
        lines = [Line.of(kept) for kept in read_json(payment["lines"])]
        await renewal_failed(ports, row, plan, why, lines)
    elif is_under_way:
        await expect(row)


async def _succeeded(ports: Ports, row: Row, payment: Row) -> None:
    """Begin the period that was paid. A charge that turns up after its period was paid otherwise pays the one after;
    after the plan has ended, it begins a new one."""
    status = SubscriptionStatus(row["status"])
    if status not in LASTING:
        if status is SubscriptionStatus.ENDED and await _is_open(row):
            await _begin_anew(ports, row, payment)
        return
    plan = await plan_of(row)
    period = period_of(started(row), row["months"], plan["f_time_zone"])
    columns: dict[str, Any] = {
        "months": period.number + 1, "period_end": period.end, "access_until": period.end,
        "tries": 0, "kept_try_at": None,
        "renews_at": None if status is SubscriptionStatus.CANCEL_SCHEDULED else period.end,
    }  # fmt: skip
    if payment["period"] == period.number:
        columns |= {"price": payment["amount"], "period_start": period.start}
        columns |= {"included_calls_left": plan["p_included_calls"]}
    else:
        columns |= {"included_calls_left": with_more_calls(row, plan)}
    renewed = SubscriptionStatus.ACTIVE if status is SubscriptionStatus.PAST_DUE else None
    await tell_prices(ports, await change(ports, row, renewed, **columns))


async def _begin_anew(ports: Ports, ended: Row, payment: Row) -> None:
    """Begin a plan that has ended anew, with a month that was paid after all; of one that was cancelled, that alone."""
    await begin_subscription(ports, payment)
    begun = await fetch_one("select * from plan_subscriptions where payment_id = $1", read_uuid(payment["id"]))
    if begun is not None and await was_cancelled(read_uuid(ended["id"])):
        await change(ports, begun, SubscriptionStatus.CANCEL_SCHEDULED, renews_at=None)


async def renewal_failed(ports: Ports, row: Row, plan: Row, why: str, lines: Sequence[Line]) -> None:
    """Note that a locked subscription, with no charge under way, could not be renewed: it is tried again, or has ended;
    its holder is mailed. `why` names the text that says so, `renewals.why_<why>`.

    What the processor could not be asked uses up no try and is mailed once. Nor does a try that the holder
    asked for, by choosing a card, unless it is over only when the one is due that was to come.
    """
    now, due, zone = ports.now(), read_time(row["period_end"]), plan["f_time_zone"]
    is_our_fault = why == UNREACHABLE
    kept = read_time(row["kept_try_at"]) if row["kept_try_at"] else None
    if kept is not None and kept <= now:
        kept = None
    tries = row["tries"] + (0 if is_our_fault or kept else 1)
    again_at = kept or next_try_at(due, tries, now, zone)
    if is_our_fault:
        again_at = now + renewal_rules().unreachable_after
    if again_at is None:
        ended = await change(ports, row, SubscriptionStatus.ENDED, access_until=now, tries=tries)
        await renewal_mails.tell_end(ports, ended, plan, why, total_of(lines))
        return
    until = max(last_try_at(due, zone), again_at)
    await change(
        ports, row, SubscriptionStatus.PAST_DUE, renews_at=again_at, access_until=until, tries=tries,
        kept_try_at=kept if is_our_fault else None,
    )  # fmt: skip
    if not is_our_fault or row["status"] == SubscriptionStatus.ACTIVE.value:
        await renewal_mails.tell_failure(ports, row, plan, why, total_of(lines), again_at)


async def end_cancelled(ports: Ports, row: Row) -> None:
    """End a locked subscription that was cancelled, now that its last period is over, and mail its holder."""
    ended = await change(ports, row, SubscriptionStatus.ENDED, access_until=read_time(row["period_end"]))
    await renewal_mails.tell_cancelled(ports, ended)


async def end_renewal(subscription: Row) -> UUID | None:
    """Have a charge under way sent by nobody who has not begun to, within the transaction under way; return it, to be
    withdrawn after the commit, or None."""
    if subscription["renewal_id"] is None:
        return None
    renewal_id = read_uuid(subscription["renewal_id"])
    await due_work.drop(SENDING, str(renewal_id))
    return renewal_id


async def _is_open(row: Row) -> bool:
    account = await fetch_one("select status from accounts where id = $1", read_uuid(row["account_id"]))
    return account is not None and account["status"] == AccountStatus.ACTIVE.value
