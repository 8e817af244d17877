"""Renewals: each period of a subscription is charged once, by the card on file, while nobody is there (rule 28).

The subscription's row, locked after its account's, decides between a renewal and a cancellation. The charge goes the
way of all charges: committed as intended, sent under its own key, asked for where the answer is unknown.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.charge_lines import Line, total_of
from api.domain.payments import PaymentChannel, PaymentPurpose
from api.domain.plans import RENEWING, SubscriptionStatus
from api.domain.renewals import period_of, reminder_at, renewal_rules
from api.services import charges, due_work, renewal_mails
from api.services.card_tries import card_tries, tries_fault
from api.services.fees import charged_lines
from api.services.plan_prices import price_at
from api.services.plans import plan_of, started
from api.services.renewal_outcomes import end_cancelled, renewal_failed
from api.services.spending import cap_fault
from api.services.subscription_states import RENEWAL_WORK, expect, lock_subscription
from api.services.top_up_charges import SEND_AGAIN_AFTER, Begun, send_top_up, usable_method
from api.services.top_up_outcomes import SENDING


async def look(ports: Ports, claim: due_work.Claim) -> None:
    """Do what is due of a subscription: remind of its renewal, renew it, try again, or end it where it was cancelled.

    Due work of kind "renewal"; a repeat charges nothing twice.
    """
    begun = await _look(ports, claim)
    if begun is not None:
        await send_top_up(ports, begun)


@transactional
async def _look(ports: Ports, claim: due_work.Claim) -> Begun | None:
    row = await lock_subscription(UUID(claim.key))
    await due_work.complete(claim)
    if row is None or row["renewal_id"] is not None:
        return None
    now, status = ports.now(), SubscriptionStatus(row["status"])
    if status is SubscriptionStatus.CANCEL_SCHEDULED and read_time(row["period_end"]) <= now:
        await end_cancelled(ports, row)
    elif status in RENEWING and read_time(row["renews_at"]) <= now:
        return await _renew(ports, row, now)
    elif status is SubscriptionStatus.ACTIVE and reminder_at(read_time(row["renews_at"])) <= now:
        await _remind(ports, row, now)
    else:
        await expect(row)
    return None


async def _remind(ports: Ports, row: Row, now: datetime) -> None:
    """Remind the holder of what will be charged and when, once for each period."""
    if row["reminded"] < row["months"]:
        await execute("update plan_subscriptions set reminded = $1 where id = $2", row["months"], read_uuid(row["id"]))
        plan = await plan_of(row)
        lines = await _lines(row, plan, read_time(row["renews_at"]), now)
        await renewal_mails.remind(ports, row, plan, total_of(lines))
    await expect({**row, "reminded": row["months"]})


async def _renew(ports: Ports, row: Row, now: datetime) -> Begun | None:
    """Commit to charging the next period of a locked subscription, or note why its card cannot be charged."""
    plan = await plan_of(row)
    period = period_of(started(row), row["months"], plan["f_time_zone"])
    lines = await _lines(row, plan, period.start, now)
    method = await usable_method(read_uuid(row["payment_method_id"]), now)
    if isinstance(method, str):
        await renewal_failed(ports, row, plan, method, lines)
        return None
    account_id = read_uuid(row["account_id"])
    if await cap_fault(account_id, total_of(lines), now):
        await renewal_failed(ports, row, plan, "limit", lines)
        return None
    if fault := await tries_fault(ports, card_tries(account_id=account_id)):
        if now - read_time(row["renews_at"]) >= renewal_rules().put_off_max:
            await renewal_failed(ports, row, plan, "other_cards", lines)
            return None
        # What other cards have done must not cost a try of this one: it waits, for an hour and then perhaps again.
        later = now + timedelta(seconds=fault.facts["retry_after_seconds"])
        await due_work.enqueue(RENEWAL_WORK, str(read_uuid(row["id"])), later)
        return None
    intent = charges.Intent(
        payment_id=uuid7(),
        account_id=account_id,
        service_account_id=None,
        method_id=read_uuid(method["id"]),
        purpose=PaymentPurpose.SUBSCRIPTION,
        channel=PaymentChannel.AUTOPAY,
        lines=lines,
        plan_id=read_uuid(row["plan_id"]),
        renewal=(read_uuid(row["id"]), period.number),
    )
    payment = await charges.begin(ports, intent, None)
    await execute(
        "update plan_subscriptions set renewal_id = $1 where id = $2", intent.payment_id, read_uuid(row["id"])
    )
    await due_work.enqueue(SENDING, str(intent.payment_id), now + SEND_AGAIN_AFTER)
    return Begun(payment, charges.CardOf(str(account_id), method["card_token"]))


async def _lines(row: Row, plan: Row, renews_at: datetime, now: datetime) -> list[Line]:
    """Return what a renewal costs by the price that was told and the fees of today, line by line."""
    principal = Line({"en": plan["p_name_en"], "es": plan["p_name_es"]}, await price_at(row, renews_at))
    return await charged_lines(read_uuid(row["account_id"]), PaymentPurpose.SUBSCRIPTION, principal, now)
