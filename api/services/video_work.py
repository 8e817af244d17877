"""Due work of video visits: the reminder, the time that is kept for a payment, and the end of what nobody reported."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.payments import PaymentStatus
from api.domain.video_sessions import PlaceStatus
from api.services import charges, due_work
from api.services.video_mails import mail_holder
from api.services.video_sessions import PAYMENT_WORK, move

LOOK_AGAIN_AFTER = timedelta(minutes=1)


@transactional
async def remind(ports: Ports, claim: due_work.Claim) -> None:
    """Remind the holder of a visit; due work of kind "video_reminder"."""
    await due_work.complete(claim)
    row = await _session(claim)
    if row and row["status"] == PlaceStatus.SCHEDULED.value and read_time(row["scheduled_for"]) > ports.now():
        await mail_holder(ports, row, "reminder")


@transactional
async def end_unreported(ports: Ports, claim: due_work.Claim) -> None:
    """Count a visit as missed that nobody has reported for long after its end; due work of kind "video_end"."""
    row = await _session(claim, lock=True)
    if row is not None and row["status"] == PlaceStatus.SCHEDULED.value:
        await move(row, PlaceStatus.MISSED, ports.now())
    else:
        await due_work.complete(claim)


async def end_payment(ports: Ports, claim: due_work.Claim) -> None:
    """End a payment that waits at the bank's page for too long, so that the time is free; due work "video_payment".

    What the processor has of it by then counts. One whose outcome is not known is looked at again: its time stays
    taken, since it may have been charged.
    """
    session = await _session(claim)
    if session is not None and session["status"] == PlaceStatus.AWAITING_PAYMENT.value:
        payment_id = read_uuid(session["payment_id"])
        payment = await charges.payment_row(payment_id)
        if payment["status"] == PaymentStatus.REQUIRES_ACTION.value:
            await charges.cancel(ports, payment_id)
    await _finish(ports, claim)


@transactional
async def _finish(ports: Ports, claim: due_work.Claim) -> None:
    """Take the work off the list, unless the visit still waits for its payment."""
    session = await _session(claim, lock=True)
    if session is not None and session["status"] == PlaceStatus.AWAITING_PAYMENT.value:
        await due_work.postpone(PAYMENT_WORK, claim.key, ports.now() + LOOK_AGAIN_AFTER)
    else:
        await due_work.drop(PAYMENT_WORK, claim.key)


async def _session(claim: due_work.Claim, *, lock: bool = False) -> Row | None:
    suffix = " for update" if lock else ""
    return await fetch_one(f"select * from video_sessions where id = $1{suffix}", UUID(claim.key))
