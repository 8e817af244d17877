"""Refunds and their live updates: money on its way back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_date, read_json, read_time, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.money import format_money
from api.domain.payments import PaymentChannel
from api.domain.refund_data import refund_data
from api.domain.refunds import RefundMethod, RefundStatus
from api.domain.service_accounts import Product
from api.domain.texts import pick_locale, render
from api.schema.enums import publish
from api.schema.pages import Locale, connection
from api.schema.scalars import Info, Money, Node, PageInfo
from api.services.pages import Page
from api.services.refund_effects import destination_text
from api.services.refund_states import Change

publish(
    RefundMethod,
    "By the channel last used: card online to that card, else a check by mail.",
    CARD="To the card that was last used.",
    CHECK="By a check that is mailed.",
)
publish(
    RefundStatus,
    "Where a refund stands.",
    SETTLING="Waiting for late call records.",
    CALCULATED="Amount fixed.",
    SUBMITTED="Handed to the processor or to the check run.",
    ISSUED="Sent.",
    COMPLETED="Confirmed: on the card, or check cashed.",
    REROUTED="Card refused it; goes out as a check, which is a refund of its own.",
    HELD="Could not be paid: the money stays the holder's, see `HeldFunds`.",
    NOTHING_DUE="Nothing was left to refund.",
)


@strawberry.type(description="A promise about when: the rule in words, and the dates that it gives here.")
class ExpectedWindow:
    earliest: date = strawberry.field(description="The first day, of US Central time.")
    latest: date = strawberry.field(description="The last day, of US Central time.")
    rule_key: strawberry.Private[str]
    rule_params: strawberry.Private[Mapping[str, Any]]

    @strawberry.field(description="The rule in words, in the reader's language.")
    def rule(self, info: Info) -> str:
        return render(info.context.locale, self.rule_key, self.rule_params)

    @staticmethod
    def of_refund(method: RefundMethod, earliest: date, latest: date) -> ExpectedWindow:
        """Return the promise of a refund by that method."""
        data = refund_data()
        least, most = data.card_business_days if method is RefundMethod.CARD else data.check_days
        params = {"least": least, "most": most, "weeks_least": least // 7, "weeks_most": most // 7}
        return ExpectedWindow(
            earliest=earliest, latest=latest, rule_key=f"refunds.rule_{method.value.lower()}", rule_params=params
        )


@strawberry.type(description="A line of a refund's timeline; it never changes.")
class RefundEvent:
    sequence: int = strawberry.field(description="1, 2, 3, without gaps; the refund's revision by then.")
    status: RefundStatus = strawberry.field(description="Where it stands since.")
    at: datetime = strawberry.field(description="When it happened.")
    note_key: strawberry.Private[str]
    params: strawberry.Private[Mapping[str, str]]

    @strawberry.field(description="What happened, in words.")
    def note(self, info: Info, locale: Locale = None) -> str:
        language = pick_locale(locale) if locale else info.context.locale
        amount = {"amount": format_money(int(self.params["cents"]), language)} if "cents" in self.params else {}
        return render(language, f"refunds.note_{self.note_key}", {**self.params, **amount})

    @staticmethod
    def of(row: Row) -> RefundEvent:
        return RefundEvent(
            sequence=row["sequence"],
            status=RefundStatus(row["status"]),
            at=read_time(row["at"]),
            note_key=row["note"],
            params=read_json(row["params"]),
        )


@strawberry.type(description="Money on its way back to one destination.")
class Refund(Node):
    revision: int = strawberry.field(
        description="Grows by one with each line of the timeline; an update that is not higher than yours is old."
    )
    product: Product = strawberry.field(description="The product whose balance goes back.")
    status: RefundStatus = strawberry.field(description="Where it stands.")
    amount: Money = strawberry.field(
        description="What goes back; zero until it is fixed. Of a REROUTED one, what the card refused."
    )
    method: RefundMethod = strawberry.field(description="How it goes back.")
    based_on_channel: PaymentChannel | None = strawberry.field(
        description="The channel of the last funding, which decides; null where nothing was ever paid in."
    )
    window: ExpectedWindow = strawberry.field(description="When it is issued.")
    created_at: datetime = strawberry.field(description="When it was begun.")
    key: strawberry.Private[UUID]
    row: strawberry.Private[Mapping[str, Any]]

    @strawberry.field(
        description='Card: brand and last four, "Visa ending in 4242". Check: city, state and ZIP of the address.'
    )
    def destination(self, info: Info) -> str:
        return destination_text(self.row, info.context.locale)

    @strawberry.field(description="Each step until now, oldest first.")
    async def timeline(self, info: Info) -> list[RefundEvent]:
        lines = await info.context.timeline_of(self.key)
        return [RefundEvent.of(line) for line in lines if line["sequence"] <= self.revision]

    @staticmethod
    def of(row: Mapping[str, Any]) -> Refund:
        key, method = read_uuid(row["id"]), RefundMethod(row["method"])
        channel = row["based_on_channel"]
        earliest, latest = read_date(row["window_earliest"]), read_date(row["window_latest"])
        return Refund(
            id=strawberry.ID(global_id(NodeKind.REFUND, key)),
            revision=row["revision"],
            product=Product(row["product"]),
            status=RefundStatus(row["status"]),
            amount=Money.of(row["amount"]),
            method=method,
            based_on_channel=PaymentChannel(channel) if channel else None,
            window=ExpectedWindow.of_refund(method, earliest, latest),
            created_at=read_time(row["created_at"]),
            key=key,
            row=row,
        )


@strawberry.type(description="A refund on a page, with its cursor.")
class RefundEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: Refund = strawberry.field(description="The refund.")


@strawberry.type(description="Refunds, newest first.")
class RefundConnection:
    edges: list[RefundEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> RefundConnection:
        return connection(RefundConnection, RefundEdge, Refund.of, page)


@strawberry.type(
    description="A refund's whole new state. Each status comes, in order, also to a reader that fell behind."
)
class RefundUpdate:
    refund: Refund = strawberry.field(description="The state since then.")
    previous_status: RefundStatus | None = strawberry.field(
        description="Where it stood before; null for the state as it was found, and for a refund that just began."
    )
    at: datetime = strawberry.field(description="Since when it stands there; for the state as it was found, now.")

    @staticmethod
    def of(change: Change) -> RefundUpdate:
        return RefundUpdate(refund=Refund.of(change.refund), previous_status=change.previous, at=change.at)
