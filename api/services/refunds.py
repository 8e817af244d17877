"""Refunds: beginning one, fixing its amount, and the one way to move one on.

Locks are taken in this order: balance, card, payments, refund, account.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_json, read_uuid
from api.adapters.ports import Ports
from api.domain.ledger import LedgerKind, Leg
from api.domain.refunds import FINAL, RefundStatus, advance
from api.domain.service_accounts import Product
from api.services.ledger import post
from api.services.outbox import tell
from api.services.refund_destinations import Destination, destination_of, window_of
from api.services.refund_effects import after_step
from api.services.refund_states import WITH_CARD, Step, refund_body
from api.services.refund_work import follow_up

COLUMNS = frozenset(
    {
        "amount", "method", "payment_method_id", "based_on_channel", "window_earliest", "window_latest",
        "check_number", "check_run_id", "exported_at",
    }
)  # fmt: skip
"""What a step may change besides the status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a refund is asked for: whose, for which closing and service, when, and where a check would go to.

    `address` has line1, line2, city, state, zip and country, as the holder saw them.
    """

    account_id: UUID
    service_account_id: UUID
    product: Product
    requested_at: datetime
    payee: str
    address: Mapping[str, str | None]
    closure_id: UUID | None = None


async def begin_refund(ports: Ports, asked: Asked, *, origin: str | None = None) -> Row:
    """Begin the refund of a service within the transaction under way, SETTLING, its destination decided.

    The caller holds the balance's lock, and calls `fix` once the amount can be known. `origin` names what it pays out,
    unique among all refunds: the closing of the service where it is left out.
    """
    origin = origin or f"closure:{asked.closure_id}:{asked.service_account_id}"
    destination = await destination_of(asked.service_account_id)
    return await create(ports, asked, origin, destination, Step(RefundStatus.SETTLING, "begun"))


async def create(
    ports: Ports, asked: Asked, origin: str, destination: Destination, step: Step, *, amount: int = 0
) -> Row:
    """Insert a refund with the first line of its timeline, and tell its watchers; money is the caller's to post.

    Raises IntegrityError where the origin was paid out already.
    """
    refund_id, now = uuid7(), ports.now()
    window = window_of(destination.method, asked.requested_at)
    await execute(
        "insert into refunds (id, account_id, closure_id, service_account_id, origin, product, status, revision,"
        " amount, method, payment_method_id, based_on_channel, requested_at, window_earliest, window_latest,"
        " payee, address, created_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        refund_id, asked.account_id, asked.closure_id, asked.service_account_id, origin, asked.product.value,
        step.status.value, amount, destination.method.value, destination.payment_method_id,
        destination.channel.value if destination.channel else None, asked.requested_at, window.earliest, window.latest,
        asked.payee, json.dumps(dict(asked.address)), now,
    )  # fmt: skip
    refund = await refund_row(refund_id)
    await _note(ports, refund, None, step)
    return refund


async def move(ports: Ports, refund_id: UUID, step: Step, legs: Sequence[Leg] = (), **columns: Any) -> Row | None:
    """Move a refund on within the transaction under way: the row, its timeline, the posting, and its watchers' news.

    Returns None, with nothing changed, where it stands there already. Raises ForbiddenRefundMove for a step that no
    refund takes. `columns` may change besides, see COLUMNS. The posting's source is the refund and the status.
    """
    before = await lock_refund(refund_id)
    if not advance(RefundStatus(before["status"]), step.status):
        return None
    await post_legs(ports, f"refund:{refund_id}:{step.status.value.lower()}", legs)
    return await _write(ports, before, step, columns)


async def add_line(ports: Ports, refund_id: UUID, step: Step, **columns: Any) -> Row:
    """Add a line to a refund's timeline that leaves its status as it is, e.g. that a part of it goes another way."""
    before = await lock_refund(refund_id)
    assert RefundStatus(before["status"]) is step.status, "a line keeps the status"
    return await _write(ports, before, step, columns)


async def post_legs(ports: Ports, source_key: str, legs: Sequence[Leg]) -> None:
    """Post what moves no holder's balance within the transaction under way; nothing where there are no legs."""
    if legs:
        await post(source_key, legs, now=ports.now(), occurred_at=ports.now())


async def lock_refund(refund_id: UUID) -> Row:
    """Lock a refund within the transaction under way; return it as it stands, with what is shown of its card."""
    locked = await fetch_one("select id from refunds where id = $1 for update", refund_id)
    assert locked is not None, "refunds are never deleted"
    return await refund_row(refund_id)


async def refund_row(refund_id: UUID) -> Row:
    """Return a refund that there is, with what is shown of its card."""
    row = await fetch_one(f"{WITH_CARD} where t.id = $1", refund_id)
    assert row is not None, "refunds are never deleted"
    return row


async def refunds_of_closure(closure_id: UUID) -> Sequence[Row]:
    """Return the refunds of a closing, oldest first; its services bound how many there are."""
    return await fetch(f"{WITH_CARD} where t.closure_id = $1 order by t.id limit 200", closure_id)


def transit_of(refund_id: UUID) -> tuple[LedgerKind, str]:
    """Return the ledger account of a refund's money while it is under way."""
    return LedgerKind.REFUNDS_IN_TRANSIT, str(refund_id)


def asked_again(refund: Row, requested_at: datetime, *, address: Mapping[str, str | None] | None = None) -> Asked:
    """Return what a refund was asked for, as another one that pays out money of it asks for it, to where it went."""
    return Asked(
        account_id=read_uuid(refund["account_id"]),
        service_account_id=read_uuid(refund["service_account_id"]),
        product=Product(refund["product"]),
        requested_at=requested_at,
        payee=refund["payee"] or "",
        address=address or read_json(refund["address"]) or {},
        closure_id=read_uuid(refund["closure_id"]) if refund["closure_id"] else None,
    )


async def _write(ports: Ports, before: Row, step: Step, columns: Mapping[str, Any]) -> Row:
    assert columns.keys() <= COLUMNS, "a step changes these alone"
    refund_id = read_uuid(before["id"])
    ended_at = ports.now() if step.status in FINAL else None
    changes = "".join(f", {name} = ${n + 4}" for n, name in enumerate(columns))
    await execute(
        f"update refunds set status = $1, revision = revision + 1, ended_at = $2{changes} where id = $3",
        step.status.value, ended_at, refund_id, *columns.values(),
    )  # fmt: skip
    refund = await refund_row(refund_id)
    await _note(ports, refund, RefundStatus(before["status"]), step)
    return refund


async def _note(ports: Ports, refund: Row, before: RefundStatus | None, step: Step) -> None:
    """Write a line of the timeline, numbered as the refund's revision, and let know who must."""
    refund_id, now = read_uuid(refund["id"]), ports.now()
    await execute(
        "insert into refund_events (id, refund_id, sequence, status, at, note, params)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        uuid7(), refund_id, refund["revision"], step.status.value, now, step.note, json.dumps(dict(step.params)),
    )  # fmt: skip
    await tell(read_uuid(refund["account_id"]), "refund", refund_body(refund, before, now))
    await follow_up(ports, refund)
    await after_step(ports, refund, step)
