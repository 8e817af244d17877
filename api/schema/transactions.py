"""Transactions: the ledger as the holder reads it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.ledger import TransactionKind
from api.domain.texts import pick_locale, render
from api.schema.calls import Call
from api.schema.enums import publish
from api.schema.pages import Locale, connection
from api.schema.payments import Payment
from api.schema.refunds import Refund
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services import ledger
from api.services.pages import Page
from api.services.transactions import Wanted

publish(
    TransactionKind,
    "What an entry of the ledger is.",
    FUNDING="A payment into the service.",
    CALL_CHARGE="A call.",
    CREDIT="Money that the operator gave.",
    ADJUSTMENT="A correction.",
    WRITE_OFF="A debt that the operator gave up.",
    REFUND="Money set aside to be refunded.",
    REFUND_REVERSAL="A refund that could not be paid came back.",
    CHARGEBACK="The card's bank took a payment back.",
    TRANSFER_TO_HELD_FUNDS="Money that could not be refunded, kept for the holder to claim.",
    INVOICE_PAYMENT="A payment of an invoice.",
)


@strawberry.type(description="One entry of a service's ledger; it never changes.")
class Transaction(Node):
    sequence: int = strawberry.field(description="Position in this service's ledger: 1, 2, 3, without gaps.")
    kind: TransactionKind = strawberry.field(description="What it is.")
    amount: Money = strawberry.field(description='Signed: "25.00" adds to the balance, "-0.56" takes from it.')
    balance_after: Money = strawberry.field(description="What was posted once this entry was.")
    occurred_at: datetime = strawberry.field(description="When it happened, e.g. when the call began.")
    posted_at: datetime = strawberry.field(description="When it entered the ledger.")
    call_id: strawberry.Private[UUID | None] = None
    payment_id: strawberry.Private[UUID | None] = None
    refund_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="One line for a statement.")
    def description(self, info: Info, locale: Locale = None) -> str:
        language = pick_locale(locale) if locale else info.context.locale
        return render(language, f"transactions.{self.kind.value.lower()}")

    @strawberry.field(description="The call that was charged; null for everything else.")
    async def call(self, info: Info) -> Call | None:
        row = await info.context.find(NodeKind.CALL, self.call_id)
        return Call.of(row) if row else None

    @strawberry.field(description="The payment that brought it; null for everything else.")
    async def payment(self, info: Info) -> Payment | None:
        row = await info.context.find(NodeKind.PAYMENT, self.payment_id)
        return Payment.of(row) if row else None

    @strawberry.field(description="The refund that took it or brought it back; null for everything else.")
    async def refund(self, info: Info) -> Refund | None:
        row = await info.context.find(NodeKind.REFUND, self.refund_id)
        return Refund.of(row) if row else None

    @staticmethod
    def of(row: Row) -> Transaction:
        return Transaction(
            id=strawberry.ID(global_id(NodeKind.TRANSACTION, read_uuid(row["id"]))),
            sequence=row["sequence"],
            kind=TransactionKind(row["kind"]),
            amount=Money.of(row["amount"]),
            balance_after=Money.of(row["balance_after"]),
            occurred_at=read_time(row["occurred_at"]),
            posted_at=read_time(row["posted_at"]),
            call_id=read_uuid(row["call_id"]) if row["call_id"] else None,
            payment_id=read_uuid(row["payment_id"]) if row["payment_id"] else None,
            refund_id=ledger.refund_of(row["source_key"]),
        )

    @staticmethod
    def of_entry(entry: ledger.Entry) -> Transaction:
        return Transaction(
            id=strawberry.ID(global_id(NodeKind.TRANSACTION, entry.id)),
            sequence=entry.sequence,
            kind=entry.kind,
            amount=Money.of(entry.amount),
            balance_after=Money.of(entry.balance_after),
            occurred_at=entry.occurred_at,
            posted_at=entry.posted_at,
            call_id=entry.call_id,
            payment_id=entry.payment_id,
            refund_id=entry.refund_id,
        )


@strawberry.type(description="A transaction on a page, with its cursor.")
class TransactionEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Transaction = strawberry.field(description="The transaction.")


@strawberry.type(description="Transactions, newest first.")
class TransactionConnection:
    edges: list[TransactionEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> TransactionConnection:
        return connection(TransactionConnection, TransactionEdge, Transaction.of, page, lambda row: (row["sequence"],))


@strawberry.input(description="Which transactions; conditions that are left out hold for all.")
class TransactionFilter:
    kinds: list[TransactionKind] | None = strawberry.field(default=None, description="Of one of these kinds.")
    from_: datetime | None = strawberry.field(default=None, name="from", description="Posted then or later.")
    to: datetime | None = strawberry.field(default=None, description="Posted before then.")
    min_amount: Decimal | None = strawberry.field(
        default=None, description="Signed amount, at least this; charges are below zero."
    )
    max_amount: Decimal | None = strawberry.field(
        default=None, description="Signed amount, at most this; charges are below zero."
    )


Filter = Annotated[TransactionFilter | None, strawberry.argument(description="Which ones; all when left out.")]


def wanted_by(filter: TransactionFilter | None) -> Wanted:
    """Return a filter's conditions."""
    if filter is None:
        return Wanted()
    return Wanted(tuple(filter.kinds or ()), filter.from_, filter.to, filter.min_amount, filter.max_amount)
