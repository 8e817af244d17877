"""Calls: the phone switch asks before and reports after; each call is charged once (rule 13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Raced, Row, execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.phones import phone_to_e164
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.ledger import CallStatus, HoldKind, HoldState, UpdateCause
from api.domain.money import affordable_seconds, call_cost_cents
from api.services.call_charges import charge
from api.services.call_terms import terms_of
from api.services.holds import extend_hold, find_hold, place_hold
from api.services.ledger import Balance, lock_balance, save
from api.services.pages import Page, PageRequest, newest_first
from api.services.phones import owner_of_phone
from api.services.plan_calls import NOT_INCLUDED, Included, include, included_of, settle

SEGMENT_MINUTES = 60
"""A hold is the price of 60 minutes, at most what is available (rule 13)."""
HOLD_LASTS = timedelta(hours=24)
DURATION_SECONDS_MAX = 24 * 60 * 60
SEGMENT_MAX = 1_000
RATE_MAX = Decimal(100)
CALL_ID_LENGTH_MAX = 80
CLOCK_SKEW_MAX = timedelta(minutes=10)
_FREE = Decimal(0)
"""What a minute within a plan costs: it holds nothing, and lasts as long as any call may."""


class CallAnswer(NamedTuple):
    """A call as it stands, the seconds that the segment allows, and whether this was asked before."""

    call: Row | None
    seconds: int | None
    replayed: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """The switch asks whether a call may begin, or go on by a further segment."""

    call_id: str
    segment: int
    phone: str
    facility_id: UUID | None
    rate_per_minute: Decimal


@dataclass(frozen=True, slots=True)
class Report:
    """The switch reports a call that ended."""

    call_id: str
    phone: str
    facility_id: UUID | None
    started_at: datetime
    duration_seconds: int
    rate_per_minute: Decimal


@transactional
async def authorize(ports: Ports, switch_id: UUID, ask: Ask) -> CallAnswer:
    """Hold the price of a segment and say how many seconds it allows; 0 means that the call must be refused.

    A repeat of a segment gives the same answer and holds nothing more. A number that is on no account, or blocked,
    gets 0 seconds.
    """
    phone = _check(ask.call_id, ask.phone, ask.rate_per_minute)
    if not 0 <= ask.segment <= SEGMENT_MAX:
        raise Refused(Fault(ErrorCode.INVALID, "errors.invalid", ("input", "segment")))
    await _check_facility(ask.facility_id)
    now = ports.now()
    known = await _find(switch_id, ask.call_id)
    service_id = _service_of(known) if known else await owner_of_phone(phone)
    balance = await lock_balance(service_id) if service_id else None
    known = await _find(switch_id, ask.call_id)
    if known is not None:
        if _service_of(known) not in (None, service_id):
            raise Raced  # Another request for the call named another number, whose balance is not the locked one.
        return await _further(ports, known, balance, ask)
    rate, seconds, included = ask.rate_per_minute, 0, None
    if balance is not None and service_id is not None:
        terms = await terms_of(service_id, ask.facility_id)
        if terms.is_open:
            included = await include(ports, balance.account_id, terms.plans, rate)
            rate = _FREE if included else rate
            seconds = affordable_seconds(rate, balance.available, SEGMENT_MINUTES)
    row_id = uuid7()
    status = CallStatus.IN_PROGRESS if seconds else CallStatus.REFUSED
    inserted = await execute(
        "insert into calls (id, switch_id, call_id, service_account_id, phone, facility_id, status, rate_per_minute,"
        " segment, seconds_allowed, started_at, ended_at, duration_seconds, cost, recorded_at, subscription_id,"
        " plan_period_start) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, null, null, null, null, $12, $13)"
        " on conflict (switch_id, call_id) do nothing",
        row_id, switch_id, ask.call_id, service_id, phone, ask.facility_id, status.value, ask.rate_per_minute,
        ask.segment, seconds, now, *(included or NOT_INCLUDED),
    )  # fmt: skip
    if not inserted:
        raise Raced
    if balance is not None and seconds:
        amount = call_cost_cents(rate, seconds)
        balance = await place_hold(balance, HoldKind.CALL, row_id, amount, now=now, expires_at=now + HOLD_LASTS)
        await save(balance, now, UpdateCause.CALL_STARTED)
    return CallAnswer(await _by_id(row_id), seconds, False)


async def _further(ports: Ports, call: Row, balance: Balance | None, ask: Ask) -> CallAnswer:
    """Answer for a call that is known: the same segment again, or one more."""
    if ask.segment <= call["segment"] or call["status"] != CallStatus.IN_PROGRESS.value or balance is None:
        in_progress = call["status"] == CallStatus.IN_PROGRESS.value
        return CallAnswer(call, call["seconds_allowed"] if in_progress else 0, True)
    row_id, now, seconds = read_uuid(call["id"]), ports.now(), 0
    rate = _FREE if included_of(call) else Decimal(call["rate_per_minute"])
    hold = await find_hold(row_id)
    if hold is not None and hold.state is HoldState.PENDING and await _is_open(balance.service_account_id):
        # The whole call's minutes are priced together, since its charge is rounded once.
        minutes_before = affordable_seconds(rate, hold.amount, SEGMENT_MINUTES * (call["segment"] + 1)) // 60
        minutes_max = minutes_before + SEGMENT_MINUTES
        minutes = affordable_seconds(rate, hold.amount + max(0, balance.available), minutes_max) // 60
        seconds = max(0, minutes - minutes_before) * 60
        if seconds:
            amount = max(hold.amount, call_cost_cents(rate, minutes * 60))
            balance = await extend_hold(balance, hold, amount, now + HOLD_LASTS)
            await save(balance, now, UpdateCause.CALL_STARTED)
    await execute("update calls set segment = $1, seconds_allowed = $2 where id = $3", ask.segment, seconds, row_id)
    return CallAnswer(await _by_id(row_id), seconds, False)


@transactional
async def record(ports: Ports, switch_id: UUID, report: Report) -> CallAnswer:
    """Charge a call that ended, once, however often and late it is reported; release its hold.

    It goes to the account that was authorised, else to the one that had the number when it began (NOT_FOUND when
    none had). What the balance does not cover is written off.
    """
    now = ports.now()
    phone = _check(report.call_id, report.phone, report.rate_per_minute)
    refuse_if(_report_faults(report, now))
    await _check_facility(report.facility_id)
    known = await _find(switch_id, report.call_id)
    service_id = _service_of(known) if known else None
    if known is not None and service_id is None and report.duration_seconds == 0:
        return CallAnswer(known, None, True)
    service_id = service_id or await _owner_at(phone, report.started_at)
    if service_id is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "calls.no_account", ("input", "phone")))
    balance = await lock_balance(service_id)
    assert balance is not None, "a service that has phones has a balance"
    known = await _find(switch_id, report.call_id)
    if known is not None and known["recorded_at"] is not None:
        return CallAnswer(known, None, True)
    row_id = await _claim_report(switch_id, known, service_id, phone, report, now)
    ended_at = report.started_at + timedelta(seconds=report.duration_seconds)
    source_key = f"call:{switch_id}:{report.call_id}"
    cost, included = await _charge(ports, balance, row_id, known, source_key, report)
    await execute(
        "update calls set status = 'ENDED', service_account_id = $1, rate_per_minute = $2, started_at = $3,"
        " ended_at = $4, duration_seconds = $5, cost = $6, recorded_at = $7,"
        " facility_id = coalesce($8, facility_id), subscription_id = $9, plan_period_start = $10 where id = $11",
        service_id, report.rate_per_minute, report.started_at, ended_at, report.duration_seconds, cost, now,
        report.facility_id, *(included or NOT_INCLUDED), row_id,
    )  # fmt: skip
    return CallAnswer(await _by_id(row_id), None, False)


async def _claim_report(
    switch_id: UUID, known: Row | None, service_id: UUID, phone: str, report: Report, now: datetime
) -> UUID:
    """Return the call's row, made where there is none, for this report alone; Raced when another came first."""
    row_id = read_uuid(known["id"]) if known else uuid7()
    if known is not None:
        if _service_of(known) == service_id:
            return row_id
        claimed = await execute(
            "update calls set recorded_at = $1 where id = $2 and recorded_at is null and service_account_id is null",
            now, row_id,
        )  # fmt: skip
    else:
        claimed = await execute(
            "insert into calls (id, switch_id, call_id, service_account_id, phone, facility_id, status,"
            " rate_per_minute, segment, seconds_allowed, started_at, ended_at, duration_seconds, cost, recorded_at)"
            " values ($1, $2, $3, $4, $5, $6, 'ENDED', $7, 0, null, $8, null, null, null, $9)"
            " on conflict (switch_id, call_id) do nothing",
            row_id, switch_id, report.call_id, service_id, phone, report.facility_id, report.rate_per_minute,
            report.started_at, now,
        )  # fmt: skip
    if not claimed:
        raise Raced
    return row_id


async def _charge(
    ports: Ports, balance: Balance, row_id: UUID, known: Row | None, source_key: str, report: Report
) -> tuple[int, Included | None]:
    """Charge a call unless a plan includes it; return its cost in cents, and the plan."""
    facility_id = read_uuid(known["facility_id"]) if known and known["facility_id"] else None
    terms = await terms_of(balance.service_account_id, report.facility_id or facility_id)
    price = call_cost_cents(report.rate_per_minute, report.duration_seconds)
    began_at, now = report.started_at, ports.now()
    included = await settle(ports, balance, known, terms.plans, price, began_at)
    cost = 0 if included else price
    deducts = terms.deducts(now)
    return await charge(balance, row_id, source_key, cost, deducts=deducts, began_at=began_at, now=now), included


async def calls_page(service_account_id: UUID, request: PageRequest) -> Page:
    """Return a service's calls, newest first."""
    return await newest_first(
        "select * from calls where service_account_id = $1",
        [service_account_id],
        [("started_at", datetime), ("id", UUID)],
        request,
    )


def _check(call_id: str, phone: str, rate_per_minute: Decimal) -> str:
    """Return the phone as E.164; raises Refused with all that is wrong."""
    e164 = phone_to_e164(phone) if len(phone) <= 40 else None
    faults = []
    if not 1 <= len(call_id) <= CALL_ID_LENGTH_MAX or not call_id.isprintable():
        faults.append(Fault(ErrorCode.INVALID, "errors.invalid", ("input", "callId")))
    if e164 is None:
        faults.append(Fault(ErrorCode.INVALID, "sign_ups.phone_invalid", ("input", "phone")))
    if not 0 <= rate_per_minute <= RATE_MAX:
        faults.append(Fault(ErrorCode.INVALID, "errors.invalid", ("input", "ratePerMinute")))
    refuse_if(faults)
    assert e164 is not None
    return e164


def _report_faults(report: Report, now: datetime) -> list[Fault]:
    faults = []
    if not 0 <= report.duration_seconds <= DURATION_SECONDS_MAX:
        faults.append(Fault(ErrorCode.INVALID, "errors.invalid", ("input", "durationSeconds")))
    if report.started_at > now + CLOCK_SKEW_MAX:
        faults.append(Fault(ErrorCode.INVALID, "calls.in_the_future", ("input", "startedAt")))
    return faults


async def _check_facility(facility_id: UUID | None) -> None:
    if facility_id and not await fetch_one("select id from facilities where id = $1", facility_id):
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "facilityId")))


async def _find(switch_id: UUID, call_id: str) -> Row | None:
    return await fetch_one("select * from calls where switch_id = $1 and call_id = $2", switch_id, call_id)


async def _by_id(row_id: UUID) -> Row | None:
    return await fetch_one("select * from calls where id = $1", row_id)


def _service_of(call: Row) -> UUID | None:
    return read_uuid(call["service_account_id"]) if call["service_account_id"] else None


async def _is_open(service_id: UUID) -> bool:
    return bool(await fetch_one("select id from service_accounts where id = $1 and status = 'ACTIVE'", service_id))


async def _owner_at(phone: str, at: datetime) -> UUID | None:
    """Return the service that had a number at a moment, unless its holder had blocked it."""
    row = await fetch_one(
        "select service_account_id from account_phones where phone = $1 and added_at <= $2"
        " and (removed_at is null or removed_at > $2) and (blocked = $3 or blocked_at > $2)"
        " order by added_at desc limit 1",
        phone, at, False,
    )  # fmt: skip
    return read_uuid(row["service_account_id"]) if row else None
