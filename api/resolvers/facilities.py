"""Facilities, what calls from them cost, and the people in custody there."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ids import NodeKind, key_of
from api.resolvers.fields import query
from api.schema.facilities import FacilityConnection, RateQuote
from api.schema.incarcerated_people import IncarceratedPerson
from api.schema.pages import After, Before, First, Last, page_request
from api.schema.scalars import Info
from api.services.facilities import facilities_page
from api.services.incarcerated_people import find_person
from api.services.rates import rate_at

CALL_MINUTES_MAX = 24 * 60
"""No call lasts longer than a day."""

FacilityId = Annotated[strawberry.ID, strawberry.argument(description="The facility.")]


@strawberry.type
class FacilitiesQueries:
    """Queries of facilities."""

    @query("Facilities, by name.")
    async def facilities(
        self,
        search: Annotated[
            str | None, strawberry.argument(description="Only those whose name holds this, in any case.")
        ] = None,
        state: Annotated[str | None, strawberry.argument(description="Only those of a state, like NM.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> FacilityConnection:
        page = await facilities_page(search, state, page_request(first, after, last, before))
        return FacilityConnection.of(page)

    @query("What a call from a facility costs today; null where there is no such facility or no rate is set.")
    async def rate_quote(
        self,
        info: Info,
        facility_id: FacilityId,
        minutes: Annotated[int, strawberry.argument(description="How long the call is, 1 to 1440.")] = 15,
    ) -> RateQuote | None:
        if not 1 <= minutes <= CALL_MINUTES_MAX:
            raise Refused(Fault(ErrorCode.INVALID, "errors.invalid", ("minutes",)))
        facility = await info.context.find(NodeKind.FACILITY, key_of(facility_id, NodeKind.FACILITY))
        rate = await rate_at(facility, info.context.ports.now()) if facility else None
        return RateQuote.of(facility, rate, minutes) if facility and rate else None

    @query(
        "Finds a person in custody. All three must fit; nothing is listed or suggested, and what did not fit is not "
        "told. Too many tries that find nobody are refused with RATE_LIMITED."
    )
    async def find_incarcerated_person(
        self,
        info: Info,
        facility_id: FacilityId,
        number: Annotated[str, strawberry.argument(description="The facility's number of the person.")],
        last_name: Annotated[str, strawberry.argument(description="Case, accents, spaces and hyphens do not count.")],
    ) -> IncarceratedPerson | None:
        facility = key_of(facility_id, NodeKind.FACILITY)
        if facility is None:
            return None
        client = info.context.connection.client_address
        row = await find_person(info.context.ports, facility, number, last_name, client)
        return IncarceratedPerson.of(row) if row else None
