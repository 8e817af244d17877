"""Facilities."""

from __future__ import annotations

import strawberry

from api.adapters.database import Row, read_json, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.service_accounts import Product
from api.schema.enums import publish
from api.schema.scalars import Node

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

    @staticmethod
    def of(row: Row, prefix: str = "") -> Facility:
        return Facility(
            id=strawberry.ID(global_id(NodeKind.FACILITY, read_uuid(row[f"{prefix}id"]))),
            name=row[f"{prefix}name"],
            state=row[f"{prefix}state"],
            time_zone=row[f"{prefix}time_zone"],
            products=[Product(code) for code in read_json(row[f"{prefix}products"])],
        )
