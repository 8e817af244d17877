"""Facilities, and what a call from one costs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_json, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.money import call_cost_cents
from api.domain.service_accounts import Product
from api.schema.enums import publish
from api.schema.pages import connection
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services.pages import Page
from api.services.rates import Rate

if TYPE_CHECKING:
    from api.schema.plans import Plan

publish(
    Product,
    "What a family can pay for.",
    ADVANCE_CONNECT="Prepaid calling for the phone numbers on it.",
    DIRECT_BILL="Calls paid monthly, after use.",
    DEBIT="Deposits that belong to a person in custody.",
    EMESSAGING="Messages, paid with stamps.",
    VIDEO_CONNECT="Video visits, single or by monthly plan.",
)


@strawberry.type(description="A jail or prison.")
class Facility(Node):
    name: str = strawberry.field(description="As its sign says.")
    state: str = strawberry.field(description="Two letters, like NM.")
    time_zone: str = strawberry.field(description="IANA name; dates at the facility follow it.")
    products: list[Product] = strawberry.field(description="What it offers.")
    key: strawberry.Private[UUID]

    @strawberry.field(description="The monthly plans that it offers, the cheapest first.")
    async def plans(self, info: Info) -> list[Annotated[Plan, strawberry.lazy("api.schema.plans")]]:
        from api.schema.plans import Plan

        return [Plan.of(row) for row in await info.context.plans_at(self.key)]

    @staticmethod
    def of(row: Row, prefix: str = "") -> Facility:
        key = read_uuid(row[f"{prefix}id"])
        return Facility(
            id=strawberry.ID(global_id(NodeKind.FACILITY, key)),
            name=row[f"{prefix}name"],
            state=row[f"{prefix}state"],
            time_zone=row[f"{prefix}time_zone"],
            products=[Product(code) for code in read_json(row[f"{prefix}products"])],
            key=key,
        )


@strawberry.type(description="A facility on a page, with its cursor.")
class FacilityEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Facility = strawberry.field(description="The facility.")


@strawberry.type(description="Facilities, by name.")
class FacilityConnection:
    edges: list[FacilityEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> FacilityConnection:
        return connection(
            FacilityConnection, FacilityEdge, Facility.of, page, lambda row: (row["name"], read_uuid(row["id"]))
        )


@strawberry.type(description="What a call from a facility costs, by the rate that is in force there today.")
class RateQuote:
    facility: Facility = strawberry.field(description="Where the call comes from.")
    per_minute: Decimal = strawberry.field(description='Dollars per started minute: "0.1400".')
    minutes: int = strawberry.field(description="How long the call is taken to be.")
    total: Money = strawberry.field(description="What such a call costs, rounded once.")
    effective_from: date = strawberry.field(description="Since which day the rate holds, by the facility's time zone.")

    @staticmethod
    def of(facility: Row, rate: Rate, minutes: int) -> RateQuote:
        return RateQuote(
            facility=Facility.of(facility),
            per_minute=rate.per_minute.quantize(Decimal("0.0001")),
            minutes=minutes,
            total=Money.of(call_cost_cents(rate.per_minute, minutes * 60)),
            effective_from=rate.effective_from,
        )
