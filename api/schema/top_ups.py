"""AutoPay and TextPay of a service."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.ids import NodeKind
from api.domain.top_ups import AutoPayState, TextPayState
from api.schema.enums import publish
from api.schema.payments import Payment, PaymentMethod
from api.schema.scalars import Info, Money
from api.services.auto_pays import charged_this_month, last_payment
from api.services.text_pay_ends import open_offer

publish(
    AutoPayState,
    "Where AutoPay of a service stands.",
    ON="It charges when the balance falls below the threshold.",
    PAUSED="The holder paused it.",
    CAP_REACHED="The cap of the month does not allow another charge; it goes on when the month begins, Central time.",
    PAYMENT_FAILED="The card was declined three times, or cannot be used; resume it, or set it with another card.",
    TERMINATED="It was ended.",
)
publish(
    TextPayState,
    "Where TextPay of a service stands.",
    ON="It texts an offer when the balance falls below the threshold.",
    AWAITING_REPLY="An offer waits for a Yes.",
    PAYMENT_FAILED="The last Yes could not be charged; the next low balance is offered all the same.",
    TERMINATED="It was ended.",
)


async def _method(info: Info, method_id: UUID) -> PaymentMethod:
    row = await info.context.find(NodeKind.PAYMENT_METHOD, method_id)
    assert row is not None, "it is the same holder's"
    return PaymentMethod.of(row, info.context.ports.now())


@strawberry.type(description="Charges a preset amount each time the balance falls below a threshold.")
class AutoPay:
    state: AutoPayState = strawberry.field(description="Where it stands.")
    threshold: Money = strawberry.field(description="Below this posted balance it charges.")
    amount: Money = strawberry.field(description="What it credits each time; fees and taxes come on top.")
    monthly_cap: Money | None = strawberry.field(
        description="What it charges at most in a calendar month, Central time; null: no cap."
    )
    service_key: strawberry.Private[UUID]
    method_id: strawberry.Private[UUID]

    @strawberry.field(description="The card that it charges.")
    async def payment_method(self, info: Info) -> PaymentMethod:
        return await _method(info, self.method_id)

    @strawberry.field(description="What it has charged in this calendar month, Central time; what is under way counts.")
    async def charged_this_month(self, info: Info) -> Money:
        return Money.of(await charged_this_month(self.service_key, info.context.ports.now()))

    @strawberry.field(description="The charge that it began last, whatever became of it; null before the first.")
    async def last_payment(self) -> Payment | None:
        row = await last_payment(self.service_key)
        return Payment.of(row) if row else None

    @staticmethod
    def of(row: Row) -> AutoPay:
        return AutoPay(
            state=AutoPayState(row["state"]),
            threshold=Money.of(row["threshold"]),
            amount=Money.of(row["amount"]),
            monthly_cap=Money.of(row["monthly_cap"]) if row["monthly_cap"] is not None else None,
            service_key=read_uuid(row["service_account_id"]),
            method_id=read_uuid(row["method_id"]),
        )


@strawberry.type(description='Offers a preset amount by text when the balance falls low; the answer "Yes" charges it.')
class TextPay:
    state: TextPayState = strawberry.field(description="Where it stands.")
    phone: str = strawberry.field(description="The mobile that is texted; E.164.")
    threshold: Money = strawberry.field(description="Below this posted balance it offers.")
    amount: Money = strawberry.field(description="What a Yes credits; fees and taxes come on top.")
    key: strawberry.Private[UUID]
    method_id: strawberry.Private[UUID]

    @strawberry.field(description="The card that a Yes charges.")
    async def payment_method(self, info: Info) -> PaymentMethod:
        return await _method(info, self.method_id)

    @strawberry.field(description="Until when the open offer can be answered; null while none is open.")
    async def offer_expires_at(self, info: Info) -> datetime | None:
        offer = await open_offer(self.key)
        at = read_time(offer["expires_at"]) if offer else None
        return at if at and at > info.context.ports.now() else None

    @staticmethod
    def of(row: Row) -> TextPay:
        return TextPay(
            state=TextPayState(row["state"]),
            phone=row["phone"],
            threshold=Money.of(row["threshold"]),
            amount=Money.of(row["amount"]),
            key=read_uuid(row["id"]),
            method_id=read_uuid(row["method_id"]),
        )


@strawberry.input(description="Sets AutoPay of an AdvanceConnect service.")
class SetAutoPayInput:
    service_account_id: strawberry.ID = strawberry.field(description="The service to be funded.")
    threshold: Decimal = strawberry.field(description='Below this posted balance it charges, like "10.00".')
    amount: Decimal = strawberry.field(description="What it credits each time; at least the threshold.")
    payment_method_id: strawberry.ID = strawberry.field(description="One of the account's cards, not expired.")
    monthly_cap: Decimal | None = strawberry.field(
        default=None, description="What it charges at most in a calendar month, Central time; at least one payment."
    )
    accept_mandate: bool = strawberry.field(
        description="True once the holder has agreed to the text of `agreement(kind: AUTOPAY)`."
    )
    agreement_version: str = strawberry.field(description="The version of that text which was shown.")


@strawberry.input(description="Sets TextPay of an AdvanceConnect service.")
class SetTextPayInput:
    service_account_id: strawberry.ID = strawberry.field(description="The service to be funded.")
    phone: str = strawberry.field(description="The mobile to text; one mobile carries one TextPay.")
    threshold: Decimal = strawberry.field(description='Below this posted balance it offers, like "10.00".')
    amount: Decimal = strawberry.field(description="What a Yes credits.")
    payment_method_id: strawberry.ID = strawberry.field(description="One of the account's cards, not expired.")
    accept_mandate: bool = strawberry.field(
        description="True once the holder has agreed to the text of `agreement(kind: TEXTPAY)`."
    )
    accept_sms: bool = strawberry.field(description="True once the holder has agreed to be texted.")
    agreement_version: str = strawberry.field(description="The version of that text which was shown.")
