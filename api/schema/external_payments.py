"""What partners and staff report, and what staff correct."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import strawberry

from api.domain.payments import PaymentChannel
from api.schema.errors import Payload
from api.schema.transactions import Transaction


@strawberry.type(description="What became of a payment that a partner reported.")
class ExternalPaymentPayload(Payload):
    applied: bool = strawberry.field(default=False, description="False: kept for staff to apply; nothing is lost.")
    replayed: bool = strawberry.field(
        default=False, description="True: this control number was reported before, with the same facts."
    )


@strawberry.type(description="The entry that was posted.")
class TransactionPayload(Payload):
    transaction: Transaction | None = strawberry.field(default=None, description="Null when refused.")
    replayed: bool = strawberry.field(
        default=False, description="True: the stored answer of an earlier call with this key."
    )


@strawberry.input(
    description="A payment by Western Union, MoneyGram or mail. The control number counts once per channel, for ever; "
    "a repeat with the same facts changes nothing."
)
class RecordExternalPaymentInput:
    account_number: str = strawberry.field(
        description="The printed account number; spaces and dashes do not matter. An unknown one is kept for staff, "
        "not refused."
    )
    channel: PaymentChannel = strawberry.field(description="WESTERN_UNION, MONEYGRAM or MAIL.")
    amount: Decimal = strawberry.field(description='What was paid, like "25.00".')
    external_reference: str = strawberry.field(
        description="The partner's control number, or a check's; 1 to 80 characters."
    )
    paid_at: datetime = strawberry.field(description="When it was paid; not in the future.")
