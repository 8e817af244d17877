"""Charges that AutoPay and TextPay begin: begun under the balance's lock, sent after the commit, withdrawn when turned
off in between."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from api.adapters.database import Row, fetch_one, read_uuid, transactional
from api.adapters.payments import ProcessorUnavailable
from api.adapters.ports import Ports
from api.domain.charge_lines import Line, total_of
from api.domain.payments import DeclineReason, PaymentChannel, PaymentPurpose, PaymentStatus
from api.services import charges, due_work
from api.services.card_tries import card_tries, tries_fault
from api.services.fees import charged_lines
from api.services.ledger import Balance
from api.services.payment_methods import is_disputed, is_expired
from api.services.spending import cap_fault, lock_spending
from api.services.top_up_outcomes import SENDING

SEND_AGAIN_AFTER = timedelta(seconds=15)
"""Whoever begins a charge sends it at once; should it die first, due work sends it after this."""

_log = structlog.get_logger("api.top_ups")


class Begun(NamedTuple):
    """A charge that is committed once the transaction is, and the card to ask for."""

    payment: Row
    card: charges.CardOf


async def begin_top_up(
    ports: Ports,
    balance: Balance,
    method: Row,
    channel: PaymentChannel,
    lines: list[Line],
    *,
    sent_by_work: bool = False,
) -> Begun:
    """Commit, within the transaction under way, to fund a locked balance.

    Give the result to `send_top_up` after the commit; with `sent_by_work` due work sends it, at once.
    """
    intent = charges.Intent(
        payment_id=uuid7(),
        account_id=balance.account_id,
        service_account_id=balance.service_account_id,
        method_id=read_uuid(method["id"]),
        purpose=PaymentPurpose.FUND_ADVANCE_CONNECT,
        channel=channel,
        lines=lines,
    )
    payment = await charges.begin(ports, intent, balance)
    send_at = ports.now() if sent_by_work else ports.now() + SEND_AGAIN_AFTER
    await due_work.enqueue(SENDING, str(intent.payment_id), send_at)
    return Begun(payment, charges.CardOf(str(balance.account_id), method["card_token"]))


async def deposit_lines(balance: Balance, amount: int, at: datetime) -> list[Line]:
    """Return what a deposit of so many cents costs by the fees of a moment, line by line."""
    principal = Line("payments.line_deposit", amount)
    return await charged_lines(balance.account_id, PaymentPurpose.FUND_ADVANCE_CONNECT, principal, at)


async def not_before(ports: Ports, balance: Balance, lines: list[Line]) -> datetime | None:
    """Return until when what the account may spend, or its declined cards, forbid this charge; None: nothing does.

    No other charge of the account begins until the transaction ends, so that what fits still fits when it is begun.
    """
    await lock_spending(balance.account_id)
    now = ports.now()
    if fault := await cap_fault(balance.account_id, total_of(lines), now):
        resets_at: datetime = fault.facts["resets_at"]
        return resets_at
    if fault := await tries_fault(ports, card_tries(account_id=balance.account_id)):
        return now + timedelta(seconds=fault.facts["retry_after_seconds"])
    return None


async def usable_method(method_id: UUID, now: datetime) -> Row | str:
    """Return a card that can be charged now while its holder is away, else the name of the text that says why not:
    "card_unusable" for one that was removed or has expired, "card_disputed" for one whose bank took a payment back."""
    row = await fetch_one("select * from payment_methods where id = $1 and removed_at is null", method_id)
    if row is None or is_expired(row["expiry_month"], row["expiry_year"], now):
        return "card_unusable"
    # What the bank takes back makes the balance low, and charging for that would go round in circles.
    return "card_disputed" if await is_disputed(method_id) else row


async def send_top_up(ports: Ports, begun: Begun) -> None:
    """Ask the processor, unless the charge was withdrawn meanwhile; a repeat charges nothing."""
    payment = await charges.payment_row(read_uuid(begun.payment["id"]))
    if payment["status"] == PaymentStatus.PROCESSING.value:
        await charges.send(ports, payment, begun.card)


async def send_again(ports: Ports, claim: due_work.Claim) -> None:
    """Send a charge whose process died before it did; due work of kind "top_up"."""
    row = await fetch_one(
        "select p.*, m.card_token from payments p join payment_methods m on m.id = p.method_id where p.id = $1",
        UUID(claim.key),
    )
    if row is not None:
        await send_top_up(ports, Begun(row, charges.CardOf(str(read_uuid(row["account_id"])), row["card_token"])))
    await _finish(ports, claim)


@transactional
async def _finish(ports: Ports, claim: due_work.Claim) -> None:
    # The outcome, once known, has dropped the work already.
    if await fetch_one("select id from due_work where id = $1", claim.id):
        await due_work.complete(claim)


async def forget_sending(payment_id: UUID) -> None:
    """Have nobody send a charge any more who has not begun to, within the transaction under way."""
    await due_work.drop(SENDING, str(payment_id))


async def withdraw(ports: Ports, payment_id: UUID) -> None:
    """End a charge that was begun before it was turned off, so that nothing is charged after the holder has the answer.

    What the processor has of it counts; what it has not it will not take any more. Without an answer the work that
    asks goes on.
    """
    try:
        async with asyncio.timeout(charges.PROCESSOR_SECONDS_MAX):
            charge = await ports.processor.abandon(str(payment_id))
    except (ProcessorUnavailable, TimeoutError):
        _log.warning("a charge could not be withdrawn", payment=str(payment_id))
        return
    if charge is not None:
        await charges.take(ports, payment_id, charge)
    else:
        await charges.settle(ports, payment_id, PaymentStatus.FAILED, None, DeclineReason.PROCESSOR_UNAVAILABLE)
