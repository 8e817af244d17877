"""Everything that is behind the staff's door."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import strawberry

from api.auth.sign_ins import Viewer
from api.domain.accounts import Role
from api.domain.ids import NodeKind, key_of
from api.domain.refunds import RefundStatus
from api.schema.accounts import Account
from api.schema.enums import publish
from api.schema.failed_work import FailedWorkConnection
from api.schema.held_funds import HeldFundsConnection
from api.schema.inactivity_reports import InactivityReport
from api.schema.pages import After, First, connection, page_request
from api.schema.payments import PaymentConnection
from api.schema.reconciliation import Reconciliation
from api.schema.refunds import RefundConnection
from api.schema.scalars import Info, PageInfo
from api.services.account_search import account_of, accounts_page
from api.services.failed_work import failed_page
from api.services.held_funds import held_funds_page
from api.services.pages import Page
from api.services.reconciliation import reconcile
from api.services.refund_reads import refund_queue
from api.services.unapplied_payments import unapplied_page

_MONEY_BACK = (Role.BILLING_AGENT, Role.COMPLIANCE, Role.ADMIN)

publish(
    Role,
    "Who somebody is to the service, and so what is open to them.",
    CUSTOMER="A customer, with an online account.",
    SUPPORT_AGENT="Staff who help customers.",
    BILLING_AGENT="Staff who look after payments and refunds.",
    MARKETING="Staff who read reports.",
    COMPLIANCE="Staff who look after held funds and what the law asks for.",
    ADMIN="Staff who run the service.",
    PHONE_SWITCH="The switch that connects calls; a key.",
    PAYMENT_PARTNER="A partner that takes payments; a key.",
)


@strawberry.type(description="An account on a page, with its cursor.")
class AccountEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Account = strawberry.field(description="The account.")


@strawberry.type(description="Accounts, newest first.")
class AccountConnection:
    edges: list[AccountEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> AccountConnection:
        return connection(AccountConnection, AccountEdge, Account.of, page)


_FINDERS = (Role.SUPPORT_AGENT, Role.BILLING_AGENT, Role.COMPLIANCE, Role.ADMIN)
_COMPLIANCE = (Role.COMPLIANCE, Role.ADMIN)
_BILLING = (Role.BILLING_AGENT, Role.ADMIN)


@strawberry.type(description="The member of staff who is signed in, and what their roles open.")
class Staff:
    name: str = strawberry.field(description="As it stands on record beside what they do.")
    roles: list[Role] = strawberry.field(description="What they may do.")

    @strawberry.field(description="Everybody's refunds, newest first. For: BILLING_AGENT, COMPLIANCE, ADMIN.")
    async def refund_queue(
        self,
        info: Info,
        statuses: Annotated[
            list[RefundStatus] | None, strawberry.argument(description="Only these; all when left out.")
        ] = None,
        first: First = None,
        after: After = None,
    ) -> RefundConnection:
        info.context.admit(_MONEY_BACK)
        return RefundConnection.of(await refund_queue(statuses, page_request(first, after, None, None)))

    @strawberry.field(description="What is held now, newest first. For: BILLING_AGENT, COMPLIANCE, ADMIN.")
    async def held_funds(
        self,
        info: Info,
        state: Annotated[
            str | None, strawberry.argument(description='Of holders who live in this state, e.g. "NM"; else of all.')
        ] = None,
        first: First = None,
        after: After = None,
    ) -> HeldFundsConnection:
        info.context.admit(_MONEY_BACK)
        return HeldFundsConnection.of(await held_funds_page(state, page_request(first, after, None, None)))

    @strawberry.field(
        description="Whether all ledger accounts sum to zero, each balance equals its postings, and the processor's "
        "books of a day agree with the ledger. For: BILLING_AGENT, COMPLIANCE, ADMIN."
    )
    async def reconciliation(
        self, info: Info, on: Annotated[date, strawberry.argument(description="A day of US Central time.")]
    ) -> Reconciliation:
        info.context.admit(_MONEY_BACK)
        return Reconciliation.of(await reconcile(info.context.ports, on), info.context.locale)

    @strawberry.field(
        description="Accounts that states' rules on inactivity have closed in a period, and what is held now, by "
        "state. For: COMPLIANCE, ADMIN."
    )
    async def inactivity_report(
        self,
        info: Info,
        since: Annotated[date, strawberry.argument(name="from", description="The first day, of US Central time.")],
        until: Annotated[date, strawberry.argument(name="to", description="The last day; it is included.")],
    ) -> InactivityReport:
        info.context.admit(_COMPLIANCE)
        return await InactivityReport.of(since, until)

    @strawberry.field(
        description="A customer's account; null when there is none. "
        "For: SUPPORT_AGENT, BILLING_AGENT, COMPLIANCE, ADMIN."
    )
    async def account(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The account's id.")]
    ) -> Account | None:
        info.context.admit(_FINDERS)
        key = key_of(id, NodeKind.ACCOUNT)
        row = await account_of(key) if key else None
        return Account.of(row) if row else None

    @strawberry.field(
        description="Customers' accounts by e-mail, phone, printed account number, or the beginning of the last name. "
        "For: SUPPORT_AGENT, BILLING_AGENT, COMPLIANCE, ADMIN."
    )
    async def accounts(
        self,
        info: Info,
        search: Annotated[str, strawberry.argument(description="At least two characters.")],
        first: First = None,
        after: After = None,
    ) -> AccountConnection:
        info.context.admit(_FINDERS)
        return AccountConnection.of(await accounts_page(search, page_request(first, after, None, None)))

    @strawberry.field(
        description="Payments of partners that found no account, or not the right one, newest first. "
        "For: BILLING_AGENT, ADMIN."
    )
    async def unapplied_payments(self, info: Info, first: First = None, after: After = None) -> PaymentConnection:
        info.context.admit(_BILLING)
        return PaymentConnection.of(await unapplied_page(page_request(first, after, None, None)))

    @strawberry.field(
        description="Background work that failed until it was given up and waits for a person, newest first. "
        "For: BILLING_AGENT, ADMIN."
    )
    async def failed_work(self, info: Info, first: First = None, after: After = None) -> FailedWorkConnection:
        info.context.admit(_BILLING)
        return FailedWorkConnection.of(await failed_page(page_request(first, after, None, None)))

    @staticmethod
    def of(viewer: Viewer) -> Staff | None:
        if viewer.staff is None:
            return None
        return Staff(name=viewer.staff.name, roles=sorted(viewer.roles, key=list(Role).index))
