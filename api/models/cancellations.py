"""Flows of unsubscribing from plans."""

from __future__ import annotations

from tortoise import fields

from api.domain.cancellations import CancellationOutcome, CancellationStep
from api.models.base import Row, one_of
from api.models.plans import PlanSubscription


class Cancellation(Row):
    """A flow of unsubscribing. `open_for` is the subscription until the flow is done, then NULL: one open flow each.

    `changed_at` is when the holder was last seen in it. One that was abandoned `ended_at` the moment at which it had
    been left alone for long enough, whenever that was written. `comment` is erased with the holder.
    """

    subscription: fields.ForeignKeyRelation[PlanSubscription] = fields.ForeignKeyField(
        "models.PlanSubscription", on_delete=fields.RESTRICT, related_name="cancellations"
    )
    open_for = fields.UUIDField(unique=True, null=True)
    step = fields.CharField(16)
    outcome = fields.CharField(16, null=True)
    reason = fields.CharField(40, null=True)
    comment = fields.CharField(1000, null=True)
    begun_at = fields.DatetimeField()
    changed_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "cancellations"
        constraints = [
            one_of("cancellations", "step", CancellationStep),
            one_of("cancellations", "outcome", CancellationOutcome),
        ]
