"""What the flows of video visits begin with and ask."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, read_uuid
from api.domain.ids import NodeKind, global_id, key_of
from api.domain.service_accounts import Product
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money import ERRORS, PAYMENT
from tests.flows.paying import Place, opened, person, place, plan, quote_for, service_id, subscribe

ZONE = "America/Denver"
SESSION = """id status scheduledFor durationMinutes facility { id } visitor { id displayName facility { id } }
  coveredBy { id status }"""
SCHEDULE = f"""mutation($input: ScheduleVideoSessionInput!) {{ scheduleVideoSession(input: $input) {{
  replayed notice session {{ {SESSION} }} payment {{ {PAYMENT} }} {ERRORS} }} }}"""
CANCEL = f"""mutation($id: ID!) {{ cancelVideoSession(sessionId: $id) {{
  notice session {{ {SESSION} }} {ERRORS} }} }}"""
RECORD = f"""mutation($id: ID!, $outcome: VideoSessionOutcome!) {{
  recordVideoSession(sessionId: $id, outcome: $outcome) {{
  session {{ {SESSION} }} {ERRORS} }} }}"""
DAY_OF = """query($where: ID!, $day: Date!) { videoSchedule(facilityId: $where, day: $day) {
  edges { node { id status visitor { displayName } coveredBy { id } } } } }"""
SESSIONS = """query($first: Int, $after: String, $last: Int, $before: String, $statuses: [VideoSessionStatus!]) {
  me { serviceAccounts { ... on VideoConnectAccount {
  sessions(first: $first, after: $after, last: $last, before: $before, statuses: $statuses) {
    edges { cursor node { id status scheduledFor } } pageInfo { hasNextPage hasPreviousPage endCursor } } } } } }"""


class Scene(NamedTuple):
    """A holder with VideoConnect, a facility with hours and prices, and a person in custody there."""

    holder: Holder
    where: Place
    person: str
    service: UUID

    @property
    def service_id(self) -> str:
        """The id of the VideoConnect service."""
        return service_id(self.service)


async def hours(where: Place, opens: int = 9 * 60, closes: int = 21 * 60, weekdays: Any = range(1, 8)) -> None:
    """Have visits held on these weekdays from `opens` to `closes`, in minutes after midnight."""
    for weekday in weekdays:
        await execute(
            "insert into visiting_hours (id, facility_id, weekday, opens, closes) values ($1, $2, $3, $4, $5)",
            uuid7(), where.key, weekday, opens, closes,
        )  # fmt: skip


async def price(where: Place, minutes: int = 20, cents: int = 595, since: date = date(2026, 1, 1)) -> None:
    """Have a visit of a length cost so much from that day on."""
    await execute(
        "insert into video_prices (id, facility_id, duration_minutes, price, effective_from)"
        " values ($1, $2, $3, $4, $5)",
        uuid7(), where.key, minutes, cents, since,
    )  # fmt: skip


async def scene(service: Service, email: str = "ann@mail.test", locale: str = "en") -> Scene:
    """Return a holder who can schedule visits, and has neither plan nor card."""
    ann, where = await factories.holder(service, email, locale), await place(zone=ZONE)
    await hours(where)
    await price(where)
    return Scene(ann, where, await person(where), await opened(ann, Product.VIDEO_CONNECT))


async def beside(service: Service, scene: Scene, email: str = "ben@mail.test") -> Scene:
    """Return another holder who knows the same person."""
    ben = await factories.holder(service, email)
    return scene._replace(holder=ben, service=await opened(ben, Product.VIDEO_CONNECT))


async def with_plan(service: Service, scene: Scene) -> str:
    """Subscribe the holder to unlimited visits at the facility; return the subscription's id."""
    quoted = await quote_for(service, scene.holder, "SUBSCRIPTION", planId=await plan(scene.where))
    payload = await subscribe(
        service, scene.holder, quoted["quote"]["id"], await scene.holder.card(), f"plan {uuid7()}"
    )
    assert payload["errors"] == [], payload
    found: str = payload["subscription"]["id"]
    return found


async def anew(scene: Scene) -> Scene:
    """Sign the holder in anew, once the clock has moved past the end of the last sign-in."""
    return scene._replace(holder=await factories.begin_again(scene.holder))


def at(service: Service, days: int = 2, hour: int = 12, minute: int = 0) -> str:
    """Return a time by the facility's clock, so many days from now."""
    day = service.ports.now().astimezone(ZoneInfo(ZONE)).date() + timedelta(days=days)
    return iso(datetime.combine(day, time(hour, minute), ZoneInfo(ZONE)))


def iso(moment: datetime) -> str:
    """Return an instant as clients send and get it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def quoted(service: Service, scene: Scene, minutes: int = 20) -> str:
    """Quote a visit; return the quote's id."""
    payload = await quote_for(
        service, scene.holder, "VIDEO_SESSION", facilityId=scene.where.id, durationMinutes=minutes
    )
    assert payload["errors"] == [], payload
    found: str = payload["quote"]["id"]
    return found


async def schedule(
    service: Service, scene: Scene, when: str, key: str | None = None, *, language: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Schedule a visit; return the payload."""
    variables = {
        "facilityId": scene.where.id,
        "incarceratedPersonId": scene.person,
        "scheduledFor": when,
        "idempotencyKey": key or str(uuid7()),
        **changes,
    }
    data = await service.ask(SCHEDULE, {"input": variables}, token=scene.holder.token, language=language)
    payload: dict[str, Any] = data["scheduleVideoSession"]
    return payload


async def booked(service: Service, scene: Scene, when: str, **changes: Any) -> str:
    """Schedule a visit that nothing stands in the way of; return its id."""
    payload = await schedule(service, scene, when, **changes)
    assert payload["errors"] == [], payload
    found: str = payload["session"]["id"]
    return found


async def cancel(service: Service, scene: Scene, session_id: str, language: str | None = None) -> dict[str, Any]:
    """Cancel a visit; return the payload."""
    data = await service.ask(CANCEL, {"id": session_id}, token=scene.holder.token, language=language)
    payload: dict[str, Any] = data["cancelVideoSession"]
    return payload


async def record(service: Service, switch: str, session_id: str, outcome: str = "COMPLETED") -> dict[str, Any]:
    """Report what became of a visit; return the payload."""
    data = await service.ask(RECORD, {"id": session_id, "outcome": outcome}, token=switch)
    payload: dict[str, Any] = data["recordVideoSession"]
    return payload


async def sessions(service: Service, scene: Scene, **page: Any) -> dict[str, Any]:
    """Return a page of the holder's visits."""
    data = await service.ask(SESSIONS, page, token=scene.holder.token)
    (found,) = data["me"]["serviceAccounts"]
    connection: dict[str, Any] = found["sessions"]
    return connection


async def kept(status: str | None = None) -> list[UUID]:
    """Return the keys of the rows of visits, or of those of a status."""
    rows = await fetch("select id, status from video_sessions order by id")
    return [read_uuid(row["id"]) for row in rows if status in (None, row["status"])]


def session_key(text: str) -> UUID:
    """Return the key behind a visit's id."""
    key = key_of(text, NodeKind.VIDEO_SESSION)
    assert key is not None
    return key


def session_id(key: UUID) -> str:
    """Return the id that clients hold."""
    return global_id(NodeKind.VIDEO_SESSION, key)
