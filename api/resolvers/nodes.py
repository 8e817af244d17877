"""Finding anything by its id. What is not the viewer's is answered like what does not exist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated
from uuid import UUID

import strawberry

from api.adapters.database import Row
from api.context import Context
from api.domain.ids import NodeKind, read_id
from api.resolvers.fields import query
from api.schema.accounts import Account, Session
from api.schema.activity import Activity
from api.schema.balances import Balance
from api.schema.calls import Call
from api.schema.cancellations import Cancellation
from api.schema.closures import Closure
from api.schema.facilities import Facility
from api.schema.held_funds import HeldFunds
from api.schema.incarcerated_people import IncarceratedPerson
from api.schema.invoices import Invoice
from api.schema.payments import Payment, PaymentMethod, PaymentQuote
from api.schema.plans import Plan, PlanSubscription
from api.schema.refunds import Refund
from api.schema.scalars import Info, Node
from api.schema.service_accounts import AccountPhone, service_account_of
from api.schema.statements import Statement
from api.schema.transactions import Transaction
from api.schema.video_sessions import VideoSession
from api.services import ledger

NODES_MAX = 100


def _session(context: Context, row: Row) -> Session:
    current: UUID | None = context.viewer.sign_in_id if context.viewer else None
    return Session.of(row, current_id=current)


_NODES: dict[NodeKind, Callable[[Context, Row], Node]] = {
    NodeKind.ACCOUNT: lambda context, row: Account.of(row),
    NodeKind.SIGN_IN: _session,
    NodeKind.SERVICE_ACCOUNT: lambda context, row: service_account_of(row),
    NodeKind.BALANCE: lambda context, row: Balance.of(ledger.Balance.of(row), context.ports.now()),
    NodeKind.PHONE: lambda context, row: AccountPhone.of(row),
    NodeKind.FACILITY: lambda context, row: Facility.of(row),
    NodeKind.TRANSACTION: lambda context, row: Transaction.of(row),
    NodeKind.CALL: lambda context, row: Call.of(row),
    NodeKind.PAYMENT_METHOD: lambda context, row: PaymentMethod.of(row, context.ports.now()),
    NodeKind.QUOTE: lambda context, row: PaymentQuote.of(row, None),
    NodeKind.PAYMENT: lambda context, row: Payment.of(row),
    NodeKind.REFUND: lambda context, row: Refund.of(row),
    NodeKind.HELD_FUNDS: lambda context, row: HeldFunds.of(row),
    NodeKind.INVOICE: lambda context, row: Invoice.of(row),
    NodeKind.STATEMENT: lambda context, row: Statement.of(row),
    NodeKind.ACTIVITY: lambda context, row: Activity.of(row),
    NodeKind.CLOSURE: lambda context, row: Closure.of(row),
    NodeKind.PLAN: lambda context, row: Plan.of(row),
    NodeKind.INCARCERATED_PERSON: lambda context, row: IncarceratedPerson.of(row),
    NodeKind.VIDEO_SESSION: lambda context, row: VideoSession.of(row),
    NodeKind.CANCELLATION: lambda context, row: Cancellation.of(row, context.ports.now()),
    NodeKind.SUBSCRIPTION: lambda context, row: PlanSubscription.of(row, context.ports.now()),
}


async def _find(context: Context, text: str) -> Node | None:
    found = read_id(text)
    if found is None or found[0] not in _NODES:
        return None
    row = await context.find(*found)
    return _NODES[found[0]](context, row) if row else None


@strawberry.type
class NodesQueries:
    """Queries by id."""

    @query("What has this id; null for what does not exist and for what is somebody else's.")
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id.")]
    ) -> Node | None:
        return await _find(info.context, id)

    @query("What has each of these ids, in their order; at most 100.")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="The ids.")]
    ) -> list[Node | None]:
        if len(ids) > NODES_MAX:
            raise info.context.bad_request("errors.nodes_too_many", maximum=NODES_MAX)
        return await asyncio.gather(*(_find(info.context, text) for text in ids))
