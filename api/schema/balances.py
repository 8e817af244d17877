"""Balances, and their live updates."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.domain.ids import NodeKind, global_id
from api.domain.ledger import UpdateCause
from api.domain.service_accounts import Product
from api.schema.enums import publish
from api.schema.scalars import Money, Node
from api.schema.transactions import Transaction
from api.services import balances, ledger

publish(
    UpdateCause,
    "Why a balance is told.",
    SNAPSHOT="The state as it was found: at the start, for a service just opened, after a changed "
    "threshold, and where updates were skipped.",
    CALL_STARTED="A call began or went on; money is held for it.",
    CALL_CHARGED="A call ended and was charged.",
    CALL_RELEASED="A call's hold ended without a charge.",
    PAYMENT_PENDING="A payment is under way.",
    PAYMENT_FAILED="A payment failed; it is no longer on its way.",
    FUNDED="A payment arrived.",
    AUTOPAY="AutoPay funded the account.",
    TEXTPAY="TextPay funded the account.",
    INVOICE_PAYMENT="An invoice was paid.",
    REFUND="Money was set aside to be refunded, or came back from a refund.",
    ADJUSTMENT="The operator corrected something.",
    CHARGEBACK="The card's bank took a payment back.",
    CLOSURE="The service is being closed.",
)


@strawberry.type(
    description="A balance that says how sure it is. Prepaid: available = posted - held. Direct Bill: posted is what "
    "is owed, unbilled and invoiced; available = credit limit - posted - held."
)
class Balance(Node):
    service_account_id: strawberry.ID = strawberry.field(description="The service that it belongs to.")
    product: Product = strawberry.field(description="That service's product.")
    revision: int = strawberry.field(
        description="Grows by one with each change; an update that is not higher than yours is old."
    )
    posted: Money = strawberry.field(
        description="The sum of all transactions; holds and payments under way are not in it."
    )
    held: Money = strawberry.field(description="Reserved for calls in progress.")
    incoming: Money = strawberry.field(description="Payments under way; they do not count yet.")
    available: Money = strawberry.field(description="What a call can use now.")
    is_low: bool = strawberry.field(description="True below the threshold that the holder set; false without one.")
    as_of: datetime = strawberry.field(description="The moment at which all of this was so.")

    @staticmethod
    def of(balance: ledger.Balance, as_of: datetime) -> Balance:
        return Balance(
            id=strawberry.ID(global_id(NodeKind.BALANCE, balance.id)),
            service_account_id=strawberry.ID(global_id(NodeKind.SERVICE_ACCOUNT, balance.service_account_id)),
            product=balance.product,
            revision=balance.revision,
            posted=Money.of(balance.posted),
            held=Money.of(balance.held),
            incoming=Money.of(balance.incoming),
            available=Money.of(balance.available),
            is_low=balance.is_low,
            as_of=as_of,
        )


@strawberry.type(
    description="A balance's whole new state, and why it changed. A reader that keeps up gets every revision; one that "
    "falls behind gets the newest state as SNAPSHOT."
)
class BalanceUpdate:
    balance: Balance = strawberry.field(description="The state as it is now.")
    cause: UpdateCause = strawberry.field(description="Why it is told.")
    transaction: Transaction | None = strawberry.field(
        description="What was posted; null for SNAPSHOT, and where only a hold or a payment under way changed."
    )
    at: datetime = strawberry.field(description="When it changed.")

    @staticmethod
    def of(change: balances.Change) -> BalanceUpdate:
        return BalanceUpdate(
            balance=Balance.of(change.balance, change.at),
            cause=change.cause,
            transaction=Transaction.of_entry(change.entry) if change.entry else None,
            at=change.at,
        )
