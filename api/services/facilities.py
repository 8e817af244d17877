"""Facilities: finding them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from api.adapters.database import Row, fetch
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.plain_text import is_printable
from api.services.pages import Page, PageRequest, in_order
from api.services.plans import PLANS

SEARCH_LENGTH_MAX = 100
PLANS_SHOWN_MAX = 1_000


async def facilities_page(search: str | None, state: str | None, request: PageRequest) -> Page:
    """Return facilities by name, those whose name holds `search` and that are in `state`; one statement."""
    query, values = "select * from facilities where 1 = 1", []
    for text in (search, state):
        if text is not None and (len(text) > SEARCH_LENGTH_MAX or not is_printable(text)):
            raise Refused(Fault(ErrorCode.INVALID, "errors.invalid"))
    if search is not None and search.strip():
        words = search.strip().lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values.append(f"%{words}%")
        query += f" and lower(name) like ${len(values)} escape '!'"
    if state is not None:
        values.append(state.strip().upper())
        query += f" and state = ${len(values)}"
    return await in_order(query, values, [("name", str), ("id", UUID)], request)


async def plans_at(facility_ids: Sequence[UUID]) -> Sequence[Row]:
    """Return the plans of facilities, the cheapest first; one statement."""
    places = ", ".join(f"${n + 1}" for n in range(len(facility_ids)))
    return await fetch(
        f"{PLANS.format(key='p.id', more='')} where p.facility_id in ({places})"
        f" order by p.price, p.id limit {PLANS_SHOWN_MAX}",
        *facility_ids,
    )
