"""The report on accounts that were closed for lack of activity."""

from __future__ import annotations

from datetime import date, datetime

import strawberry

from api.adapters.database import Row, read_time
from api.schema.pages import After, First, connection, page_request
from api.schema.scalars import Money, PageInfo
from api.services.inactivity_reports import StateTotals, closings_page, totals
from api.services.pages import Page


@strawberry.type(description="A state's sums.")
class InactivityStateTotals:
    state: str = strawberry.field(description='E.g. "NM"; empty for held funds whose address names no state.')
    accounts_closed: int = strawberry.field(description="How many accounts its rule closed in the period.")
    amount: Money = strawberry.field(description="What was left on these, once calls were deducted.")
    paid_out: Money = strawberry.field(description="What of it has been paid out by now, claims included.")
    held: Money = strawberry.field(description="What of it is held now.")
    disposed: Money = strawberry.field(description="What of it was finally disposed of.")
    all_held_count: int = strawberry.field(description="How many funds are held now for holders of the state at all.")
    all_held: Money = strawberry.field(description="Their sum, whatever they come from.")

    @staticmethod
    def of(found: StateTotals) -> InactivityStateTotals:
        return InactivityStateTotals(
            state=found.state,
            accounts_closed=found.closed,
            amount=Money.of(found.amount),
            paid_out=Money.of(found.paid_out),
            held=Money.of(found.held),
            disposed=Money.of(found.disposed),
            all_held_count=found.all_held_count,
            all_held=Money.of(found.all_held),
        )


@strawberry.type(description="An account that a state's rule has closed.")
class InactivityClosing:
    state: str = strawberry.field(description="Whose rule.")
    number: str = strawberry.field(description="The printed account number.")
    notice_sent_at: datetime | None = strawberry.field(description="When the holder was told.")
    closed_at: datetime = strawberry.field(description="When its closing began.")
    amount: Money = strawberry.field(description="What was left, once calls were deducted; zero until that is fixed.")
    paid_out: Money = strawberry.field(description="What of it has been paid out by now, claims included.")
    held: Money = strawberry.field(description="What of it is held now.")
    disposed: Money = strawberry.field(description="What of it was finally disposed of.")

    @staticmethod
    def of(row: Row) -> InactivityClosing:
        return InactivityClosing(
            state=row["rule_state"],
            number=row["number"],
            notice_sent_at=read_time(row["noticed_at"]) if row["noticed_at"] else None,
            closed_at=read_time(row["requested_at"]),
            amount=Money.of(int(row["amount"])),
            paid_out=Money.of(int(row["paid_out"])),
            held=Money.of(int(row["held"])),
            disposed=Money.of(int(row["disposed"])),
        )


@strawberry.type(description="A closed account on a page, with its cursor.")
class InactivityClosingEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: InactivityClosing = strawberry.field(description="The closed account.")


@strawberry.type(description="Closed accounts, newest first.")
class InactivityClosingConnection:
    edges: list[InactivityClosingEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> InactivityClosingConnection:
        return connection(InactivityClosingConnection, InactivityClosingEdge, InactivityClosing.of, page)


@strawberry.type(description="Accounts that were closed for lack of activity in a period, and what is held.")
class InactivityReport:
    states: list[InactivityStateTotals] = strawberry.field(
        description="By state, in its order; states without either are left out."
    )
    since: strawberry.Private[date]
    until: strawberry.Private[date]

    @strawberry.field(description="Each account that was closed in the period, newest first.")
    async def closings(self, first: First = None, after: After = None) -> InactivityClosingConnection:
        page = await closings_page(self.since, self.until, page_request(first, after, None, None))
        return InactivityClosingConnection.of(page)

    @staticmethod
    async def of(since: date, until: date) -> InactivityReport:
        states = [InactivityStateTotals.of(found) for found in await totals(since, until)]
        return InactivityReport(states=states, since=since, until=until)
