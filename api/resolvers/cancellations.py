"""Unsubscribing from plans, step by step, and taking it back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import HOLDER, mutation
from api.resolvers.inputs import key_in
from api.schema.cancellations import Cancellation, CancellationPayload
from api.schema.plans import PlanSubscription
from api.schema.scalars import Info
from api.schema.subscriptions import SubscriptionPayload
from api.services import cancellations
from api.services.cancellations import Unsubscribing

SubscriptionId = Annotated[strawberry.ID, strawberry.argument(description="One of the account's subscriptions.")]
CancellationId = Annotated[strawberry.ID, strawberry.argument(description="The flow, as `unsubscribe` gave it.")]


def _payload(info: Info, found: Unsubscribing) -> CancellationPayload:
    now = info.context.ports.now()
    return CancellationPayload(
        cancellation=Cancellation.of(found.flow, now), subscription=PlanSubscription.of(found.subscription, now)
    )


def _key(text: str) -> UUID:
    return key_in(text, NodeKind.CANCELLATION, "cancellationId")


@strawberry.type
class CancellationsMutations:
    """Mutations of unsubscribing."""

    @mutation(
        "The Unsubscribe button beside a facility: starts the flow and offers the reasons. While a flow is open it is "
        "given back as it stands; one that was left alone for a day has ended, and a new one begins.",
        payload=CancellationPayload,
        roles=HOLDER,
    )
    async def unsubscribe(self, info: Info, subscription_id: SubscriptionId) -> CancellationPayload:
        context = info.context
        key = key_in(subscription_id, NodeKind.SUBSCRIPTION, "subscriptionId")
        return _payload(info, await cancellations.unsubscribe(context.ports, context.holder(), key))

    @mutation(
        "Says why, which makes unsubscribing available. Until the warning is shown another reason may be chosen; the "
        "last one counts, with its comment.",
        payload=CancellationPayload,
        roles=HOLDER,
    )
    async def choose_cancellation_reason(
        self,
        info: Info,
        cancellation_id: CancellationId,
        reason_code: Annotated[str, strawberry.argument(description="One of `reasons`.")],
        comment: Annotated[
            str | None,
            strawberry.argument(description="In the holder's own words: one line of at most 500 characters."),
        ] = None,
    ) -> CancellationPayload:
        context = info.context
        key = _key(cancellation_id)
        return _payload(
            info, await cancellations.choose_reason(context.ports, context.holder(), key, reason_code, comment)
        )

    @mutation(
        "Unsubscribe again, now that a reason is chosen: shows the warning. A repeat shows it again.",
        payload=CancellationPayload,
        roles=HOLDER,
    )
    async def confirm_unsubscribe(self, info: Info, cancellation_id: CancellationId) -> CancellationPayload:
        context = info.context
        key = _key(cancellation_id)
        return _payload(info, await cancellations.confirm(context.ports, context.holder(), key))

    @mutation(
        "Cancels: the plan can be used until the paid month ends and does not renew; `resumeSubscription` takes it "
        "back until then. Of a plan that is past due the paid month is over: it ends at once, and its card is not "
        "tried again. A repeat changes nothing.",
        payload=CancellationPayload,
        roles=HOLDER,
    )
    async def complete_cancellation(self, info: Info, cancellation_id: CancellationId) -> CancellationPayload:
        context = info.context
        key = _key(cancellation_id)
        return _payload(info, await cancellations.complete(context.ports, context.admit(HOLDER), key))

    @mutation(
        "Stay Enrolled, possible at every step: nothing changes, and the flow is over. A repeat changes nothing.",
        payload=CancellationPayload,
        roles=HOLDER,
    )
    async def stay_enrolled(self, info: Info, cancellation_id: CancellationId) -> CancellationPayload:
        context = info.context
        key = _key(cancellation_id)
        return _payload(info, await cancellations.stay(context.ports, context.holder(), key))

    @mutation(
        "Takes a scheduled cancellation back before the period ends: the plan renews by itself again. One that renews "
        "already is given back as it is.",
        payload=SubscriptionPayload,
        roles=HOLDER,
    )
    async def resume_subscription(self, info: Info, subscription_id: SubscriptionId) -> SubscriptionPayload:
        context = info.context
        key = key_in(subscription_id, NodeKind.SUBSCRIPTION, "subscriptionId")
        row = await cancellations.resume(context.ports, context.admit(HOLDER), key)
        return SubscriptionPayload(subscription=PlanSubscription.of(row, context.ports.now()))
