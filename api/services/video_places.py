"""Whether a video visit can be held: where, with whom, when and for how long, under the locks of account and person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_json, read_uuid
from api.domain.days import day_of, facility_time_and_zone
from api.domain.faults import ErrorCode, Fault
from api.domain.service_accounts import Product
from api.domain.video_sessions import TAKES_TIME, PlaceStatus, clock_time, hours_of_day, is_open, video_session_terms
from api.services.video_offers import find_facility, is_length, offer_at
from api.services.video_sessions import lock_person, overlapping


@dataclass(frozen=True, slots=True)
class Wish:
    """Whom to see where, from when on and for how many minutes."""

    facility_id: UUID
    person_id: UUID
    begins: datetime
    minutes: int

    @property
    def ends(self) -> datetime:
        """When it is over."""
        return self.begins + timedelta(minutes=self.minutes)


class Place(NamedTuple):
    """The account's open VideoConnect service, None without one, and all that stands in the way of a visit."""

    service: Row | None
    faults: list[Fault]


async def find_place(account_id: UUID, wish: Wish, now: datetime) -> Place:
    """Look whether a visit can be held; the account is locked, the person is locked here.

    Whom this account may name is decided as for deposits: whoever has the id has found the person, since an id cannot
    be guessed. One of another facility is answered like one that is nobody's.
    """
    service = await open_video_service(account_id)
    faults = [] if service is not None else [no_service()]
    facility = await find_facility(wish.facility_id)
    if facility is None:
        return Place(service, [*faults, Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "facilityId"))])
    faults += facility_faults(facility)
    if not await lock_person(wish.person_id, wish.facility_id):
        faults.append(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "incarceratedPersonId")))
    faults += length_faults(wish.minutes)
    if not faults:
        faults = await _time_faults(account_id, wish, facility, now)
    return Place(service, faults)


async def open_video_service(account_id: UUID) -> Row | None:
    """Return the account's open VideoConnect service; None without one."""
    return await fetch_one(
        "select * from service_accounts where open_key = $1", f"{account_id}:{Product.VIDEO_CONNECT.value}"
    )


def no_service() -> Fault:
    """Return why nobody can visit without a VideoConnect service."""
    facts = {"current_state": "NOT_OPEN", "allowed_actions": ("openServiceAccount",)}
    return Fault(ErrorCode.INVALID_STATE, "video_sessions.no_service", ("input",), facts=facts)


def facility_faults(facility: Row) -> list[Fault]:
    """Return why there are no visits at a facility."""
    if Product.VIDEO_CONNECT.value in read_json(facility["products"]):
        return []
    return [Fault(ErrorCode.UNAVAILABLE, "video_sessions.not_at_facility", ("input", "facilityId"))]


def length_faults(minutes: int) -> list[Fault]:
    """Return why a visit cannot last so long."""
    if is_length(minutes):
        return []
    params = {"lengths": ", ".join(str(each) for each in video_session_terms().lengths)}
    return [Fault(ErrorCode.INVALID, "video_sessions.no_such_length", ("input", "durationMinutes"), params)]


async def _time_faults(account_id: UUID, wish: Wish, facility: Row, now: datetime) -> list[Fault]:
    """Return why a visit cannot be held at its time."""
    path, zone, terms = ("input", "scheduledFor"), facility["time_zone"], video_session_terms()
    if wish.begins <= now:
        return [Fault(ErrorCode.INVALID, "video_sessions.not_to_come", path)]
    if wish.begins.second or wish.begins.microsecond:
        return [Fault(ErrorCode.INVALID, "video_sessions.whole_minutes", path)]
    if wish.begins > now + terms.ahead_max:
        params = {"until": facility_time_and_zone(now + terms.ahead_max, zone)}
        return [Fault(ErrorCode.INVALID, "video_sessions.too_far_ahead", path, params)]
    openings = (await offer_at(wish.facility_id, now)).openings
    if not is_open(openings, zone, wish.begins, wish.ends):
        hours = hours_of_day(openings, day_of(wish.begins, zone))
        if not hours:
            return [Fault(ErrorCode.INVALID, "video_sessions.closed_that_day", path)]
        params = {"hours": ", ".join(f"{clock_time(a)}–{clock_time(b)}" for a, b in hours), "zone": zone}
        return [Fault(ErrorCode.INVALID, "video_sessions.outside_hours", path, params)]
    taken = await overlapping(account_id, wish.person_id, wish.begins, wish.ends)
    if taken:
        return [_taken_fault([row["status"] for row in taken if read_uuid(row["account_id"]) == account_id])]
    return await _too_many(account_id, now)


def _taken_fault(own: list[str]) -> Fault:
    """Return why a time is not free: by visits of the account that stand so, or else by somebody's."""
    path = ("input", "scheduledFor")
    if not own:
        return Fault(ErrorCode.UNAVAILABLE, "video_sessions.time_taken", path)
    if PlaceStatus.SCHEDULED.value in own:
        facts = {"current_state": PlaceStatus.SCHEDULED.value, "allowed_actions": ("cancelVideoSession",)}
        return Fault(ErrorCode.INVALID_STATE, "video_sessions.own_overlap", path, facts=facts)
    facts = {"current_state": PlaceStatus.AWAITING_PAYMENT.value, "allowed_actions": ()}
    return Fault(ErrorCode.INVALID_STATE, "video_sessions.being_paid", path, facts=facts)


async def unpaid_faults(account_id: UUID) -> list[Fault]:
    """Return why an account, which is locked, cannot have one more visit's time kept while it is being paid for."""
    waiting = PlaceStatus.AWAITING_PAYMENT.value
    row = await fetch_one(
        "select count(*) as n from video_sessions where account_id = $1 and status = $2", account_id, waiting
    )
    maximum = video_session_terms().unpaid_max
    if row is None or row["n"] < maximum:
        return []
    facts = {"current_state": waiting, "allowed_actions": ()}
    return [Fault(ErrorCode.INVALID_STATE, "video_sessions.too_many_unpaid", ("input",), {"maximum": maximum}, facts)]


async def _too_many(account_id: UUID, now: datetime) -> list[Fault]:
    statuses = ", ".join(f"'{status.value}'" for status in TAKES_TIME)
    row = await fetch_one(
        f"select count(*) as n from video_sessions where account_id = $1 and status in ({statuses}) and ends_at > $2",
        account_id, now,
    )  # fmt: skip
    maximum = video_session_terms().scheduled_max
    if row is None or row["n"] < maximum:
        return []
    facts = {"current_state": "SCHEDULED", "allowed_actions": ("cancelVideoSession",)}
    return [Fault(ErrorCode.INVALID_STATE, "video_sessions.too_many", ("input",), {"maximum": maximum}, facts)]
