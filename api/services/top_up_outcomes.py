"""What follows for AutoPay and TextPay from a charge that is over; part of the transaction that decides it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.money import format_money
from api.domain.notifications import NotificationTopic
from api.domain.payments import PaymentChannel, PaymentStatus
from api.domain.top_ups import AutoPayState, TextPayState, next_try_at
from api.services import due_work
from api.services.ledger import LOW_BALANCE, Balance
from api.services.mails import mailable_time, queue_mail
from api.services.notifications import notify
from api.services.sms import queue_text

AUTO_PAY_WORK = "auto_pay"
"""Kind of the work that looks at an AutoPay again: at its next try, or when its cap begins anew."""

SENDING = "top_up"
"""Kind of the work that sends a charge whose process died before it did."""


async def after_top_up(ports: Ports, payment: Row, balance: Balance | None) -> None:
    """Note what became of a charge by AutoPay or TextPay; nothing for the other channels."""
    channel = PaymentChannel(payment["channel"])
    if balance is None or channel not in (PaymentChannel.AUTOPAY, PaymentChannel.TEXTPAY):
        return
    await due_work.drop(SENDING, str(read_uuid(payment["id"])))
    if channel is PaymentChannel.AUTOPAY:
        await _after_auto_pay(ports, payment)
    else:
        await _after_text_pay(ports, payment, balance)
    if balance.is_low:
        # What fell low while this charge was under way has waited for it.
        await due_work.enqueue(LOW_BALANCE, str(balance.service_account_id), ports.now())


async def _after_auto_pay(ports: Ports, payment: Row) -> None:
    row = await fetch_one("select * from auto_pays where payment_id = $1", read_uuid(payment["id"]))
    if row is None:
        return
    await execute("update auto_pays set payment_id = null where id = $1", read_uuid(row["id"]))
    if payment["status"] == PaymentStatus.SUCCEEDED.value:
        await execute("update auto_pays set tries = 0, tried_first_at = null where id = $1", read_uuid(row["id"]))
        return
    if row["state"] not in (AutoPayState.ON.value, AutoPayState.CAP_REACHED.value) or not row["tries"]:
        # Turned off or set anew meanwhile: this was the last try of what there was before.
        return
    again_at = next_try_at(read_time(row["tried_first_at"]), row["tries"])
    if again_at is None:
        await auto_pay_failed(ports, row, "declined")
        return
    await wake_auto_pay(read_uuid(row["service_account_id"]), again_at)
    account = await _account(row)
    params = await _params(row, account) | {"at": mailable_time(again_at)}
    key = f"auto-pay-declined-{read_uuid(payment['id'])}"
    await notify(ports, account, NotificationTopic.PAYMENT, "top_ups.autopay_declined", key=key, params=params)


async def auto_pay_failed(ports: Ports, row: Row, why: str) -> None:
    """Stop AutoPay until its holder resumes it, and mail that it stopped, within the transaction under way (rule 16).

    `why` is "declined", "card_unusable" or "card_disputed". The mail cannot be turned off: calls may end for want of
    money.
    """
    await execute(
        "update auto_pays set state = 'PAYMENT_FAILED', tries = 0, tried_first_at = null where id = $1",
        read_uuid(row["id"]),
    )
    account = await _account(row)
    await queue_mail(
        ports, f"top_ups.autopay_failed_{why}", to=account["email"], locale=account["locale"],
        key=f"auto-pay-failed-{read_uuid(row['id'])}-{ports.now():%Y%m%d%H%M%S%f}", params=await _params(row, account),
    )  # fmt: skip


async def wake_auto_pay(service_id: UUID, at: datetime) -> None:
    """Have AutoPay of a service looked at again at a moment, instead of any that was named before."""
    await due_work.drop(AUTO_PAY_WORK, str(service_id))
    await due_work.enqueue(AUTO_PAY_WORK, str(service_id), at)


async def _after_text_pay(ports: Ports, payment: Row, balance: Balance) -> None:
    row = await fetch_one(
        "select t.*, o.id as offer_id from text_pays t join text_offers o on o.text_pay_id = t.id"
        " where o.payment_id = $1",
        read_uuid(payment["id"]),
    )
    if row is None:
        return
    has_failed = payment["status"] == PaymentStatus.FAILED.value
    if has_failed and row["state"] != TextPayState.TERMINATED.value:
        await execute("update text_pays set state = 'PAYMENT_FAILED' where id = $1", read_uuid(row["id"]))
    elif not has_failed:
        # An amount that leaves the balance low is worth another offer, since the holder wanted the last one.
        await execute("update text_pays set told_sequence = null where id = $1", read_uuid(row["id"]))
    locale = (await _account(row))["locale"]
    await queue_text(
        ports, "top_ups.failed" if has_failed else "top_ups.paid", to=row["phone"], locale=locale,
        key=f"text-pay-{read_uuid(payment['id'])}-{payment['status'].lower()}",
        params={
            "amount": format_money(payment["total"], locale), "balance": format_money(balance.posted, locale),
        },
    )  # fmt: skip


async def _account(row: Row) -> Row:
    account = await fetch_one("select * from accounts where id = $1", read_uuid(row["account_id"]))
    assert account is not None, "accounts are never deleted"
    return account


async def _params(row: Row, account: Row) -> dict[str, str]:
    method = await fetch_one("select last4 from payment_methods where id = $1", read_uuid(row["method_id"]))
    last4 = method["last4"] if method else ""
    return {"amount": format_money(row["amount"], account["locale"]), "last4": last4}
