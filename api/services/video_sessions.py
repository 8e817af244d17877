"""Video visits: reading them, cancelling, what became of them, and what their payment or a closing does to them.

Scheduling is in `video_scheduling`. Whoever locks more than a visit locks the account first, then the person, then it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.days import CENTRAL, start_of
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.payments import PaymentPurpose, PaymentStatus
from api.domain.service_accounts import ServiceStatus
from api.domain.video_sessions import (
    STANDING,
    TAKES_TIME,
    PlaceStatus,
    VideoSessionOutcome,
    VideoSessionStatus,
    advance,
    video_session_terms,
)
from api.services import due_work
from api.services.pages import Page, PageRequest, in_order, newest_first
from api.services.spending import lock_spending
from api.services.video_mails import OWED, mail_holder

REMINDER_WORK = "video_reminder"
END_WORK = "video_end"
PAYMENT_WORK = "video_payment"
_SHOWN = tuple(status.value for status in VideoSessionStatus)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_VISITS = (
    "select t.*, p.id as p_id, p.first_name as p_first_name, p.last_name as p_last_name,"
    " f.id as f_id, f.name as f_name, f.state as f_state, f.time_zone as f_time_zone, f.products as f_products,"
    " g.id as g_id, g.name as g_name, g.state as g_state, g.time_zone as g_time_zone, g.products as g_products"
    " from video_sessions t join incarcerated_people p on p.id = t.person_id join facilities f on f.id = t.facility_id"
    " join facilities g on g.id = p.facility_id"
)
SESSIONS = f"{_VISITS} where t.status in ({_listed(_SHOWN)})"
"""Visits that there are for their holder, with the facility, the person and where that person is now."""


async def find_session(session_id: UUID) -> Row | None:
    """Return a visit as its holder sees it; None where there is nothing to see, e.g. before it is paid."""
    return await fetch_one(f"{SESSIONS} and t.id = $1", session_id)


async def session_of_payment(payment_id: UUID) -> Row | None:
    """Return the visit that a payment is for, as its holder sees it."""
    return await fetch_one(f"{SESSIONS} and t.payment_id = $1", payment_id)


async def sessions_page(
    service_account_id: UUID, statuses: Sequence[VideoSessionStatus] | None, request: PageRequest
) -> Page:
    """Return the visits of a VideoConnect service, the latest first; all, or those of some statuses."""
    wanted = [status.value for status in dict.fromkeys(statuses or list(VideoSessionStatus))]
    places = ", ".join(f"${n + 2}" for n in range(len(wanted)))
    query = f"{SESSIONS} and t.service_account_id = $1 and t.status in ({places})"
    key = [("t.scheduled_for", datetime), ("t.id", UUID)]
    return await newest_first(query, [service_account_id, *wanted], key, request)


async def owed_sessions(service_account_id: UUID) -> Sequence[Row]:
    """Return the visits that were paid for when their time was gone, and that no other has made up for; at most 100."""
    return await fetch(
        f"{_VISITS} where t.service_account_id = $1 and t.status = 'OWED' order by t.id limit 100",
        service_account_id,
    )


async def schedule_of_day(facility_id: UUID, day: date, request: PageRequest) -> Page:
    """Return the visits that begin on a day at a facility, by its calendar, the earliest first; however they stand."""
    facility = await fetch_one("select time_zone from facilities where id = $1", facility_id)
    zone = facility["time_zone"] if facility else CENTRAL
    try:
        begins, ends = start_of(day, zone), start_of(day + timedelta(days=1), zone)
    except OverflowError:
        raise Refused(Fault(ErrorCode.INVALID, "errors.invalid", ("day",))) from None
    query = f"{SESSIONS} and t.facility_id = $1 and t.scheduled_for >= $2 and t.scheduled_for < $3"
    key = [("t.scheduled_for", datetime), ("t.id", UUID)]
    return await in_order(query, [facility_id, begins, ends], key, request)


async def sessions_to_void(service_ids: Sequence[UUID], now: datetime) -> Sequence[Row]:
    """Return what closing these services would make void: visits to come, those being paid for and those owed."""
    if not service_ids:
        return []
    places = ", ".join(f"${n + 2}" for n in range(len(service_ids)))
    return await fetch(
        f"{_VISITS} where t.service_account_id in ({places}) and t.status in ({_listed([s.value for s in STANDING])})"
        " and (t.scheduled_for > $1 or t.status <> 'SCHEDULED') order by t.scheduled_for, t.id limit 1000",
        now, *service_ids,
    )  # fmt: skip


async def void_sessions(sessions: Sequence[Row], now: datetime) -> None:
    """Make visits void within the transaction that closes their service, without a refund (rule 25).

    What is being paid for is void too: a payment that succeeds after all schedules nothing.
    """
    for session in sessions:
        row = await _lock(read_uuid(session["id"]))
        if row is not None and PlaceStatus(row["status"]) in STANDING:
            await move(row, PlaceStatus.VOIDED_BY_CLOSURE, now)


async def _lock(session_id: UUID) -> Row | None:
    return await fetch_one("select * from video_sessions where id = $1 for update", session_id)


async def move(session: Row, status: PlaceStatus, now: datetime) -> None:
    """Take one step of a visit that is locked; its work is dropped, or made when it is scheduled."""
    if not advance(PlaceStatus(session["status"]), status):
        return
    key = str(read_uuid(session["id"]))
    for kind in (REMINDER_WORK, END_WORK, PAYMENT_WORK):
        await due_work.drop(kind, key)
    is_scheduled = status is PlaceStatus.SCHEDULED
    await execute(
        "update video_sessions set status = $1, ended_at = $2 where id = $3",
        status.value, None if is_scheduled else now, read_uuid(session["id"]),
    )  # fmt: skip
    if is_scheduled:
        await expect(session, now)


async def expect(session: Row, now: datetime) -> None:
    """Make due what follows from a visit that is scheduled: the reminder, and the look at what became of it."""
    terms, key = video_session_terms(), str(read_uuid(session["id"]))
    remind_at = read_time(session["scheduled_for"]) - terms.reminder
    if remind_at > now:
        await due_work.enqueue(REMINDER_WORK, key, remind_at)
    await due_work.enqueue(END_WORK, key, read_time(session["ends_at"]) + terms.report_within)


async def overlapping(account_id: UUID, person_id: UUID, begins: datetime, ends: datetime) -> Sequence[Row]:
    """Return the visits of the account, and those to the person, that take some of a time. Both are locked."""
    return await fetch(
        "select account_id, status from video_sessions where (person_id = $1 or account_id = $2)"
        f" and status in ({_listed([s.value for s in TAKES_TIME])}) and scheduled_for < $3 and ends_at > $4 limit 100",
        person_id, account_id, ends, begins,
    )  # fmt: skip


async def lock_person(person_id: UUID, facility_id: UUID) -> bool:
    """Lock a person in custody, so that of two visits at one time one is scheduled; tell whether they are there."""
    row = await fetch_one(
        "select id from incarcerated_people where id = $1 and facility_id = $2 for update", person_id, facility_id
    )
    return row is not None


async def after_payment(ports: Ports, payment: Row) -> None:
    """Do what follows for a visit from its payment, which has just succeeded or failed, in the same transaction.

    A visit whose time is over or taken by then is owed: the holder is told, and the next one like it costs nothing.
    """
    if payment["purpose"] != PaymentPurpose.VIDEO_SESSION.value or payment["account_id"] is None:
        return
    account_id, now = read_uuid(payment["account_id"]), ports.now()
    await lock_spending(account_id)
    row = await fetch_one("select * from video_sessions where payment_id = $1 for update", read_uuid(payment["id"]))
    if row is None or row["status"] not in (PlaceStatus.AWAITING_PAYMENT.value, PlaceStatus.NOT_PAID.value):
        return
    if payment["status"] != PaymentStatus.SUCCEEDED.value:
        await move(row, PlaceStatus.NOT_PAID, now)
    elif not await _is_service_open(row):
        await move(row, PlaceStatus.VOIDED_BY_CLOSURE, now)
    elif await _has_time(row, now):
        await move(row, PlaceStatus.SCHEDULED, now)
        await mail_holder(ports, row, "scheduled")
    else:
        await move(row, PlaceStatus.OWED, now)
        await mail_holder(ports, row, OWED)


async def _is_service_open(session: Row) -> bool:
    service = await fetch_one("select status from service_accounts where id = $1", session["service_account_id"])
    return service is not None and service["status"] == ServiceStatus.ACTIVE.value


async def _has_time(session: Row, now: datetime) -> bool:
    begins = read_time(session["scheduled_for"])
    if begins <= now:
        return False
    if session["status"] == PlaceStatus.AWAITING_PAYMENT.value:
        return True  # It was kept for this.
    person_id = read_uuid(session["person_id"])
    if not await lock_person(person_id, read_uuid(session["facility_id"])):
        return False
    return not await overlapping(read_uuid(session["account_id"]), person_id, begins, read_time(session["ends_at"]))


@transactional
async def cancel_session(ports: Ports, account_id: UUID, session_id: UUID) -> Row:
    """Cancel a visit that has not begun; a repeat changes nothing. Nothing is refunded (rule 25).

    Raises Refused with NOT_FOUND, and with INVALID_STATE once it has begun or is over.
    """
    await lock_spending(account_id)
    row, now = await _lock(session_id), ports.now()
    if row is None or read_uuid(row["account_id"]) != account_id or row["status"] not in _SHOWN:
        raise _not_found()
    if row["status"] != PlaceStatus.CANCELLED.value:
        if row["status"] != PlaceStatus.SCHEDULED.value or read_time(row["scheduled_for"]) <= now:
            raise _not_now("video_sessions.not_cancellable", row)
        await move(row, PlaceStatus.CANCELLED, now)
        await mail_holder(ports, row, "cancelled_paid" if row["payment_id"] else "cancelled")
    return await _shown(session_id)


@transactional
async def record_outcome(ports: Ports, session_id: UUID, outcome: VideoSessionOutcome) -> Row:
    """Note what became of a visit, as the system that holds them reports it; a repeat changes nothing.

    One that counts as missed since nobody had reported it may still be reported as held. Raises Refused with NOT_FOUND,
    and with INVALID_STATE before it begins, once it was cancelled, and where the other outcome was reported.
    """
    row, now = await _lock(session_id), ports.now()
    if row is None or row["status"] not in _SHOWN:
        raise _not_found()
    status = PlaceStatus(outcome.value)
    is_open = row["status"] == PlaceStatus.SCHEDULED.value and read_time(row["scheduled_for"]) <= now
    was_not_reported = row["status"] == PlaceStatus.MISSED.value and row["reported_at"] is None
    if not is_open and not was_not_reported and row["status"] != status.value:
        raise _not_now("video_sessions.not_reportable", row)
    await move(row, status, now)
    if row["reported_at"] is None:
        await execute("update video_sessions set reported_at = $1 where id = $2", now, session_id)
    return await _shown(session_id)


def _not_found() -> Refused:
    return Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("sessionId",)))


def _not_now(key: str, session: Row) -> Refused:
    facts = {"current_state": session["status"], "allowed_actions": ()}
    return Refused(Fault(ErrorCode.INVALID_STATE, key, ("sessionId",), facts=facts))


async def _shown(session_id: UUID) -> Row:
    row = await find_session(session_id)
    assert row is not None, "visits of open accounts are never deleted"
    return row
