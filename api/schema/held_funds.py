"""Held funds: money that could not be paid out, and how it is claimed."""

from __future__ import annotations

from datetime import date, datetime

import strawberry

from api.adapters.database import Row, read_date, read_time, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.texts import render
from api.schema.pages import connection
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services.pages import Page


@strawberry.type(description="Money that could not be paid out. It stays the holder's until its final disposition.")
class HeldFunds(Node):
    amount: Money = strawberry.field(description="How much is held, or was.")
    held_since: datetime = strawberry.field(description="Since when.")
    claimable: bool = strawberry.field(description="True while `claimHeldFunds` pays it out.")
    disposition_on: date | None = strawberry.field(
        description="On this day, of US Central time, it goes to where the law of the state wants it; claim it before."
    )
    cause_key: strawberry.Private[str]

    @strawberry.field(description="Why it could not be paid out, in the reader's language.")
    def cause(self, info: Info) -> str:
        return render(info.context.locale, f"refunds.held_{self.cause_key}")

    @staticmethod
    def of(row: Row) -> HeldFunds:
        return HeldFunds(
            id=strawberry.ID(global_id(NodeKind.HELD_FUNDS, read_uuid(row["id"]))),
            amount=Money.of(row["amount"]),
            held_since=read_time(row["held_since"]),
            claimable=row["state"] == "HELD",
            disposition_on=read_date(row["disposition_on"]) if row["disposition_on"] else None,
            cause_key=row["cause"],
        )


@strawberry.type(description="Held funds on a page, with their cursor.")
class HeldFundsEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: HeldFunds = strawberry.field(description="The held funds.")


@strawberry.type(description="Held funds, newest first.")
class HeldFundsConnection:
    edges: list[HeldFundsEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> HeldFundsConnection:
        return connection(HeldFundsConnection, HeldFundsEdge, HeldFunds.of, page)
