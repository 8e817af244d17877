"""Video visits."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.ids import NodeKind, global_id
from api.domain.texts import render
from api.domain.video_sessions import VideoSessionOutcome, VideoSessionStatus
from api.schema.enums import publish
from api.schema.errors import Payload
from api.schema.facilities import Facility
from api.schema.incarcerated_people import IncarceratedPerson
from api.schema.pages import connection
from api.schema.payments import Payment
from api.schema.plans import PlanSubscription
from api.schema.scalars import Info, Node, PageInfo
from api.services.pages import Page

publish(
    VideoSessionStatus,
    "Where a video visit stands.",
    SCHEDULED="To come, or held and not reported yet.",
    COMPLETED="It took place.",
    MISSED="Nobody came; it is not refunded.",
    CANCELLED="Cancelled before it began; it is not refunded.",
    VOIDED_BY_CLOSURE="Void because the account or the service was closed; it is not refunded.",
)
publish(
    VideoSessionOutcome,
    "What became of a video visit.",
    COMPLETED="It took place.",
    MISSED="Nobody came.",
)


@strawberry.type(description="A video visit to a person in custody.")
class VideoSession(Node):
    facility: Facility = strawberry.field(description="Where the person visited is.")
    visitor: IncarceratedPerson = strawberry.field(description="The person in custody.")
    scheduled_for: datetime = strawberry.field(description="When it begins.")
    duration_minutes: int = strawberry.field(description="How long it lasts.")
    status: VideoSessionStatus = strawberry.field(description="Where it stands.")
    subscription_key: strawberry.Private[UUID | None]

    @strawberry.field(description="The plan that covers it; null where it was paid for, and for all but its holder.")
    async def covered_by(self, info: Info) -> PlanSubscription | None:
        row = await info.context.find(NodeKind.SUBSCRIPTION, self.subscription_key)
        return PlanSubscription.of(row, info.context.ports.now()) if row else None

    @staticmethod
    def of(row: Row) -> VideoSession:
        return VideoSession(
            id=strawberry.ID(global_id(NodeKind.VIDEO_SESSION, read_uuid(row["id"]))),
            facility=Facility.of(row, "f_"),
            visitor=IncarceratedPerson.of(row, "p_", "g_"),
            scheduled_for=read_time(row["scheduled_for"]),
            duration_minutes=row["duration_minutes"],
            status=VideoSessionStatus(row["status"]),
            subscription_key=read_uuid(row["subscription_id"]) if row["subscription_id"] else None,
        )


@strawberry.type(description="A video visit on a page, with its cursor.")
class VideoSessionEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: VideoSession = strawberry.field(description="The visit.")


def _by_time(row: Row) -> tuple[datetime, UUID]:
    return read_time(row["scheduled_for"]), read_uuid(row["id"])


@strawberry.type(description="Video visits, in the order of the list that they are of.")
class VideoSessionConnection:
    edges: list[VideoSessionEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> VideoSessionConnection:
        return connection(VideoSessionConnection, VideoSessionEdge, VideoSession.of, page, _by_time)


@strawberry.type(description="A visit that was paid for when its time was gone; the next one like it costs nothing.")
class OwedVideoSession:
    facility: Facility = strawberry.field(description="Where it is owed.")
    duration_minutes: int = strawberry.field(description="How long it lasts.")

    @staticmethod
    def of(row: Row) -> OwedVideoSession:
        return OwedVideoSession(facility=Facility.of(row, "f_"), duration_minutes=row["duration_minutes"])


@strawberry.type(description="The visit as it now is.")
class VideoSessionPayload(Payload):
    session: VideoSession | None = strawberry.field(
        default=None, description="Null when refused, and until its payment has succeeded."
    )
    payment: Payment | None = strawberry.field(
        default=None,
        description="What pays for it, set also when declined; while it asks for an action the time is kept, for some "
        "minutes. Null where a plan covers it.",
    )
    replayed: bool = strawberry.field(
        default=False, description="True: the stored answer of an earlier call with this key."
    )
    cancelled: strawberry.Private[bool] = False

    @strawberry.field(description="After cancelling: what that means for the money, in words; null otherwise.")
    def notice(self, info: Info) -> str | None:
        return render(info.context.locale, "video_sessions.not_refunded") if self.cancelled else None


@strawberry.input(description="A visit, covered by a plan or paid by a quote.")
class ScheduleVideoSessionInput:
    facility_id: strawberry.ID = strawberry.field(description="Where the person is.")
    incarcerated_person_id: strawberry.ID = strawberry.field(description="Whom to see, from `findIncarceratedPerson`.")
    quote_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="A quote of purpose VIDEO_SESSION for this facility and length; left out where a plan covers it.",
    )
    payment_method_id: strawberry.ID | None = strawberry.field(
        default=None, description="One of the account's cards; given with the quote and only with it."
    )
    scheduled_for: datetime = strawberry.field(
        description="When it begins; all of it lies within the facility's hours, see `Facility.videoSessions`."
    )
    duration_minutes: int = strawberry.field(default=20, description="One of the lengths that are offered.")
    return_url: str | None = strawberry.field(
        default=None, description="Where the bank's check leads back to, from the allowed list, app links too."
    )
    idempotency_key: str = strawberry.field(
        description="Made by the client, 1 to 200 printable characters, kept until it has the answer; the same key "
        "never pays or schedules twice."
    )
