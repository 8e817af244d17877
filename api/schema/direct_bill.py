"""Direct Bill."""

from __future__ import annotations

import strawberry

from api.schema.balances import Balance
from api.schema.calls import CallConnection
from api.schema.invoices import InvoiceConnection
from api.schema.pages import After, Before, First, Last, page_request
from api.schema.scalars import Info, Money
from api.schema.service_accounts import AccountPhone, ServiceAccount
from api.services.calls import calls_page
from api.services.invoices import invoices_page
from api.services.phones import phones_of


@strawberry.type(description="Calls paid monthly, after use.")
class DirectBillAccount(ServiceAccount):
    @strawberry.field(description="posted is what is owed to the operator, available what calls may still cost.")
    async def balance(self, info: Info) -> Balance:
        return Balance.of(await info.context.balance_of(self.key), info.context.ports.now())

    @strawberry.field(description="The part of what is owed that is on no invoice yet.")
    async def unbilled(self, info: Info) -> Money:
        return Money.of((await info.context.balance_of(self.key)).unbilled)

    @strawberry.field(description="The numbers on it, oldest first.")
    async def phone_numbers(self) -> list[AccountPhone]:
        return [AccountPhone.of(row) for row in await phones_of(self.key)]

    @strawberry.field(description="Its invoices, newest first.")
    async def invoices(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> InvoiceConnection:
        return InvoiceConnection.of(await invoices_page(self.key, page_request(first, after, last, before)))

    @strawberry.field(description="Its calls, newest first.")
    async def calls(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> CallConnection:
        return CallConnection.of(await calls_page(self.key, page_request(first, after, last, before)))
