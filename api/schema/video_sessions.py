"""Scheduled video visits. Nobody can schedule one here yet, so there are none to show."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from api.schema.enums import publish
from api.schema.facilities import Facility
from api.schema.incarcerated_people import IncarceratedPerson
from api.schema.plans import PlanSubscription
from api.schema.scalars import Node


class VideoSessionStatus(Enum):
    """Where a video visit stands."""

    SCHEDULED = "SCHEDULED"
    COMPLETED = "COMPLETED"
    MISSED = "MISSED"
    CANCELLED = "CANCELLED"
    VOIDED_BY_CLOSURE = "VOIDED_BY_CLOSURE"


publish(
    VideoSessionStatus,
    "Where a video visit stands.",
    SCHEDULED="To come.",
    COMPLETED="It took place.",
    MISSED="Nobody came; it is not refunded.",
    CANCELLED="Cancelled before it began.",
    VOIDED_BY_CLOSURE="Void because the account was deleted; it is not refunded.",
)


@strawberry.type(description="A video visit. None can be scheduled here yet.")
class VideoSession(Node):
    facility: Facility = strawberry.field(description="Where the person visited is.")
    visitor: IncarceratedPerson = strawberry.field(description="The person in custody.")
    covered_by: PlanSubscription | None = strawberry.field(
        description="The plan that covers it; null where it was paid for."
    )
    scheduled_for: datetime = strawberry.field(description="When it begins.")
    duration_minutes: int = strawberry.field(description="How long it lasts.")
    status: VideoSessionStatus = strawberry.field(description="Where it stands.")
