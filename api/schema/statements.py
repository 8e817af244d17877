"""Monthly statements."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_date, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.service_accounts import Product
from api.schema.pages import connection
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services.pages import Page
from api.services.transaction_files import statement_url


@strawberry.type(
    description="A month of AdvanceConnect or Direct Bill, by US Central time. Prepaid: opening + deposits - charges = "
    "closing. Direct Bill, whose balance is what is owed: opening - deposits + charges = closing."
)
class Statement(Node):
    service_account_id: strawberry.ID = strawberry.field(description="The service that it is of.")
    product: Product = strawberry.field(description="That service's product.")
    period_start: date = strawberry.field(description="The month's first day.")
    period_end: date = strawberry.field(description="The month's last day.")
    opening: Money = strawberry.field(description="What was posted at the start: the closing of the month before.")
    deposits: Money = strawberry.field(description="All in the holder's favour: payments, credits, what came back.")
    charges: Money = strawberry.field(description="All against the holder: calls, refunds, what was taken back.")
    closing: Money = strawberry.field(description="What was posted at the end.")
    call_seconds: int = strawberry.field(description="How long the month's calls were together.")
    key: strawberry.Private[UUID]
    account_key: strawberry.Private[UUID]

    @strawberry.field(description="The month's transactions as CSV, behind a link that works for fifteen minutes.")
    def csv_url(self, info: Info) -> str:
        return statement_url(info.context.ports, self.account_key, self.key)

    @staticmethod
    def of(row: Row) -> Statement:
        key, service = read_uuid(row["id"]), read_uuid(row["service_account_id"])
        return Statement(
            id=strawberry.ID(global_id(NodeKind.STATEMENT, key)),
            service_account_id=strawberry.ID(global_id(NodeKind.SERVICE_ACCOUNT, service)),
            product=Product(row["product"]),
            period_start=read_date(row["period_start"]),
            period_end=read_date(row["period_end"]),
            opening=Money.of(row["opening"]),
            deposits=Money.of(row["deposits"]),
            charges=Money.of(row["charges"]),
            closing=Money.of(row["closing"]),
            call_seconds=row["call_seconds"],
            key=key,
            account_key=read_uuid(row["account_id"]),
        )


@strawberry.type(description="A statement on a page, with its cursor.")
class StatementEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Statement = strawberry.field(description="The statement.")


@strawberry.type(description="Statements, newest first.")
class StatementConnection:
    edges: list[StatementEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> StatementConnection:
        return connection(StatementConnection, StatementEdge, Statement.of, page)
