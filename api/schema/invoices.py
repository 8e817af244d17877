"""Invoices of Direct Bill, and what the link of one shows."""

from __future__ import annotations

from datetime import date

import strawberry

from api.adapters.database import Row, read_date, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.invoices import InvoiceKind, InvoiceStatus
from api.domain.payments import PaymentChannel, PaymentStatus
from api.schema.enums import publish
from api.schema.errors import Payload
from api.schema.pages import connection
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services.invoice_links import Linked
from api.services.invoices import pay_link
from api.services.pages import Page

publish(
    InvoiceKind,
    "Why an invoice was issued.",
    MONTHLY="A month's calls.",
    FINAL="What was left when the service was closed.",
)
publish(
    InvoiceStatus,
    "Where an invoice stands.",
    OPEN="To be paid by its due date.",
    PAST_DUE="Its due date is over, and something is still due.",
    PAID="Nothing is due any more.",
    VOID="Taken back; nothing is to be paid.",
)


@strawberry.type(description="What is to be paid of Direct Bill.")
class Invoice(Node):
    number: str = strawberry.field(description="As printed.")
    kind: InvoiceKind = strawberry.field(description="Why it was issued.")
    statement_date: date = strawberry.field(description="When it was issued, by US Central time.")
    due_date: date = strawberry.field(description="The last day on which it is paid in time.")
    total: Money = strawberry.field(description="What was billed.")
    due: Money = strawberry.field(description="What is still to be paid of it.")
    status: InvoiceStatus = strawberry.field(description="Where it stands.")
    row: strawberry.Private[Row]

    @strawberry.field(
        description="Pays without signing in: the final bill outlives the login. Null once nothing is due."
    )
    def pay_link(self, info: Info) -> str | None:
        return pay_link(info.context.ports, self.row)

    @staticmethod
    def of(row: Row) -> Invoice:
        return Invoice(
            id=strawberry.ID(global_id(NodeKind.INVOICE, read_uuid(row["id"]))),
            number=row["number"],
            kind=InvoiceKind(row["kind"]),
            statement_date=read_date(row["statement_date"]),
            due_date=read_date(row["due_date"]),
            total=Money.of(row["total"]),
            due=Money.of(row["due"]),
            status=InvoiceStatus(row["status"]),
            row=row,
        )


@strawberry.type(description="An invoice on a page, with its cursor.")
class InvoiceEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Invoice = strawberry.field(description="The invoice.")


@strawberry.type(description="Invoices, newest first.")
class InvoiceConnection:
    edges: list[InvoiceEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> InvoiceConnection:
        return connection(InvoiceConnection, InvoiceEdge, Invoice.of, page)


@strawberry.type(description="An invoice as its link shows it, to whoever holds the link: no name, phones or calls.")
class LinkedInvoice:
    number: str = strawberry.field(description="As printed.")
    statement_date: date = strawberry.field(description="When it was issued, by US Central time.")
    due_date: date = strawberry.field(description="The last day on which it is paid in time.")
    total: Money = strawberry.field(description="What was billed.")
    due: Money = strawberry.field(description="What is still to be paid; `payInvoiceByLink` takes exactly this.")
    status: InvoiceStatus = strawberry.field(description="Where it stands.")
    provider: str = strawberry.field(description="The card processor, whose own form makes the `providerToken`.")
    publishable_key: str = strawberry.field(description="For the processor's form; empty where it needs none.")
    payment_status: PaymentStatus | None = strawberry.field(
        description="Where the payment that is under way, or else the last one, stands; null before the first."
    )
    action_url: str | None = strawberry.field(
        description="Set while whoever pays by the link must act at the bank, e.g. for 3-D Secure."
    )
    row: strawberry.Private[Row]

    @strawberry.field(description="The link itself; null once nothing is due.")
    def pay_link(self, info: Info) -> str | None:
        return pay_link(info.context.ports, self.row)

    @staticmethod
    def of(linked: Linked, info: Info) -> LinkedInvoice:
        row, payment, processor = linked.invoice, linked.payment, info.context.ports.processor
        # The bank's page of a payment that the holder began, signed in, is the holder's alone.
        is_ours = payment is not None and payment["account_id"] is None
        is_ours = is_ours and payment is not None and payment["channel"] == PaymentChannel.CARD_ONLINE.value
        return LinkedInvoice(
            number=row["number"],
            statement_date=read_date(row["statement_date"]),
            due_date=read_date(row["due_date"]),
            total=Money.of(row["total"]),
            due=Money.of(row["due"]),
            status=InvoiceStatus(row["status"]),
            provider=processor.name,
            publishable_key=processor.publishable_key,
            payment_status=PaymentStatus(payment["status"]) if payment else None,
            action_url=payment["action_url"] if payment and is_ours else None,
            row=row,
        )


@strawberry.type(description="The invoice as it stands.")
class LinkedInvoicePayload(Payload):
    invoice: LinkedInvoice | None = strawberry.field(
        default=None, description="Null when refused before the card was charged; set also when declined."
    )
    replayed: bool = strawberry.field(
        default=False, description="True: the stored answer of an earlier call with this key."
    )
