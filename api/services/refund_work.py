"""What a refund makes due by where it stands: asking the processor, the sandbox's check run, and stale checks."""

from __future__ import annotations

from datetime import datetime, timedelta

from api.adapters.database import Row, read_date, read_uuid
from api.adapters.ports import Ports
from api.domain.days import day_of, start_of
from api.domain.refund_data import refund_data
from api.domain.refunds import FINAL, RefundMethod, RefundStatus
from api.services.due_work import drop, enqueue

CARD_WORK = "refund"
"""Asks the processor; the key is the refund."""
SANDBOX_CHECK_WORK = "sandbox_check"
"""Does in the sandbox what the check run and banks do elsewhere."""
STALE_CHECK_WORK = "stale_check"


async def follow_up(ports: Ports, refund: Row) -> None:
    """Make due within the transaction under way what a refund waits for, after each of its steps."""
    status, key = RefundStatus(refund["status"]), str(read_uuid(refund["id"]))
    if status in FINAL:
        for kind in (CARD_WORK, SANDBOX_CHECK_WORK, STALE_CHECK_WORK):
            await drop(kind, key)
    elif refund["method"] == RefundMethod.CARD.value:
        if status is RefundStatus.CALCULATED:
            await enqueue(CARD_WORK, key, ports.now())
        return
    elif status is RefundStatus.ISSUED:
        await enqueue(STALE_CHECK_WORK, key, stale_at(ports.now()))
    if ports.sandbox and (at := sandbox_check_at(refund, ports.now())):
        await enqueue(SANDBOX_CHECK_WORK, key, at)


def stale_at(issued_at: datetime) -> datetime:
    """Return when a check issued then is too old to be cashed: as a Central day begins."""
    return start_of(day_of(issued_at) + timedelta(days=refund_data().check_stale_days))


def sandbox_check_at(refund: Row, now: datetime) -> datetime | None:
    """Return when the sandbox takes a check on: the run on the day after it is fixed, mailed on the window's first day,
    cashed on its last one. None where it does nothing."""
    match RefundStatus(refund["status"]):
        case RefundStatus.CALCULATED:
            return start_of(day_of(now) + timedelta(days=1))
        case RefundStatus.SUBMITTED:
            return start_of(read_date(refund["window_earliest"]))
        case RefundStatus.ISSUED:
            return start_of(read_date(refund["window_latest"]))
        case _:
            return None
