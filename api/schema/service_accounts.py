"""Service accounts: what all products share, and AdvanceConnect."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.days import day_of
from api.domain.ids import NodeKind, global_id
from api.domain.service_accounts import REFUNDABLE, Product, ServiceStatus
from api.domain.texts import pick_locale, render
from api.schema.balances import Balance
from api.schema.calls import CallConnection
from api.schema.enums import publish
from api.schema.errors import Payload
from api.schema.inactivity import Inactivity
from api.schema.pages import After, Before, First, Last, Locale, page_request
from api.schema.payments import Payment
from api.schema.scalars import Info, Money, Node
from api.schema.top_ups import AutoPay, TextPay
from api.schema.transactions import Filter, TransactionConnection, wanted_by
from api.services.auto_pays import find_auto_pay
from api.services.calls import calls_page
from api.services.inactivity_plans import standing_of
from api.services.low_balances import alert_threshold
from api.services.payments import last_funding
from api.services.phones import phones_of
from api.services.text_pay_ends import find_text_pay
from api.services.transaction_files import transactions_url
from api.services.transactions import transactions_page

publish(
    ServiceStatus,
    "Where a service stands.",
    ACTIVE="Open.",
    CLOSING="Being closed: no new calls, what is left is settled and refunded.",
    CLOSED="Closed; open it again to use it.",
)


@strawberry.type(description="Whether money of this product comes back.")
class RefundPolicy:
    refundable: bool = strawberry.field(description="True when what is left is refunded upon closing.")
    product: strawberry.Private[Product]

    @strawberry.field(description="The rule in one or two sentences.")
    def summary(self, info: Info, locale: Locale = None) -> str:
        language = pick_locale(locale) if locale else info.context.locale
        return render(language, f"service_accounts.refund_{self.product.value.lower()}")


@strawberry.interface(description="One product of an account, with a printed number by which partners pay.")
class ServiceAccount(Node):
    product: Product = strawberry.field(description="Which product.")
    number: str = strawberry.field(description="The printed account number; its last digit is a check digit.")
    status: ServiceStatus = strawberry.field(description="Where it stands.")
    opened_at: datetime = strawberry.field(description="When it was opened.")
    closed_at: datetime | None = strawberry.field(description="When it was closed; null while it is open.")
    refund_policy: RefundPolicy = strawberry.field(description="Whether its money comes back.")
    key: strawberry.Private[UUID]
    account_key: strawberry.Private[UUID]


@strawberry.type(description="A phone number on a service; calls to it are paid from it.")
class AccountPhone(Node):
    phone: str = strawberry.field(description="E.164, like +15055550123.")
    label: str | None = strawberry.field(description="What the holder calls it.")
    blocked: bool = strawberry.field(description="True: calls to it are refused.")
    added_at: datetime = strawberry.field(description="Since when it is on this service.")

    @staticmethod
    def of(row: Row) -> AccountPhone:
        return AccountPhone(
            id=strawberry.ID(global_id(NodeKind.PHONE, read_uuid(row["id"]))),
            phone=row["phone"],
            label=row["label"],
            blocked=bool(row["blocked"]),
            added_at=read_time(row["added_at"]),
        )


@strawberry.type(description="Prepaid calling, owned by friends and family.")
class AdvanceConnectAccount(ServiceAccount):
    @strawberry.field(description="What is there, what is held, what is on its way.")
    async def balance(self, info: Info) -> Balance:
        return Balance.of(await info.context.balance_of(self.key), info.context.ports.now())

    @strawberry.field(description="The numbers on it, oldest first.")
    async def phone_numbers(self) -> list[AccountPhone]:
        return [AccountPhone.of(row) for row in await phones_of(self.key)]

    @strawberry.field(description="Charges by itself when the balance is low; null where it was never set.")
    async def auto_pay(self) -> AutoPay | None:
        row = await find_auto_pay(self.key)
        return AutoPay.of(row) if row else None

    @strawberry.field(description="Offers by text when the balance is low; null where it was never set.")
    async def text_pay(self) -> TextPay | None:
        row = await find_text_pay(self.key)
        return TextPay.of(row) if row else None

    @strawberry.field(description="Below this posted balance the holder is told; null where no alert is set.")
    async def low_balance_alert(self) -> Money | None:
        threshold = await alert_threshold(self.key)
        return Money.of(threshold) if threshold is not None else None

    @strawberry.field(description="Its ledger, newest first.")
    async def transactions(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Filter = None,
    ) -> TransactionConnection:
        request = page_request(first, after, last, before)
        return TransactionConnection.of(await transactions_page(self.key, wanted_by(filter), request))

    @strawberry.field(description="The filtered transactions as CSV, behind a link that works for fifteen minutes.")
    def transactions_csv_url(self, info: Info, filter: Filter = None) -> str:
        return transactions_url(info.context.ports, self.account_key, self.key, wanted_by(filter))

    @strawberry.field(description="Its calls, newest first.")
    async def calls(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> CallConnection:
        return CallConnection.of(await calls_page(self.key, page_request(first, after, last, before)))

    @strawberry.field(description="The last payment that succeeded; a refund follows its channel.")
    async def last_funding(self) -> Payment | None:
        row = await last_funding(self.key)
        return Payment.of(row) if row else None

    @strawberry.field(description="When it was last used, and when the rule of the holder's state closes it.")
    async def inactivity(self, info: Info) -> Inactivity:
        now = info.context.ports.now()
        found = await standing_of(self.key, now)
        assert found is not None, "this is an AdvanceConnect service"
        return Inactivity.of(found, day_of(now))


def service_account_of(row: Row) -> ServiceAccount:
    """Return the type of a service's product."""
    from api.schema.products import PRODUCTS

    product, key = Product(row["product"]), read_uuid(row["id"])
    return PRODUCTS[product](
        id=strawberry.ID(global_id(NodeKind.SERVICE_ACCOUNT, key)),
        product=product,
        number=row["number"],
        status=ServiceStatus(row["status"]),
        opened_at=read_time(row["opened_at"]),
        closed_at=read_time(row["closed_at"]) if row["closed_at"] else None,
        refund_policy=RefundPolicy(refundable=product in REFUNDABLE, product=product),
        key=key,
        account_key=read_uuid(row["account_id"]),
    )


@strawberry.type(description="The service as it now is.")
class ServiceAccountPayload(Payload):
    service_account: ServiceAccount | None = strawberry.field(default=None, description="Null when refused.")


@strawberry.type(description="The AdvanceConnect service as it now is.")
class AdvanceConnectPayload(Payload):
    service_account: AdvanceConnectAccount | None = strawberry.field(default=None, description="Null when refused.")


@strawberry.input(
    description="Opens a service. AdvanceConnect and Direct Bill want the first phone, Debit the person in custody."
)
class OpenServiceAccountInput:
    product: Product = strawberry.field(description="Which product.")
    phone: str | None = strawberry.field(
        default=None,
        description="AdvanceConnect and Direct Bill: the first number on it; calls to it are paid from the service.",
    )
    incarcerated_person_id: strawberry.ID | None = strawberry.field(
        default=None, description="Debit: who gets the deposits, from `findIncarceratedPerson`."
    )
    idempotency_key: str = strawberry.field(
        description="Made by the client, 1 to 200 printable characters; a repeat gives the service that the first "
        "call opened."
    )
