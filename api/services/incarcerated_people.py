"""People in custody: found by those who know facility, number and last name."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch_one, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, client_of, count_try, take_back
from api.domain.incarcerated_people import NAME_LENGTH_MAX, NUMBER_LENGTH_MAX, name_key, number_key

PEOPLE = (
    "select p.id, p.first_name, p.last_name, f.id as f_id, f.name as f_name, f.state as f_state,"
    " f.time_zone as f_time_zone, f.products as f_products"
    " from incarcerated_people p join facilities f on f.id = p.facility_id"
)
"""A person with the facility, so that showing one is one statement."""


async def find_person(ports: Ports, facility_id: UUID, number: str, last_name: str, client: str) -> Row | None:
    """Return the person whom all three fit, or None; which of them does not fit is not told.

    Raises Refused with RATE_LIMITED for a client that looks for too many who are not there.
    """
    await count_try(ports, (Limit.PEOPLE_PER_CLIENT, client_of(client)))
    if len(number) > NUMBER_LENGTH_MAX or len(last_name) > NAME_LENGTH_MAX:
        return None
    number, name = number_key(number), name_key(last_name)
    if not number or not name:
        return None
    return await _find(ports, facility_id, number, name, client)


@transactional
async def _find(ports: Ports, facility_id: UUID, number: str, name: str, client: str) -> Row | None:
    row = await fetch_one(
        f"{PEOPLE} where p.facility_id = $1 and p.number = $2 and p.name_key = $3", facility_id, number, name
    )
    if row is not None:
        await take_back(ports, Limit.PEOPLE_PER_CLIENT, client_of(client))
    return row


async def person_of(service_id: UUID) -> Row:
    """Return the person whom a Debit account is for."""
    row = await fetch_one(
        f"{PEOPLE} join service_accounts s on s.incarcerated_person_id = p.id where s.id = $1", service_id
    )
    assert row is not None, "a Debit account names its person"
    return row
