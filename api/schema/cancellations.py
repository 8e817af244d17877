"""Unsubscribing: what its screens show, and what may be done next."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.adapters.database import Row, read_uuid
from api.domain.cancellation_data import cancellation_data, label_key
from api.domain.cancellations import CancellationAction, CancellationOutcome, CancellationStep, allowed_actions
from api.domain.days import facility_time
from api.domain.ids import NodeKind, global_id
from api.domain.texts import pick_locale, render
from api.schema.enums import publish
from api.schema.errors import Payload
from api.schema.pages import Locale
from api.schema.scalars import Info, Node
from api.services.cancellation_flows import flow_ending, state_of

if TYPE_CHECKING:
    from api.schema.plans import PlanSubscription

publish(
    CancellationStep,
    "What the holder is asked for next.",
    CHOOSE_REASON="A reason: `chooseCancellationReason` makes unsubscribing available.",
    CONFIRM="To unsubscribe, by `confirmUnsubscribe`; another reason may be chosen still.",
    FINAL_WARNING="To heed the warning: `completeCancellation` cancels.",
    DONE="Nothing: see `outcome`.",
)
publish(
    CancellationOutcome,
    "How unsubscribing ended.",
    CANCELLED="The plan renews no more.",
    STAYED="The holder stayed enrolled; nothing has changed.",
    ABANDONED="Nobody went on with it for a day, or the plan ended meanwhile; nothing has changed by it.",
)


@strawberry.type(description="Why somebody unsubscribes.")
class CancellationReason:
    code: str = strawberry.field(description="What `chooseCancellationReason` takes.")

    @strawberry.field(description="What to show.")
    def label(self, info: Info, locale: Locale = None) -> str:
        return render(pick_locale(locale) if locale else info.context.locale, label_key(self.code))


@strawberry.type(description="What to show before the last click.")
class CancellationWarning:
    text: str = strawberry.field(description="What cancelling brings, with the date, by the clocks at the facility.")
    access_until: datetime = strawberry.field(
        description="Until when the plan can be used if it is cancelled now; the present moment where the paid month "
        "is over, the end of the next one where that is being charged."
    )
    no_refund: str = strawberry.field(description="That nothing is refunded.")

    @staticmethod
    def of(row: Row, locale: str, now: datetime) -> CancellationWarning:
        ending, until = flow_ending(row, now)
        params = {
            "plan": row[f"p_name_{locale}"],
            "facility": row["f_name"],
            "until": facility_time(until, row["f_time_zone"]),
        }
        text = render(locale, f"cancellations.warning_{ending.value}", params)
        return CancellationWarning(text=text, access_until=until, no_refund=render(locale, "cancellations.no_refund"))


@strawberry.type(description="Unsubscribe, reason, warning, complete; stay enrolled from any step.")
class Cancellation(Node):
    step: CancellationStep = strawberry.field(description="What the holder is asked for next.")
    reasons: list[CancellationReason] = strawberry.field(
        description="Those to choose from, in the order to show them; none once no reason can be chosen any more."
    )
    chosen_reason: CancellationReason | None = strawberry.field(description="The last one chosen; null until then.")
    can_unsubscribe: bool = strawberry.field(
        description="Whether `confirmUnsubscribe` is possible: false until a reason is chosen."
    )
    can_stay: bool = strawberry.field(description="Whether `stayEnrolled` is possible: until it is done.")
    outcome: CancellationOutcome | None = strawberry.field(description="How it ended; null until it is done.")
    row: strawberry.Private[Row]

    @strawberry.field(description="To show beside `completeCancellation`; null where that is not possible.")
    def warning(self, info: Info) -> CancellationWarning | None:
        if self.step is not CancellationStep.FINAL_WARNING:
            return None
        return CancellationWarning.of(self.row, info.context.locale, info.context.ports.now())

    @staticmethod
    def of(row: Row, now: datetime) -> Cancellation:
        step, outcome = state = state_of(row, now)
        allowed = allowed_actions(state)
        offered = cancellation_data().offered if CancellationAction.CHOOSE_REASON in allowed else ()
        return Cancellation(
            id=strawberry.ID(global_id(NodeKind.CANCELLATION, read_uuid(row["id"]))),
            step=step,
            reasons=[CancellationReason(code=code) for code in offered],
            chosen_reason=CancellationReason(code=row["reason"]) if row["reason"] else None,
            can_unsubscribe=CancellationAction.CONFIRM in allowed,
            can_stay=CancellationAction.STAY in allowed,
            outcome=outcome,
            row=row,
        )


@strawberry.type(description="Where unsubscribing stands, and the subscription.")
class CancellationPayload(Payload):
    cancellation: Cancellation | None = strawberry.field(default=None, description="The flow; null when refused.")
    subscription: Annotated[PlanSubscription, strawberry.lazy("api.schema.plans")] | None = strawberry.field(
        default=None, description="The subscription as it is now; null when refused."
    )
