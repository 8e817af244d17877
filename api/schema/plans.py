"""Monthly plans and subscriptions to them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.plans import SubscriptionStatus
from api.domain.service_accounts import Product
from api.domain.texts import pick_locale
from api.schema.cancellations import Cancellation
from api.schema.enums import publish
from api.schema.facilities import Facility
from api.schema.pages import Locale
from api.schema.payments import PaymentMethod
from api.schema.scalars import Info, Money, Node

publish(
    SubscriptionStatus,
    "Where a subscription stands.",
    ACTIVE="In use; it renews by itself.",
    PAST_DUE="The last renewal failed; it can still be used while the card is tried again.",
    CANCEL_SCHEDULED="In use until the period ends; it will not renew.",
    ENDED="Over.",
    CANCELLED_BY_CLOSURE="Ended at once because the account, or the service that it is of, was closed.",
)


@strawberry.type(description="Monthly plan at one facility: unlimited video, or calls for a single payment each month.")
class Plan(Node):
    facility: Facility = strawberry.field(description="Where it can be used.")
    product: Product = strawberry.field(description="What it is a plan of.")
    price: Money = strawberry.field(description="A month's price.")
    unlimited: bool = strawberry.field(description="True where nothing is counted.")
    included_calls: int | None = strawberry.field(description="Calls a month; null where the plan is not about calls.")
    names: strawberry.Private[dict[str, str]]

    @staticmethod
    def of(row: Row) -> Plan:
        return Plan(
            id=strawberry.ID(global_id(NodeKind.PLAN, read_uuid(row["p_id"]))),
            facility=Facility.of(row, "f_"),
            product=Product(row["p_product"]),
            price=Money.of(row["p_price"]),
            unlimited=bool(row["p_unlimited"]),
            included_calls=row["p_included_calls"],
            names={"en": row["p_name_en"], "es": row["p_name_es"]},
        )

    @strawberry.field(description="What it is called.")
    def name(self, info: Info, locale: Locale = None) -> str:
        return self.names[pick_locale(locale) if locale else info.context.locale]


@strawberry.type(description="A subscription to a plan.")
class PlanSubscription(Node):
    plan: Plan = strawberry.field(description="The plan.")
    facility: Facility = strawberry.field(description="The plan's facility.")
    status: SubscriptionStatus = strawberry.field(description="Where it stands.")
    price: Money = strawberry.field(
        description="What the present month cost, before fees and taxes; another price is mailed 30 days before a "
        "renewal charges it."
    )
    current_period_start: datetime = strawberry.field(description="When the paid month began.")
    current_period_end: datetime = strawberry.field(description="When it ends.")
    renews_at: datetime | None = strawberry.field(
        description="When it renews, of a PAST_DUE one when its card is tried again; null once it will not renew."
    )
    access_until: datetime = strawberry.field(
        description="Until when it can be used, after cancelling too. While ACTIVE or PAST_DUE it can be used even "
        "past that: its renewal is a moment late, or tried again."
    )
    payment_method: PaymentMethod = strawberry.field(description="The card that renewals charge.")
    included_calls_left: int | None = strawberry.field(
        description="Calls left in this period, less those under way; then the rate applies. Null where the plan "
        "counts none."
    )
    key: strawberry.Private[UUID]

    @strawberry.field(description="The newest flow of unsubscribing, open or done; null where there was none.")
    async def cancellation(self, info: Info) -> Cancellation | None:
        row = await info.context.cancellation_of(self.key)
        return Cancellation.of(row, info.context.ports.now()) if row else None

    @staticmethod
    def of(row: Row, now: datetime) -> PlanSubscription:
        plan = Plan.of(row)
        return PlanSubscription(
            id=strawberry.ID(global_id(NodeKind.SUBSCRIPTION, read_uuid(row["id"]))),
            plan=plan,
            facility=plan.facility,
            status=SubscriptionStatus(row["status"]),
            price=Money.of(row["price"]),
            current_period_start=read_time(row["period_start"]),
            current_period_end=read_time(row["period_end"]),
            renews_at=read_time(row["renews_at"]) if row["renews_at"] else None,
            access_until=read_time(row["access_until"]),
            payment_method=PaymentMethod.of(row, now, "m_"),
            included_calls_left=row["included_calls_left"],
            key=read_uuid(row["id"]),
        )
