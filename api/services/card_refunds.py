"""Refunds to a card: each part is asked of the processor outside of any transaction, with a key of its own.

An outcome that nobody knows is asked for again, never assumed. What the card's bank refuses goes out by check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import structlog

from api.adapters.database import Row, execute, fetch, fetch_one, read_uuid, transactional
from api.adapters.payments import Dispute, ProcessorUnavailable
from api.adapters.payments import Refund as Answer
from api.adapters.payments import RefundStatus as Answered
from api.adapters.ports import Ports
from api.domain.days import day_of, start_of
from api.domain.ledger import LedgerKind, Leg
from api.domain.payments import ForbiddenPaymentMove, PaymentStatus
from api.domain.payments import advance as advance_payment
from api.domain.refunds import RefundStatus
from api.services import chargebacks, due_work
from api.services.refund_amounts import by_check
from api.services.refund_disputes import taken_back
from api.services.refund_states import Step
from api.services.refund_work import CARD_WORK
from api.services.refunds import add_line, lock_refund, move, post_legs, refund_row, transit_of

PARTS_AT_ONCE = 10
"""Parts that one piece of work asks for; the others follow at once."""
PROCESSOR_SECONDS_MAX = 15.0

_OVER = ("CONFIRMED", "REFUSED")
_UNDER_WAY = (RefundStatus.SUBMITTED, RefundStatus.ISSUED)
_PARTS = (
    "select r.*, p.processor, p.processor_reference as charge_reference, p.total"
    " from refund_parts r join payments p on p.id = r.payment_id"
)

_log = structlog.get_logger("api.card_refunds")


class Asked(NamedTuple):
    """What the processor said of the parts it was asked for, and whether one was left without an answer."""

    answers: dict[UUID, Answer]
    is_unknown: bool


async def ask_processor(ports: Ports, claim: due_work.Claim) -> None:
    """Hand a card refund's parts to the processor, or ask how they stand; due work of kind "refund"."""
    refund_id = UUID(claim.key)
    refund = await refund_row(refund_id)
    if RefundStatus(refund["status"]) is RefundStatus.CALCULATED:
        await _submit(ports, refund_id)
    elif RefundStatus(refund["status"]) not in _UNDER_WAY:
        await _finish(ports, claim)
        return
    parts = await fetch(f"{_PARTS} where r.refund_id = $1 and r.status in ('PENDING', 'ACCEPTED') order by r.id",
                        refund_id)  # fmt: skip
    # Those that were never asked for come first; what the processor has already will keep.
    waiting = sorted(parts, key=lambda part: part["status"] != "PENDING")[:PARTS_AT_ONCE]
    asked = await _ask_all(ports, waiting)
    # Work whose outcome is unknown is given back, to be tried again with growing waits.
    await settle(ports, refund_id, asked.answers, asks_again=not asked.is_unknown)
    if asked.is_unknown:
        raise ProcessorUnavailable("the outcome of a refund is unknown")


async def ask_part(ports: Ports, part_id: UUID) -> bool:
    """Ask at once how a part stands, e.g. since the processor told of it; False where there is no such part."""
    part = await fetch_one(f"{_PARTS} where r.id = $1", part_id)
    if part is None:
        return False
    if part["status"] in _OVER:
        return True
    asked = await _ask_all(ports, [part])
    if asked.is_unknown:
        raise ProcessorUnavailable("the outcome of a refund is unknown")
    await settle(ports, read_uuid(part["refund_id"]), asked.answers)
    return True


async def _ask_all(ports: Ports, parts: Sequence[Row]) -> Asked:
    answers, is_unknown = {}, False
    for part in parts:
        try:
            async with asyncio.timeout(PROCESSOR_SECONDS_MAX):
                answer = await _ask(ports, part)
                disputes = await _disputes(ports, part) if answer.status is Answered.REFUSED else ()
        except (ProcessorUnavailable, TimeoutError):
            _log.warning("the outcome of a refund is unknown", part=str(part["id"]))
            is_unknown = True
            break
        for dispute in disputes:
            await chargebacks.follow(ports, dispute.id)
        answers[read_uuid(part["id"])] = answer
    return Asked(answers, is_unknown)


async def _ask(ports: Ports, part: Row) -> Answer:
    """Ask how a part stands, and for it where the processor never saw its key; a repeat gives nothing back twice."""
    key, charge, now = str(read_uuid(part["id"])), part["charge_reference"], ports.now()
    found = await ports.processor.inquire_refund(key, charge=charge, at=now)
    if found is not None:
        return found
    return await ports.processor.refund(key=key, charge=charge, amount_cents=part["amount"], at=now)


async def _disputes(ports: Ports, part: Row) -> Sequence[Dispute]:
    """Return what the bank took back of the charge that a part goes against.

    Asked where a part is refused: its cause may be a dispute whose news come later than the answer, and a check for
    money that the bank gave back already would pay the holder twice.
    """
    payment_id = str(read_uuid(part["payment_id"]))
    return await ports.processor.disputes_of(payment_id, charge=part["charge_reference"])


@transactional
async def _submit(ports: Ports, refund_id: UUID) -> None:
    await move(ports, refund_id, Step(RefundStatus.SUBMITTED, "submitted_card"))


@transactional
async def _finish(ports: Ports, claim: due_work.Claim) -> None:
    await due_work.complete(claim)


@transactional
async def settle(ports: Ports, refund_id: UUID, answers: dict[UUID, Answer], *, asks_again: bool = True) -> None:
    """Commit what the processor says of a refund's parts; a repeat, or news that come after the end, change nothing.

    Parts that are refused at once go out by one check, but for what the bank took back. `asks_again` moves the work
    that asks to when it is worth it.
    """
    # Payments before the refund, in the order of their ids, as everybody who needs both.
    await fetch(
        "select id from payments where id in (select payment_id from refund_parts where refund_id = $1)"
        " order by id for update",
        refund_id,
    )
    refund = await lock_refund(refund_id)
    parts = await fetch(f"{_PARTS} where r.refund_id = $1 order by r.id", refund_id)
    refused = [
        part for part in parts
        if (answer := answers.get(read_uuid(part["id"]))) and await _take(ports, part, answer)
    ]  # fmt: skip
    taken = sum([await taken_back(ports, part) for part in refused])
    if taken == refund["amount"]:
        await move(ports, refund_id, Step(RefundStatus.REROUTED, "taken_back", {"cents": str(taken)}))
        return
    if taken:
        step = Step(RefundStatus(refund["status"]), "taken_back", {"cents": str(taken)})
        await add_line(ports, refund_id, step, amount=refund["amount"] - taken)
    if amount := sum(part["amount"] for part in refused) - taken:
        origin = f"part:{read_uuid(refused[0]['id'])}"
        check_id = await by_check(ports, refund, origin, amount, "refused_by_check")
        leg = Leg(transit_of(refund_id), transit_of(check_id), amount)
        await post_legs(ports, f"refund:{refund_id}:{origin}:check", [leg])
    await _move_on(ports, refund_id, asks_again=asks_again)


async def _take(ports: Ports, part: Row, answer: Answer) -> bool:
    """Commit what the processor says of one part: money leaves when it is accepted, and comes back when refused.

    Returns True where the part is refused now.
    """
    part_id, before = read_uuid(part["id"]), part["status"]
    refund_id, clearing = read_uuid(part["refund_id"]), (LedgerKind.PROCESSOR_CLEARING, str(part["processor"]))
    source = f"refund:{refund_id}:part:{part_id}"
    if before in _OVER:
        return False
    status = {Answered.PENDING: "ACCEPTED", Answered.SUCCEEDED: "CONFIRMED", Answered.REFUSED: "REFUSED"}[answer.status]
    if status == before:
        return False
    ended_at = ports.now() if status != "ACCEPTED" else None
    await execute(
        "update refund_parts set status = $1, processor_reference = $2, ended_at = $3 where id = $4",
        status, answer.id, ended_at, part_id,
    )  # fmt: skip
    if before == "PENDING" and status != "REFUSED":
        await post_legs(ports, source, [Leg(transit_of(refund_id), clearing, part["amount"])])
    if before == "ACCEPTED" and status == "REFUSED":
        await post_legs(ports, f"{source}:back", [Leg(clearing, transit_of(refund_id), part["amount"])])
    if status == "CONFIRMED":
        await _note_on_payment(part)
    return status == "REFUSED"


async def _note_on_payment(part: Row) -> None:
    """Show on a payment that some or all of it went back, once that is confirmed."""
    row = await fetch_one("select status from payments where id = $1", read_uuid(part["payment_id"]))
    given = await fetch_one(
        "select sum(amount) as cents from refund_parts where payment_id = $1 and status = 'CONFIRMED'",
        read_uuid(part["payment_id"]),
    )
    assert row is not None, "payments are never deleted"
    assert given is not None, "a sum is one row"
    whole = int(given["cents"]) >= part["total"]
    status = PaymentStatus.REFUNDED if whole else PaymentStatus.PARTIALLY_REFUNDED
    try:
        if advance_payment(PaymentStatus(row["status"]), status):
            await execute("update payments set status = $1 where id = $2", status.value, read_uuid(part["payment_id"]))
    except ForbiddenPaymentMove:
        # The bank took the payment back as well; what that costs is on the books by its own entry.
        _log.error("a payment was refunded and charged back", payment=str(part["payment_id"]))


async def _move_on(ports: Ports, refund_id: UUID, *, asks_again: bool) -> None:
    """Move a refund to where its parts are."""
    refund = await refund_row(refund_id)
    rows = await fetch("select status, amount from refund_parts where refund_id = $1", refund_id)
    amounts = {status: sum(row["amount"] for row in rows if row["status"] == status)
               for status in ("PENDING", "ACCEPTED", "CONFIRMED", "REFUSED")}  # fmt: skip
    if RefundStatus(refund["status"]) not in _UNDER_WAY:
        return
    goes = amounts["ACCEPTED"] + amounts["CONFIRMED"]
    if not goes and not amounts["PENDING"]:
        step = Step(RefundStatus.REROUTED, "rerouted", {"cents": str(refund["amount"])})
        await move(ports, refund_id, step)
        return
    if (left := goes + amounts["PENDING"]) < refund["amount"]:
        step = Step(RefundStatus(refund["status"]), "part_rerouted", {"cents": str(refund["amount"] - left)})
        await add_line(ports, refund_id, step, amount=left)
    if not amounts["PENDING"]:
        await move(ports, refund_id, Step(RefundStatus.ISSUED, "issued_card"))
        if not amounts["ACCEPTED"]:
            await move(ports, refund_id, Step(RefundStatus.COMPLETED, "completed_card"))
            return
    if asks_again:
        # Banks confirm within days, so that asking as each day begins is often enough.
        tomorrow = start_of(day_of(ports.now()) + timedelta(days=1))
        await due_work.postpone(CARD_WORK, str(refund_id), ports.now() if amounts["PENDING"] else tomorrow)
