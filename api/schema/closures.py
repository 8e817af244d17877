"""Closing an account or one service: the preview, the closing, and its live updates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from api.adapters.database import read_date, read_time, read_uuid
from api.domain.accounts import Channel
from api.domain.closing_data import closing_data
from api.domain.closures import ClosureKind, ClosureStatus, Consequence
from api.domain.ids import NodeKind, global_id
from api.domain.refunds import RefundMethod
from api.domain.service_accounts import Product
from api.domain.texts import pick_locale, render
from api.schema.addresses import Address
from api.schema.enums import publish
from api.schema.errors import Payload
from api.schema.held_funds import HeldFunds
from api.schema.invoices import Invoice, LinkedInvoice
from api.schema.pages import Locale
from api.schema.refunds import ExpectedWindow, Refund
from api.schema.scalars import Info, Money, Node
from api.schema.video_sessions import VideoSession
from api.services.closure_previews import Preview
from api.services.closure_refunds import Estimate
from api.services.closure_watch import ClosureChange
from api.services.closures import Closing
from api.services.held_funds import held_funds_of_closure
from api.services.invoice_links import as_it_stands
from api.services.refunds import refunds_of_closure

publish(
    ClosureKind,
    "Why something is closed.",
    DELETE_ACCOUNT="The whole account is deleted.",
    CLOSE_SERVICE="One service is closed; the login stays.",
    INACTIVITY="A state's rule closes a service that was not used for long.",
)
publish(
    ClosureStatus,
    "Where a closing stands.",
    SETTLING_CALLS="Late records of calls that began before the request are deducted.",
    DIRECT_BILL_HOLD="Direct Bill waits for calls and charges that are not billed yet.",
    REFUNDING="What was left is on its way back.",
    AWAITING_FINAL_PAYMENT="The final invoice is to be paid.",
    COMPLETED="Over.",
    WITHDRAWN="Taken back by the holder.",
)


@strawberry.type(description="What closing costs the holder, in words to show beside the box to tick.")
class ConsequenceDetail:
    code: Consequence = strawberry.field(description="What to send in `acknowledge`.")
    params: strawberry.Private[Mapping[str, Any]]

    @strawberry.field(description="The consequence in whole sentences.")
    def text(self, info: Info, locale: Locale = None) -> str:
        language = pick_locale(locale) if locale else info.context.locale
        return render(language, f"closures.consequence_{self.code.value.lower()}", self.params)


@strawberry.type(description="What would go back to one destination, were the closing asked for now.")
class RefundEstimate:
    product: Product = strawberry.field(description="The product whose balance goes back.")
    balance: Money = strawberry.field(description="What its balance holds.")
    deducted: Money = strawberry.field(
        description="Held for calls under way, which will be deducted as far as they are charged."
    )
    refundable: Money = strawberry.field(description="What would go to this destination.")
    method: RefundMethod = strawberry.field(description="How.")
    window: ExpectedWindow = strawberry.field(description="When.")
    estimate: strawberry.Private[Estimate]

    @strawberry.field(description="Card: brand and last four. Check: city, state and ZIP of the address on record.")
    def destination(self, info: Info) -> str:
        return self.estimate.destination(info.context.locale)

    @staticmethod
    def of(estimate: Estimate) -> RefundEstimate:
        window = estimate.window
        return RefundEstimate(
            product=estimate.product,
            balance=Money.of(estimate.balance),
            deducted=Money.of(estimate.deducted),
            refundable=Money.of(estimate.refundable),
            method=estimate.method,
            window=ExpectedWindow.of_refund(estimate.method, window.earliest, window.latest),
            estimate=estimate,
        )


@strawberry.type(description="A product among those to be closed whose money does not come back.")
class NotRefundable:
    product: Product = strawberry.field(description="Which product.")

    @strawberry.field(description="Why not, in words.")
    def reason(self, info: Info, locale: Locale = None) -> str:
        language = pick_locale(locale) if locale else info.context.locale
        return render(language, f"service_accounts.refund_{self.product.value.lower()}")


@strawberry.type(
    description="What deleting the account, or closing the one service, would do as things stand. Nothing has changed."
)
class DeletionPreview:
    token: str = strawberry.field(
        description="Signed digest of all below: `deleteAccount` and `closeServiceAccount` take it, so that what was "
        "shown is what happens."
    )
    expires_at: datetime = strawberry.field(description="Until when the token is taken.")
    consequences: list[ConsequenceDetail] = strawberry.field(
        description="Each one that applies, and none that does not; all must be acknowledged."
    )
    refunds: list[RefundEstimate] = strawberry.field(
        description="One a destination: to the card what its charges cover, by check the rest."
    )
    not_refundable: list[NotRefundable] = strawberry.field(description="Products whose money does not come back.")
    address: Address = strawberry.field(
        description="Where a check would go. Have the holder verify it, and send its revision."
    )
    sessions_to_cancel_first: list[VideoSession] = strawberry.field(
        description="Scheduled video visits, the next first, which would be void without a refund: let the holder "
        "cancel them before."
    )
    unpaid_invoices: list[Invoice] = strawberry.field(
        description="Invoices of Direct Bill that are still to be paid, oldest first; closing does not change that."
    )

    @staticmethod
    def of(preview: Preview) -> DeletionPreview:
        facts = preview.facts
        params = {"stamps": facts.stamps, "hours": int(closing_data().calls_window.total_seconds() // 3600)}
        return DeletionPreview(
            token=preview.token,
            expires_at=preview.expires_at,
            consequences=[ConsequenceDetail(code=code, params=params) for code in facts.consequences],
            refunds=[RefundEstimate.of(estimate) for estimate in facts.estimates],
            not_refundable=[NotRefundable(product=product) for product in facts.not_refundable],
            address=Address.of(facts.account),
            sessions_to_cancel_first=[VideoSession.of(row) for row in facts.sessions if row["status"] == "SCHEDULED"],
            unpaid_invoices=[Invoice.of(row) for row in facts.invoices],
        )


@strawberry.type(description="A deletion or closing under way, or over.")
class Closure(Node):
    kind: ClosureKind = strawberry.field(description="What is closed, and why.")
    status: ClosureStatus = strawberry.field(description="Where it stands.")
    revision: int = strawberry.field(
        description="Grows by one with each step; an update that is not higher than yours is old."
    )
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    requested_via: Channel = strawberry.field(description="By which way.")
    call_window_ends_at: datetime | None = strawberry.field(
        description="Until when late records of calls of the last 24 hours are deducted; null without prepaid calls."
    )
    direct_bill_hold: ExpectedWindow | None = strawberry.field(
        description="Direct Bill: held 7 to 10 calendar days; null without it."
    )
    completed_at: datetime | None = strawberry.field(description="When it was over; null until then.")
    key: strawberry.Private[UUID]
    final_invoice_key: strawberry.Private[UUID | None]

    @strawberry.field(description="Direct Bill: what is left to pay, as its link shows it; null without one.")
    async def final_invoice(self, info: Info) -> LinkedInvoice | None:
        linked = await as_it_stands(self.final_invoice_key) if self.final_invoice_key else None
        return LinkedInvoice.of(linked, info) if linked else None

    @strawberry.field(description="Money on its way back, oldest first.")
    async def refunds(self) -> list[Refund]:
        return [Refund.of(row) for row in await refunds_of_closure(self.key)]

    @strawberry.field(description="Money of it that could not be paid out and stays the holder's.")
    async def held_funds(self) -> list[HeldFunds]:
        return [HeldFunds.of(row) for row in await held_funds_of_closure(self.key)]

    @staticmethod
    def of(row: Mapping[str, Any]) -> Closure:
        key = read_uuid(row["id"])
        hold = None
        if row["hold_earliest"] and row["hold_latest"]:
            data = closing_data()
            hold = ExpectedWindow(
                earliest=read_date(row["hold_earliest"]),
                latest=read_date(row["hold_latest"]),
                rule_key="closures.direct_bill_hold",
                rule_params={"least": data.hold_days_min, "most": data.hold_days_max},
            )
        return Closure(
            id=strawberry.ID(global_id(NodeKind.CLOSURE, key)),
            kind=ClosureKind(row["kind"]),
            status=ClosureStatus(row["status"]),
            revision=row["revision"],
            requested_at=read_time(row["requested_at"]),
            requested_via=Channel(row["requested_via"]),
            call_window_ends_at=read_time(row["calls_until"]) if row["calls_until"] else None,
            direct_bill_hold=hold,
            completed_at=read_time(row["completed_at"]) if row["completed_at"] else None,
            key=key,
            final_invoice_key=read_uuid(row["final_invoice_id"]) if row["final_invoice_id"] else None,
        )


@strawberry.type(description="A closing's whole state, told at the start and at each step.")
class ClosureUpdate:
    closure: Closure = strawberry.field(description="The state.")
    at: datetime = strawberry.field(description="When it was told.")

    @staticmethod
    def of(change: ClosureChange) -> ClosureUpdate:
        return ClosureUpdate(closure=Closure.of(change.closure), at=change.at)


@strawberry.type(description="The closing that was asked for.")
class ClosurePayload(Payload):
    closure: Closure | None = strawberry.field(default=None, description="Null when refused.")
    receipt_token: str | None = strawberry.field(
        default=None,
        description="Also mailed: follows the closing and its refunds when the login is gone. Keep it like a receipt.",
    )
    replayed: bool = strawberry.field(
        default=False, description="True: the answer to an earlier call with this key, as it stands now."
    )

    @staticmethod
    def of(closing: Closing, *, for_staff: bool = False) -> ClosurePayload:
        return ClosurePayload(
            closure=Closure.of(closing.closure),
            receipt_token=None if for_staff else closing.receipt_token,
            replayed=closing.replayed,
        )
