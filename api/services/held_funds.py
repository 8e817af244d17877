"""Held funds: money that could not be paid out stays the holder's, until claimed or finally disposed of (rule 26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_json, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.days import day_of, start_of
from api.domain.ledger import LedgerKind, Leg
from api.domain.refund_data import refund_data
from api.domain.refunds import RefundStatus, advance
from api.services import due_work
from api.services.closure_states import look
from api.services.ledger import OPERATOR
from api.services.pages import Page, PageRequest, newest_first
from api.services.refund_reversals import lock_open_again, put_back
from api.services.refund_states import Step
from api.services.refunds import lock_refund, move, post_legs, transit_of

DISPOSITION_WORK = "held_funds"
"""Disposes of held funds; the key is theirs."""
CAUSES = ("returned", "stale", "unpayable")
"""Why money is held: each names `refunds.held_<cause>`, `refunds.note_held_<cause>` and `refunds.note_back_<cause>`."""


async def hold(ports: Ports, refund_id: UUID, cause: str) -> Row | None:
    """End a check refund as HELD within the transaction under way, and keep its money for the holder: as held funds, or
    in the balance of the service where that was opened again.

    Returns None, with nothing changed, where it is held already. Raises ForbiddenRefundMove.
    """
    balance = await lock_open_again(refund_id)
    refund = await lock_refund(refund_id)
    status = RefundStatus(refund["status"])
    if not advance(status, RefundStatus.HELD):
        return None
    is_out = status is RefundStatus.ISSUED
    where = (LedgerKind.CHECKS_OUTSTANDING, str(refund_id)) if is_out else transit_of(refund_id)
    if balance is not None:
        await put_back(ports, refund, where, balance)
        return await move(ports, refund_id, Step(RefundStatus.HELD, f"back_{cause}"))
    now, held_id = ports.now(), uuid7()
    residence = (read_json(refund["address"]) or {}).get("state") or ""
    disposition_on = day_of(now) + timedelta(days=await _disposition_days(residence, day_of(now)))
    await execute(
        "insert into held_funds (id, account_id, refund_id, closure_id, state, amount, cause, held_since,"
        " disposition_on, residence) values ($1, $2, $3, $4, 'HELD', $5, $6, $7, $8, $9)",
        held_id, read_uuid(refund["account_id"]), refund_id,
        read_uuid(refund["closure_id"]) if refund["closure_id"] else None, refund["amount"], cause, now,
        disposition_on, residence,
    )  # fmt: skip
    await due_work.enqueue(DISPOSITION_WORK, str(held_id), start_of(disposition_on))
    leg = Leg(where, ledger_key(held_id), refund["amount"])
    return await move(ports, refund_id, Step(RefundStatus.HELD, f"held_{cause}"), [leg])


@transactional
async def dispose(ports: Ports, claim: due_work.Claim) -> None:
    """Hand held funds over as the state's law has it, on the day of their final disposition; due work."""
    held_id = UUID(claim.key)
    await due_work.complete(claim)
    held = await lock_held(held_id)
    if held is None or held["state"] != "HELD":
        return
    leg = Leg(ledger_key(held_id), (LedgerKind.BANK, OPERATOR), held["amount"])
    await post_legs(ports, f"held:{held_id}:disposed", [leg])
    await execute(
        "update held_funds set state = 'DISPOSED', ended_at = $1 where id = $2", ports.now(), held_id
    )  # fmt: skip
    if held["closure_id"]:
        await look(ports, read_uuid(held["closure_id"]))


async def lock_held(held_id: UUID) -> Row | None:
    """Lock held funds within the transaction under way; None where there are none with this id."""
    return await fetch_one("select * from held_funds where id = $1 for update", held_id)


def ledger_key(held_id: UUID) -> tuple[LedgerKind, str]:
    """Return the ledger account of held funds."""
    return LedgerKind.HELD_FUNDS, str(held_id)


async def held_funds_of(account_id: UUID) -> Sequence[Row]:
    """Return an account's held funds, also those that are over, newest first; at most a hundred."""
    return await fetch("select * from held_funds where account_id = $1 order by id desc limit 100", account_id)


async def held_funds_of_closure(closure_id: UUID) -> Sequence[Row]:
    """Return the held funds of a closing, oldest first; at most a hundred."""
    return await fetch("select * from held_funds where closure_id = $1 order by id limit 100", closure_id)


async def held_funds_page(residence: str | None, request: PageRequest) -> Page:
    """Return what is held now, of everybody or of holders who live in a state, newest first."""
    query, values = "select * from held_funds where state = 'HELD'", []
    if residence is not None:
        query += " and residence = $1"
        values.append(residence)
    return await newest_first(query, values, [("id", UUID)], request)


async def _disposition_days(residence: str, on: date) -> int:
    row = await fetch_one(
        "select disposition_days from inactivity_rules where state = $1 and effective_from <= $2"
        " order by effective_from desc limit 1",
        residence[:2], on,
    )  # fmt: skip
    return int(row["disposition_days"]) if row and row["disposition_days"] else refund_data().disposition_days
