"""Subscribing to plans."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import HOLDER, mutation, subscription
from api.resolvers.inputs import key_in
from api.schema.errors import user_errors
from api.schema.payments import Payment
from api.schema.plans import PlanSubscription
from api.schema.scalars import Info
from api.schema.subscriptions import SubscribeInput, SubscriptionPayload, SubscriptionUpdate
from api.services.payments import Order
from api.services.subscription_cards import set_card
from api.services.subscription_watch import watch
from api.services.subscriptions import Renewal, subscribe


@strawberry.type
class SubscriptionsMutations:
    """Mutations of subscriptions."""

    @mutation(
        "Pays a plan's first month by its quote, and begins the subscription, which renews by itself; one per facility "
        "and product. A repeat with the same key gives payment and subscription as they stand. A payment of such a "
        "plan that has waited for 3-D Secure for ten minutes is ended first.",
        payload=SubscriptionPayload,
        roles=HOLDER,
    )
    async def subscribe(
        self,
        info: Info,
        input: Annotated[SubscribeInput, strawberry.argument(description="Which plan's quote, by which card.")],
    ) -> SubscriptionPayload:
        context = info.context
        holder, viewer = context.holder(), context.viewer
        assert viewer is not None
        order = Order(
            key_in(input.quote_id, NodeKind.QUOTE, "input", "quoteId"),
            key_in(input.payment_method_id, NodeKind.PAYMENT_METHOD, "input", "paymentMethodId"),
            input.return_url,
            input.idempotency_key,
            context.connection.client_address,
        )
        renewal = Renewal(input.accept_renewal, input.agreement_version, context.locale, viewer.channel)
        done = await subscribe(context.ports, holder, order, renewal)
        row = done.subscription
        return SubscriptionPayload(
            errors=user_errors(done.paid.faults, context.locale),
            subscription=PlanSubscription.of(row, context.ports.now()) if row else None,
            payment=Payment.of(done.paid.payment),
            replayed=done.paid.replayed,
        )

    @mutation(
        "Has a plan's renewals charge another card of the account. While the plan is PAST_DUE that card is tried soon, "
        "or the same one again where it is given; `subscriptionChanged` tells what came of it. INVALID_STATE once the "
        "plan has ended.",
        payload=SubscriptionPayload,
        roles=HOLDER,
    )
    async def set_subscription_payment_method(
        self,
        info: Info,
        subscription_id: Annotated[strawberry.ID, strawberry.argument(description="The subscription.")],
        payment_method_id: Annotated[strawberry.ID, strawberry.argument(description="One of the account's cards.")],
    ) -> SubscriptionPayload:
        context = info.context
        key = key_in(subscription_id, NodeKind.SUBSCRIPTION, "subscriptionId")
        method_id = key_in(payment_method_id, NodeKind.PAYMENT_METHOD, "paymentMethodId")
        row = await set_card(context.ports, context.admit(HOLDER), key, method_id)
        return SubscriptionPayload(subscription=PlanSubscription.of(row, context.ports.now()))


@strawberry.type
class SubscriptionsSubscriptions:
    """Subscriptions to what happens to plans."""

    @subscription(
        "The signed-in account's plans: first each that has not ended, as it is; then each change of each, in order, "
        "also when one begins, renews, could not be renewed, or ends. Ends with the sign-in.",
        roles=HOLDER,
    )
    async def subscription_changed(self, info: Info) -> AsyncGenerator[SubscriptionUpdate, None]:
        context = info.context
        changes = watch(context.ports, context.holder(), context.admit(HOLDER).sign_in_id)
        try:
            async for change in changes:
                yield SubscriptionUpdate.of(change, context.ports.now())
        finally:
            await changes.aclose()
