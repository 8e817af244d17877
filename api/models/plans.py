"""Monthly plans at facilities, and subscriptions to them."""

from __future__ import annotations

from tortoise import fields

from api.domain.plans import SubscriptionStatus
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.facilities import Facility
from api.models.payments import PaymentMethod


class Plan(Row):
    """A plan of one facility. `included_calls` is NULL where the plan is not about calls."""

    facility: fields.ForeignKeyRelation[Facility] = fields.ForeignKeyField(
        "models.Facility", on_delete=fields.RESTRICT, related_name="plans"
    )
    product = fields.CharField(24)
    name_en = fields.CharField(120)
    name_es = fields.CharField(120)
    price = fields.BigIntField()
    unlimited = fields.BooleanField()
    included_calls = fields.IntField(null=True)

    class Meta:
        table = "plans"
        constraints = [holds("plans_price", "price > 0")]


class PlanSubscription(Row):
    """A holder's subscription to a plan. `live_key` is unique until it ends, then NULL: one per facility and product.

    `payment_id` began it. Each period ends so many `months` after `started_at`, see domain/plans, so that a short month
    does not move the days of those after it. `kept_try_at` is when a plan that is past due would have been tried, while
    `renews_at` is an earlier try that its holder asked for by choosing a card.
    """

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="subscriptions"
    )
    plan: fields.ForeignKeyRelation[Plan] = fields.ForeignKeyField(
        "models.Plan", on_delete=fields.RESTRICT, related_name="subscriptions"
    )
    payment_method: fields.ForeignKeyNullableRelation[PaymentMethod] = fields.ForeignKeyField(
        "models.PaymentMethod", on_delete=fields.RESTRICT, related_name="subscriptions", null=True
    )
    status = fields.CharField(24)
    price = fields.BigIntField()
    period_start = fields.DatetimeField()
    period_end = fields.DatetimeField()
    renews_at = fields.DatetimeField(null=True)
    access_until = fields.DatetimeField()
    included_calls_left = fields.IntField(null=True)
    live_key = fields.CharField(120, null=True)
    payment_id = fields.UUIDField(null=True)
    started_at = fields.DatetimeField(null=True)
    months = fields.IntField(default=1, db_default=1)
    revision = fields.IntField(default=1, db_default=1)
    renewal_id = fields.UUIDField(null=True)
    tries = fields.IntField(default=0, db_default=0)
    reminded = fields.IntField(default=0, db_default=0)
    kept_try_at = fields.DatetimeField(null=True)

    class Meta:
        table = "plan_subscriptions"
        constraints = [
            one_of("plan_subscriptions", "status", SubscriptionStatus),
            holds("plan_subscriptions_period", "period_end > period_start"),
        ]


class PlanPrice(Row):
    """A price that an operator announced for a plan, in cents, from a day of the facility's calendar on."""

    plan: fields.ForeignKeyRelation[Plan] = fields.ForeignKeyField(
        "models.Plan", on_delete=fields.RESTRICT, related_name="prices"
    )
    price = fields.BigIntField()
    effective_from = fields.DateField()
    announced_at = fields.DatetimeField()
    applied_at = fields.DatetimeField(null=True)

    class Meta:
        table = "plan_prices"
        constraints = [holds("plan_prices_price", "price > 0")]


class PriceNotice(Row):
    """The notice of a price to one subscriber: renewals from `applies_at` on charge it."""

    subscription: fields.ForeignKeyRelation[PlanSubscription] = fields.ForeignKeyField(
        "models.PlanSubscription", on_delete=fields.RESTRICT, related_name="price_notices"
    )
    plan_price: fields.ForeignKeyRelation[PlanPrice] = fields.ForeignKeyField(
        "models.PlanPrice", on_delete=fields.RESTRICT, related_name="notices"
    )
    applies_at = fields.DatetimeField()
    told_at = fields.DatetimeField()

    class Meta:
        table = "price_notices"
