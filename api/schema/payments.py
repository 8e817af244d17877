"""Cards, quotes and payments."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_json, read_time, read_uuid
from api.domain.charge_lines import Line
from api.domain.ids import NodeKind, global_id
from api.domain.payments import DeclineReason, PaymentChannel, PaymentPurpose, PaymentStatus
from api.domain.texts import render
from api.schema.enums import publish
from api.schema.errors import Payload
from api.schema.pages import connection
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services.pages import Page
from api.services.payment_methods import is_expired

if TYPE_CHECKING:
    from api.schema.service_accounts import ServiceAccount

publish(
    PaymentChannel,
    "The way by which money came in.",
    CARD_ONLINE="A card, charged online by the holder.",
    AUTOPAY="A card, charged by AutoPay, or by a plan that renewed.",
    TEXTPAY="A card, charged by answering a text.",
    WESTERN_UNION="Cash or transfer at Western Union.",
    MONEYGRAM="Cash or transfer at MoneyGram.",
    MAIL="A check or money order by mail.",
)
publish(
    PaymentPurpose,
    "What a payment is for.",
    FUND_ADVANCE_CONNECT="Prepaid calling.",
    FUND_DEBIT="A deposit that belongs to a person in custody.",
    BUY_STAMPS="Stamps for messages.",
    PAY_INVOICE="An invoice of Direct Bill.",
    SUBSCRIPTION="A month of a plan.",
    VIDEO_SESSION="A video visit.",
)
publish(
    PaymentStatus,
    "Where a payment stands.",
    REQUIRES_ACTION="The holder must act at `actionUrl`, e.g. for 3-D Secure.",
    PROCESSING="Under way, or its outcome is not known yet; it is not a failure.",
    SUCCEEDED="The money is credited.",
    FAILED="Nothing was charged.",
    REFUNDED="All of it was refunded.",
    PARTIALLY_REFUNDED="Some of it was refunded.",
    CHARGED_BACK="The card's bank took it back.",
)


@strawberry.type(description="A token at the payment processor. The API has no field that can carry a card number.")
class PaymentMethod(Node):
    brand: str = strawberry.field(description='As the processor names it: "Visa".')
    last4: str = strawberry.field(description="The last four digits, to recognise the card by.")
    expiry_month: int = strawberry.field(description="1 to 12.")
    expiry_year: int = strawberry.field(description="Four digits.")
    expired: bool = strawberry.field(description="True once its last month is over.")
    is_default: bool = strawberry.field(description="True for the card that is offered first.")
    added_at: datetime = strawberry.field(description="When it was added.")
    last_used_at: datetime | None = strawberry.field(description="When it was last charged; null if never.")

    @staticmethod
    def of(row: Row, now: datetime, prefix: str = "") -> PaymentMethod:
        last_used_at = row[f"{prefix}last_used_at"]
        month, year = row[f"{prefix}expiry_month"], row[f"{prefix}expiry_year"]
        return PaymentMethod(
            id=strawberry.ID(global_id(NodeKind.PAYMENT_METHOD, read_uuid(row[f"{prefix}id"]))),
            brand=row[f"{prefix}brand"],
            last4=row[f"{prefix}last4"],
            expiry_month=month,
            expiry_year=year,
            expired=is_expired(month, year, now),
            is_default=row[f"{prefix}default_of"] is not None,
            added_at=read_time(row[f"{prefix}added_at"]),
            last_used_at=read_time(last_used_at) if last_used_at else None,
        )


@strawberry.type(description="One line of what a payment is made of.")
class ChargeLine:
    label: str = strawberry.field(description="In the reader's language.")
    amount: Money = strawberry.field(description="Its share of the total.")


def charge_lines(kept: list[list[Any]], locale: str) -> list[ChargeLine]:
    """Return the lines that a quote or payment keeps, as they are shown."""
    lines = [Line.of(line) for line in kept]
    return [ChargeLine(label=_label(line, locale), amount=Money.of(line.amount)) for line in lines]


def _label(line: Line, locale: str) -> str:
    return render(locale, line.label) if isinstance(line.label, str) else line.label[locale]


@strawberry.type(description="What a payment will cost, line by line; pay() charges exactly this.")
class PaymentQuote(Node):
    purpose: PaymentPurpose = strawberry.field(description="What it is for.")
    total: Money = strawberry.field(description="What will be charged.")
    balance_after: Money | None = strawberry.field(
        description="What will be posted once it is paid, of an invoice what is owed then; null where no balance of "
        "money shows it, and when looked up by `node`."
    )
    estimated_minutes: int | None = strawberry.field(
        description="For about how many minutes of calls a deposit pays: by the rate of the facility that called last, "
        "else by the most usual one; null for all else, where no rate is known, and when looked up by `node`."
    )
    expires_at: datetime = strawberry.field(description="Until when it can be paid; then ask for a new one.")
    kept_lines: strawberry.Private[list[list[Any]]]

    @strawberry.field(description="What the total is made of.")
    def lines(self, info: Info) -> list[ChargeLine]:
        return charge_lines(self.kept_lines, info.context.locale)

    @staticmethod
    def of(row: Row, balance_after: int | None, estimated_minutes: int | None = None) -> PaymentQuote:
        return PaymentQuote(
            id=strawberry.ID(global_id(NodeKind.QUOTE, read_uuid(row["id"]))),
            purpose=PaymentPurpose(row["purpose"]),
            total=Money.of(row["total"]),
            balance_after=Money.of(balance_after) if balance_after is not None else None,
            estimated_minutes=estimated_minutes,
            expires_at=read_time(row["expires_at"]),
            kept_lines=read_json(row["lines"]),
        )


@strawberry.type(description="Money that came in, or is on its way.")
class Payment(Node):
    purpose: PaymentPurpose = strawberry.field(description="What it is for.")
    channel: PaymentChannel = strawberry.field(description="How it came in; a refund follows it.")
    status: PaymentStatus = strawberry.field(description="Where it stands; PROCESSING is not a failure.")
    amount: Money = strawberry.field(description="What is credited to the service.")
    total: Money = strawberry.field(description="What is charged: the amount with fees and taxes.")
    decline_reason: DeclineReason | None = strawberry.field(description="Why it failed; null unless it did.")
    external_reference: str | None = strawberry.field(
        description="Control number of a Western Union, MoneyGram or mailed payment."
    )
    action_url: str | None = strawberry.field(
        description="Where to send the holder while the status is REQUIRES_ACTION, e.g. for 3-D Secure."
    )
    created_at: datetime = strawberry.field(description="When it was asked for.")
    settled_at: datetime | None = strawberry.field(description="When it succeeded or failed; null until then.")
    kept_lines: strawberry.Private[list[list[Any]]]
    method_id: strawberry.Private[UUID | None] = None
    service_account_id: strawberry.Private[UUID | None] = None

    @strawberry.field(description="What the total is made of.")
    def lines(self, info: Info) -> list[ChargeLine]:
        return charge_lines(self.kept_lines, info.context.locale)

    @strawberry.field(description="The card, also when it was removed since; null for payments by partners.")
    async def method(self, info: Info) -> PaymentMethod | None:
        row = await info.context.find(NodeKind.PAYMENT_METHOD, self.method_id)
        return PaymentMethod.of(row, info.context.ports.now()) if row else None

    @strawberry.field(description="The service that it paid into.")
    async def service_account(
        self, info: Info
    ) -> Annotated[ServiceAccount, strawberry.lazy("api.schema.service_accounts")] | None:
        from api.schema.service_accounts import service_account_of

        row = await info.context.find(NodeKind.SERVICE_ACCOUNT, self.service_account_id)
        return service_account_of(row) if row else None

    @staticmethod
    def of(row: Row) -> Payment:
        return Payment(
            id=strawberry.ID(global_id(NodeKind.PAYMENT, read_uuid(row["id"]))),
            purpose=PaymentPurpose(row["purpose"]),
            channel=PaymentChannel(row["channel"]),
            status=PaymentStatus(row["status"]),
            amount=Money.of(row["amount"]),
            total=Money.of(row["total"]),
            decline_reason=DeclineReason(row["decline_reason"]) if row["decline_reason"] else None,
            external_reference=row["external_reference"],
            action_url=row["action_url"],
            created_at=read_time(row["created_at"]),
            settled_at=read_time(row["settled_at"]) if row["settled_at"] else None,
            kept_lines=read_json(row["lines"]),
            method_id=read_uuid(row["method_id"]) if row["method_id"] else None,
            service_account_id=read_uuid(row["service_account_id"]) if row["service_account_id"] else None,
        )


@strawberry.type(description="A payment on a page, with its cursor.")
class PaymentEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Payment = strawberry.field(description="The payment.")


@strawberry.type(description="Payments, newest first.")
class PaymentConnection:
    edges: list[PaymentEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> PaymentConnection:
        return connection(PaymentConnection, PaymentEdge, Payment.of, page)


@strawberry.type(description="What the processor's own form needs to take a card; the card number never comes here.")
class PaymentMethodSetupPayload(Payload):
    client_secret: str | None = strawberry.field(
        default=None, description="For the processor's form, this once; null when refused."
    )
    provider: str | None = strawberry.field(
        default=None, description='Whose form it is: "stripe", or "simulated" in the sandbox, which needs none.'
    )
    publishable_key: str | None = strawberry.field(
        default=None, description="What the form is opened with; null where it needs none."
    )


@strawberry.type(description="The card that was added, changed or removed.")
class PaymentMethodPayload(Payload):
    payment_method: PaymentMethod | None = strawberry.field(default=None, description="Null when refused.")


@strawberry.type(description="The quote to pay.")
class PaymentQuotePayload(Payload):
    quote: PaymentQuote | None = strawberry.field(default=None, description="Null when refused.")


@strawberry.type(description="The payment as it stands.")
class PaymentPayload(Payload):
    payment: Payment | None = strawberry.field(
        default=None, description="Null when refused before the processor was asked; set also when declined."
    )
    replayed: bool = strawberry.field(
        default=False, description="True: the stored answer of an earlier call with this key."
    )


@strawberry.input(description="What is to be paid.")
class QuotePaymentInput:
    purpose: PaymentPurpose = strawberry.field(
        description="What it is for; it decides which of the others must be given, and that no more are."
    )
    service_account_id: strawberry.ID | None = strawberry.field(
        default=None, description="The service to fund, or to buy stamps for."
    )
    invoice_id: strawberry.ID | None = strawberry.field(
        default=None, description="PAY_INVOICE: an open invoice; all that is due of it is paid."
    )
    plan_id: strawberry.ID | None = strawberry.field(
        default=None, description="SUBSCRIPTION: the plan whose first month is paid, by `subscribe`."
    )
    stamps: int | None = strawberry.field(
        default=None, description="BUY_STAMPS: how many, one of the packs of `EMessagingAccount.stampPacks`."
    )
    amount: Decimal | None = strawberry.field(
        default=None, description='Deposits: what is to be credited, like "25.00"; fees and taxes come on top.'
    )


@strawberry.input(description="Pays a quote with a card.")
class PayInput:
    quote_id: strawberry.ID = strawberry.field(description="The quote; it is paid at most once, whatever the key.")
    payment_method_id: strawberry.ID = strawberry.field(description="One of the account's cards.")
    return_url: str | None = strawberry.field(
        default=None, description="Where the bank's check leads back to, from the allowed list, app links too."
    )
    idempotency_key: str = strawberry.field(
        description="Made by the client, 1 to 200 printable characters, kept until it has the answer; the same key "
        "never pays twice."
    )
