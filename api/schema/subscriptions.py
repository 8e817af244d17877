"""What subscribing takes and answers."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import Payload
from api.schema.payments import Payment
from api.schema.plans import PlanSubscription
from api.services.subscription_watch import SubscriptionChange


@strawberry.type(description="A subscription's whole state, told at the start and at each change.")
class SubscriptionUpdate:
    subscription: PlanSubscription = strawberry.field(description="The state.")
    at: datetime = strawberry.field(description="When it became so; of the first messages when they were sent.")

    @staticmethod
    def of(change: SubscriptionChange, now: datetime) -> SubscriptionUpdate:
        return SubscriptionUpdate(subscription=PlanSubscription.of(change.subscription, now), at=change.at)


@strawberry.type(description="The subscription, and, upon subscribing, the payment of its first month.")
class SubscriptionPayload(Payload):
    subscription: PlanSubscription | None = strawberry.field(
        default=None, description="Null until the payment has succeeded, e.g. while it asks for an action."
    )
    payment: Payment | None = strawberry.field(
        default=None, description="Null when refused before the processor was asked; set also when declined."
    )
    replayed: bool = strawberry.field(
        default=False, description="True: the stored answer of an earlier call with this key."
    )


@strawberry.input(description="Subscribes to the plan that the quote names.")
class SubscribeInput:
    quote_id: strawberry.ID = strawberry.field(description="A quote of purpose SUBSCRIPTION.")
    payment_method_id: strawberry.ID = strawberry.field(
        description="One of the account's cards; renewals charge it too."
    )
    accept_renewal: bool = strawberry.field(description="True when the holder agreed that the plan renews by itself.")
    agreement_version: str = strawberry.field(
        description="The version of the text that was shown, from `agreement(kind: RENEWAL)`."
    )
    return_url: str | None = strawberry.field(
        default=None, description="Where the bank's check leads back to, from the allowed list, app links too."
    )
    idempotency_key: str = strawberry.field(
        description="Made by the client, 1 to 200 printable characters, kept until it has the answer; the same key "
        "never pays twice."
    )
