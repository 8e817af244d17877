"""Calls, as the phone switch asked and reported."""

from __future__ import annotations

from tortoise import fields

from api.domain.ledger import CallStatus
from api.models.base import Row, holds, one_of
from api.models.facilities import Facility
from api.models.service_accounts import ServiceAccount
from api.models.sign_ins import ApiKey


class Call(Row):
    """One call. The switch's own id makes it unique; `segment` is the last one that extended its hold.

    `subscription_id` is the plan that it is within; `plan_period_start` names the period of it that has one call less
    for this one, NULL where none has.
    """

    switch: fields.ForeignKeyRelation[ApiKey] = fields.ForeignKeyField(
        "models.ApiKey", on_delete=fields.RESTRICT, related_name="calls"
    )
    call_id = fields.CharField(80)
    service_account: fields.ForeignKeyNullableRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="calls", null=True
    )
    phone = fields.CharField(20)
    facility: fields.ForeignKeyNullableRelation[Facility] = fields.ForeignKeyField(
        "models.Facility", on_delete=fields.RESTRICT, related_name="calls", null=True
    )
    status = fields.CharField(16)
    rate_per_minute = fields.DecimalField(12, 4)
    segment = fields.IntField(default=0)
    seconds_allowed = fields.IntField(null=True)
    started_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    duration_seconds = fields.IntField(null=True)
    cost = fields.BigIntField(null=True)
    recorded_at = fields.DatetimeField(null=True)
    subscription_id = fields.UUIDField(null=True)
    plan_period_start = fields.DatetimeField(null=True)

    class Meta:
        table = "calls"
        constraints = [
            one_of("calls", "status", CallStatus),
            holds("calls_duration", "duration_seconds IS NULL OR duration_seconds >= 0"),
            holds("calls_cost", "cost IS NULL OR cost >= 0"),
        ]
