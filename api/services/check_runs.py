"""Refunds by check: the run that is handed on as a file, and what becomes of each check (rule 23)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Raced, Row, fetch, fetch_one, read_json, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ledger import LedgerKind, Leg
from api.domain.money import dollars
from api.domain.plain_text import is_printable
from api.domain.refunds import RefundMethod, RefundStatus
from api.services import due_work
from api.services.activity import note
from api.services.held_funds import hold
from api.services.idempotency import claim_key
from api.services.ledger import OPERATOR
from api.services.refund_reversals import lock_open_again
from api.services.refund_states import WITH_CARD, Step
from api.services.refunds import lock_refund, move, refund_row, transit_of

CHECKS_MAX = 500
"""Checks of one run; the others wait for the next."""
NUMBER_DIGITS, NUMBER_FIRST = 8, 100_001
NOTE_LENGTH_MAX = 300
_CELL_NAMES = ("number", "amount", "payee", "line1", "line2", "city", "state", "zip", "country")
# What a program for tables would take for a formula.
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")

_STAFF_MOVES = {
    RefundStatus.SUBMITTED: (RefundStatus.ISSUED, RefundStatus.HELD),
    RefundStatus.ISSUED: (RefundStatus.COMPLETED, RefundStatus.HELD),
}
_ACTIONS = {
    RefundStatus.CALCULATED: ("staffExportCheckRun",),
    RefundStatus.SUBMITTED: ("staffUpdateRefund",),
    RefundStatus.ISSUED: ("staffUpdateRefund",),
    RefundStatus.HELD: ("claimHeldFunds",),
}


class CheckRun(NamedTuple):
    """The refunds of one run and whether it was made before."""

    refunds: Sequence[Row]
    replayed: bool

    def csv(self) -> str:
        """Return the run as a file: a line of names, then one line a check."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(_CELL_NAMES)
        for refund in self.refunds:
            address = read_json(refund["address"]) or {}
            cells = {**address, "number": refund["check_number"], "payee": refund["payee"]}
            cells["amount"] = str(dollars(refund["amount"]))
            writer.writerow([_cell(cells.get(name)) for name in _CELL_NAMES])
        return out.getvalue()


@transactional
async def export_check_run(ports: Ports, viewer: Viewer, idempotency_key: str) -> CheckRun:
    """Number the checks that wait and hand them on as a run; a repeat with the same key gives the same run again."""
    assert viewer.staff is not None, "the door lets staff in alone"
    claimed = await claim_key(viewer.staff.id, idempotency_key, "staffExportCheckRun", {}, uuid7(), ports.now())
    if claimed.is_new:
        rows = await fetch(
            "select id, account_id from refunds where status = 'CALCULATED' and method = 'CHECK'"
            f" order by id limit {CHECKS_MAX} for update"
        )
        for row in rows:
            await _submit(ports, read_uuid(row["id"]), claimed.result_id)
            await note(
                ports, read_uuid(row["account_id"]), "check_exported", channel=viewer.channel, actor=viewer.staff.name
            )
    rows = await fetch(f"{WITH_CARD} where t.check_run_id = $1 order by t.id", claimed.result_id)
    return CheckRun(rows, not claimed.is_new)


@transactional
async def update_refund(
    ports: Ports, viewer: Viewer, refund_id: UUID, status: RefundStatus, remark: str | None
) -> tuple[Row, bool]:
    """Note what became of a check; return the refund, and whether it stood there already.

    ISSUED: mailed; COMPLETED: cashed; HELD: returned, or it could not be made out. Raises Refused: NOT_FOUND,
    INVALID_STATE for a step that is not the staff's to take, INVALID or TOO_LONG for the remark.
    """
    assert viewer.staff is not None, "the door lets staff in alone"
    if remark is not None and len(remark) > NOTE_LENGTH_MAX:
        raise Refused(Fault(ErrorCode.TOO_LONG, "errors.too_long", ("note",), {"maximum": NOTE_LENGTH_MAX}))
    if remark is not None and not is_printable(remark):
        raise Refused(Fault(ErrorCode.INVALID, "errors.invalid", ("note",)))
    if await fetch_one("select id from refunds where id = $1", refund_id) is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("refundId",)))
    if status is RefundStatus.HELD:
        # Balances are locked before refunds.
        await lock_open_again(refund_id)
    refund = await lock_refund(refund_id)
    before = RefundStatus(refund["status"])
    is_check = refund["method"] == RefundMethod.CHECK.value
    if is_check and before is status:
        return refund, True
    if not is_check or status not in _STAFF_MOVES.get(before, ()):
        facts = {"current_state": before.value, "allowed_actions": _ACTIONS.get(before, ()) if is_check else ()}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "refunds.move_forbidden", ("status",), facts=facts))
    await _take(ports, refund_id, before, status)
    await note(
        ports, read_uuid(refund["account_id"]), f"refund_{status.value.lower()}", channel=viewer.channel,
        actor=viewer.staff.name, params={"reason": remark} if remark else None,
    )  # fmt: skip
    return await refund_row(refund_id), False


@transactional
async def do_in_sandbox(ports: Ports, claim: due_work.Claim) -> None:
    """Take a check one step on, as the check run, the post and the bank do outside of the sandbox; due work."""
    await due_work.complete(claim)
    refund_id = UUID(claim.key)
    refund = await lock_refund(refund_id)
    match RefundStatus(refund["status"]):
        case RefundStatus.CALCULATED:
            await _submit(ports, refund_id, uuid7())
        case RefundStatus.SUBMITTED:
            await _take(ports, refund_id, RefundStatus.SUBMITTED, RefundStatus.ISSUED)
        case RefundStatus.ISSUED:
            await _take(ports, refund_id, RefundStatus.ISSUED, RefundStatus.COMPLETED)


@transactional
async def hold_stale(ports: Ports, claim: due_work.Claim) -> None:
    """Hold the money of a check that nobody cashed in time; due work."""
    await due_work.complete(claim)
    await lock_open_again(UUID(claim.key))
    refund = await lock_refund(UUID(claim.key))
    if RefundStatus(refund["status"]) is RefundStatus.ISSUED:
        await hold(ports, UUID(claim.key), "stale")


async def _submit(ports: Ports, refund_id: UUID, run_id: UUID) -> None:
    last = await fetch_one("select max(check_number) as number from refunds")
    number = max(int(last["number"]) + 1 if last and last["number"] else NUMBER_FIRST, NUMBER_FIRST)
    try:
        await move(
            ports, refund_id, Step(RefundStatus.SUBMITTED, "submitted_check"), exported_at=ports.now(),
            check_run_id=run_id, check_number=f"{number:0{NUMBER_DIGITS}}",
        )  # fmt: skip
    except IntegrityError:
        raise Raced from None  # Another run took the number first.


async def _take(ports: Ports, refund_id: UUID, before: RefundStatus, status: RefundStatus) -> None:
    refund = await refund_row(refund_id)
    outstanding = (LedgerKind.CHECKS_OUTSTANDING, str(refund_id))
    match status:
        case RefundStatus.ISSUED:
            leg = Leg(transit_of(refund_id), outstanding, refund["amount"])
            await move(ports, refund_id, Step(status, "issued_check"), [leg])
        case RefundStatus.COMPLETED:
            leg = Leg(outstanding, (LedgerKind.BANK, OPERATOR), refund["amount"])
            await move(ports, refund_id, Step(status, "completed_check"), [leg])
        case _:
            await hold(ports, refund_id, "returned" if before is RefundStatus.ISSUED else "unpayable")


def _cell(value: object) -> str:
    text = str(value or "")
    return "'" + text if text.startswith(_FORMULAS) else text
