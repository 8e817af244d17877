"""Fixing what a refund amounts to: under the balance's lock, once late calls can no longer be deducted (rule 22)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.ledger import HoldKind, HoldState, LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.payments import PaymentChannel
from api.domain.refunds import Charge, RefundMethod, RefundStatus, spread
from api.domain.service_accounts import Product
from api.services.holds import Hold, end_hold
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.refund_destinations import Destination, destination_of, lock_charges, window_of
from api.services.refund_states import Step
from api.services.refunds import asked_again, create, move, refund_row, transit_of


async def fix(ports: Ports, refund_id: UUID, balance: Balance) -> Balance:
    """Fix a SETTLING refund within the transaction under way: what the locked balance holds leaves it for good.

    Holds of calls are voided first. Above zero the money is set aside: what the card's charges cover for the card, the
    rest for a check of its own. Where it goes is decided anew, since a payment or a chargeback may have come since it
    began. A prepaid balance below zero is written off; what Direct Bill owes stays owed, for its final invoice. Returns
    the balance as saved; a repeat changes nothing.
    """
    refund = await refund_row(refund_id)
    if RefundStatus(refund["status"]) is not RefundStatus.SETTLING:
        return balance
    now, before = ports.now(), balance
    balance = await void_call_holds(balance, now)
    due = -balance.posted if balance.product is Product.DIRECT_BILL else balance.posted
    if due > 0:
        return await _set_aside(ports, refund, balance, due, now)
    if due < 0 and balance.product is not Product.DIRECT_BILL:
        own = own_key(balance)
        leg = Leg((LedgerKind.BAD_DEBT_EXPENSE, OPERATOR), own, -due)
        moved, entry = await post(
            f"refund:{refund_id}:fix", [leg], now=now, occurred_at=now, balance=balance, own=own,
            kind=TransactionKind.WRITE_OFF,
        )  # fmt: skip
        assert moved is not None
        balance = await save(moved, now, UpdateCause.CLOSURE, entry)
        await move(ports, refund_id, Step(RefundStatus.NOTHING_DUE, "written_off", {"cents": str(-due)}))
        return balance
    if balance != before:
        balance = await save(balance, now, UpdateCause.CLOSURE)
    await move(ports, refund_id, Step(RefundStatus.NOTHING_DUE, "nothing_due"))
    return balance


async def _set_aside(ports: Ports, refund: Row, balance: Balance, due: int, now: datetime) -> Balance:
    refund_id, own = read_uuid(refund["id"]), own_key(balance)
    decided = await _decide(balance.service_account_id, read_time(refund["requested_at"]))
    refund = {**refund, **decided}
    parts, rest = await _spread(ports, refund, due)
    # They lock their payments, which must come before the refund and the account.
    await _insert_parts(refund_id, parts, now)
    rest_id = None
    if parts and rest:
        step = Step(RefundStatus.CALCULATED, "rest_by_check", {"cents": str(rest)})
        asked = asked_again(refund, read_time(refund["requested_at"]))
        rest_id = read_uuid(
            (await create(ports, asked, f"rest:{refund_id}", _check_of(refund), step, amount=rest))["id"]
        )
    amounts = {refund_id: due - rest, rest_id: rest} if rest_id else {refund_id: due}
    moved, entry = await post(
        f"refund:{refund_id}:fix", [Leg(own, transit_of(key), amount) for key, amount in amounts.items()],
        now=now, occurred_at=now, balance=balance, own=own, kind=TransactionKind.REFUND,
    )  # fmt: skip
    assert moved is not None
    balance = await save(moved, now, UpdateCause.REFUND, entry)
    if refund["method"] == RefundMethod.CARD.value and not parts:
        window = window_of(RefundMethod.CHECK, read_time(refund["requested_at"]))
        step = Step(RefundStatus.CALCULATED, "fixed_by_check", {"cents": str(due)})
        await move(
            ports, refund_id, step, amount=due,
            **decided | {
                "method": RefundMethod.CHECK.value, "window_earliest": window.earliest, "window_latest": window.latest,
            },
        )  # fmt: skip
    else:
        step = Step(RefundStatus.CALCULATED, "fixed", {"cents": str(amounts[refund_id])})
        await move(ports, refund_id, step, amount=amounts[refund_id], **decided)
    return balance


async def _decide(service_account_id: UUID, requested_at: datetime) -> dict[str, Any]:
    """Return where the money goes by what is known now, as columns of the refund."""
    destination = await destination_of(service_account_id)
    window = window_of(destination.method, requested_at)
    return {
        "method": destination.method.value,
        "payment_method_id": destination.payment_method_id,
        "based_on_channel": destination.channel.value if destination.channel else None,
        "window_earliest": window.earliest,
        "window_latest": window.latest,
    }


async def by_check(ports: Ports, refund: Row, origin: str, amount: int, note: str) -> UUID:
    """Make a check of its own for money of a refund, asked for now; return its id. The money is the caller's to post.

    Raises IntegrityError where the origin was paid out already.
    """
    step = Step(RefundStatus.CALCULATED, note, {"cents": str(amount)})
    made = await create(ports, asked_again(refund, ports.now()), origin, _check_of(refund), step, amount=amount)
    return read_uuid(made["id"])


def _check_of(refund: Row) -> Destination:
    channel = refund["based_on_channel"]
    return Destination(RefundMethod.CHECK, PaymentChannel(channel) if channel else None)


async def _spread(ports: Ports, refund: Row, due: int) -> tuple[list[Charge], int]:
    if refund["method"] != RefundMethod.CARD.value:
        return [], due
    return spread(due, await lock_charges(read_uuid(refund["payment_method_id"]), ports.processor.name))


async def _insert_parts(refund_id: UUID, parts: Sequence[Charge], now: datetime) -> None:
    for part in parts:
        await execute(
            "insert into refund_parts (id, refund_id, payment_id, amount, status, created_at)"
            " values ($1, $2, $3, $4, 'PENDING', $5)",
            uuid7(), refund_id, part.payment_id, part.left, now,
        )  # fmt: skip


async def void_call_holds(balance: Balance, now: datetime) -> Balance:
    """Void what is held for calls of a locked balance that nobody reported; return it, not yet saved."""
    rows = await fetch(
        "select id, amount, state from holds where balance_id = $1 and state = 'PENDING' and kind = 'CALL' order by id",
        balance.id,
    )
    for row in rows:
        hold = Hold(read_uuid(row["id"]), row["amount"], HoldState(row["state"]), None)
        balance = await end_hold(balance, HoldKind.CALL, hold, HoldState.VOIDED, now)
    return balance


def own_key(balance: Balance) -> tuple[LedgerKind, str]:
    """Return the ledger account that money of a service is paid into."""
    kind = LedgerKind.BILLED if balance.product is Product.DIRECT_BILL else LedgerKind.PREPAID
    return kind, str(balance.service_account_id)
