"""Video visits, and by facility their hours and what each length costs, as an operator edits them."""

from __future__ import annotations

from tortoise import fields

from api.domain.video_sessions import PlaceStatus
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.facilities import Facility, IncarceratedPerson
from api.models.plans import PlanSubscription
from api.models.service_accounts import ServiceAccount


class VisitingHours(Row):
    """Hours of a weekday (1 is Monday) in minutes after midnight of the facility. A day may have several."""

    facility: fields.ForeignKeyRelation[Facility] = fields.ForeignKeyField(
        "models.Facility", on_delete=fields.RESTRICT, related_name="visiting_hours"
    )
    weekday = fields.SmallIntField()
    opens = fields.SmallIntField()
    closes = fields.SmallIntField()

    class Meta:
        table = "visiting_hours"
        constraints = [
            holds("visiting_hours_weekday", "weekday BETWEEN 1 AND 7"),
            holds("visiting_hours_span", "opens >= 0 AND closes > opens AND closes <= 1440"),
        ]


class VideoPrice(Row):
    """Cents for a visit of a length at a facility, from that day on, until a later row says otherwise."""

    facility: fields.ForeignKeyRelation[Facility] = fields.ForeignKeyField(
        "models.Facility", on_delete=fields.RESTRICT, related_name="video_prices"
    )
    duration_minutes = fields.SmallIntField()
    price = fields.BigIntField()
    effective_from = fields.DateField()

    class Meta:
        table = "video_prices"
        constraints = [
            holds("video_prices_duration", "duration_minutes > 0"),
            holds("video_prices_price", "price > 0"),
        ]


class VideoSession(Row):
    """A visit of an account to a person in custody. Covered by a subscription, or paid for by `payment_id`.

    `status` says more than the holder sees, see domain/video_sessions. `reported_at` is NULL until the system that
    holds the visits has told what became of it.
    """

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="video_sessions"
    )
    service_account: fields.ForeignKeyRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="video_sessions"
    )
    facility: fields.ForeignKeyRelation[Facility] = fields.ForeignKeyField(
        "models.Facility", on_delete=fields.RESTRICT, related_name="video_sessions"
    )
    person: fields.ForeignKeyRelation[IncarceratedPerson] = fields.ForeignKeyField(
        "models.IncarceratedPerson", on_delete=fields.RESTRICT, related_name="video_sessions"
    )
    subscription: fields.ForeignKeyNullableRelation[PlanSubscription] = fields.ForeignKeyField(
        "models.PlanSubscription", on_delete=fields.RESTRICT, related_name="video_sessions", null=True
    )
    payment_id = fields.UUIDField(null=True)
    status = fields.CharField(24)
    scheduled_for = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    duration_minutes = fields.SmallIntField()
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    reported_at = fields.DatetimeField(null=True)

    class Meta:
        table = "video_sessions"
        constraints = [
            one_of("video_sessions", "status", PlaceStatus),
            holds("video_sessions_time", "ends_at > scheduled_for"),
            holds("video_sessions_cover", "(subscription_id IS NULL) <> (payment_id IS NULL)"),
        ]
