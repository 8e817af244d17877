"""Calls, for their holder and for the phone switch."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.ledger import CallStatus
from api.schema.enums import publish
from api.schema.errors import Payload
from api.schema.facilities import Facility
from api.schema.pages import connection
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services.pages import Page

publish(
    CallStatus,
    "Where a call stands.",
    IN_PROGRESS="Allowed, and not reported as ended yet.",
    ENDED="Reported by the switch.",
    REFUSED="Not allowed: no money, or the number is blocked or on no account.",
)


@strawberry.type(description="A call to a phone on a service.")
class Call(Node):
    phone: str = strawberry.field(description="The number that was called, E.164.")
    started_at: datetime = strawberry.field(description="When it began.")
    ended_at: datetime | None = strawberry.field(description="When it ended; null while it lasts or if refused.")
    duration_seconds: int | None = strawberry.field(description="How long it was; null until reported.")
    rate_per_minute: Decimal = strawberry.field(description='Dollars per started minute: "0.14".')
    cost: Money | None = strawberry.field(description="What was charged; null until it is reported.")
    status: CallStatus = strawberry.field(description="Where it stands.")
    facility_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="Where it came from, if the switch said so.")
    async def facility(self, info: Info) -> Facility | None:
        row = await info.context.find(NodeKind.FACILITY, self.facility_id)
        return Facility.of(row) if row else None

    @staticmethod
    def of(row: Row) -> Call:
        return Call(
            id=strawberry.ID(global_id(NodeKind.CALL, read_uuid(row["id"]))),
            phone=row["phone"],
            started_at=read_time(row["started_at"]),
            ended_at=read_time(row["ended_at"]) if row["ended_at"] else None,
            duration_seconds=row["duration_seconds"],
            rate_per_minute=Decimal(str(row["rate_per_minute"])).quantize(Decimal("0.0001")),
            cost=Money.of(row["cost"]) if row["cost"] is not None else None,
            status=CallStatus(row["status"]),
            facility_id=read_uuid(row["facility_id"]) if row["facility_id"] else None,
        )


@strawberry.type(description="A call on a page, with its cursor.")
class CallEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Call = strawberry.field(description="The call.")


@strawberry.type(description="Calls, newest first.")
class CallConnection:
    edges: list[CallEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> CallConnection:
        return connection(CallConnection, CallEdge, Call.of, page, _place)


def _place(row: Row) -> tuple[str, UUID]:
    return read_time(row["started_at"]).isoformat(" "), read_uuid(row["id"])


@strawberry.type(description="A call as it stands, and how long it may last.")
class CallPayload(Payload):
    call: Call | None = strawberry.field(default=None, description="The call; null when there are errors.")
    max_seconds: int | None = strawberry.field(
        default=None, description="Seconds that this segment may last; 0: refuse the call. Null for `recordCall`."
    )
    replayed: bool = strawberry.field(default=False, description="True: answered before; nothing was done again.")


@strawberry.input(
    description="What the phone switch asks before a call, and again before each further segment of it. The same "
    "callId and segment get the same answer and hold nothing more."
)
class AuthorizeCallInput:
    call_id: str = strawberry.field(description="The switch's own id of the call, 1 to 80 characters.")
    segment: int = strawberry.field(default=0, description="0 at first; one more each time the call is to go on.")
    phone: str = strawberry.field(description='The number that is called, as E.164: "+15055550123".')
    facility_id: strawberry.ID | None = strawberry.field(default=None, description="Where the call comes from.")
    rate_per_minute: Decimal = strawberry.field(
        description='Dollars per started minute: "0.14". Up to four places, at most 100.'
    )


@strawberry.input(
    description="A call as the phone switch reports it; callId is the switch's own and makes it idempotent."
)
class RecordCallInput:
    call_id: str = strawberry.field(description="The id that the call was authorised with, 1 to 80 characters.")
    phone: str = strawberry.field(description='The number that was called, as E.164: "+15055550123".')
    facility_id: strawberry.ID | None = strawberry.field(default=None, description="Where the call came from.")
    started_at: datetime = strawberry.field(description="When it began; at most ten minutes ahead of the clock here.")
    duration_seconds: int = strawberry.field(description="0 to 86400; 0 releases the hold and charges nothing.")
    rate_per_minute: Decimal = strawberry.field(
        description='Dollars per started minute: "0.14". Up to four places, at most 100.'
    )
