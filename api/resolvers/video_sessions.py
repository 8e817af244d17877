"""Video visits: scheduling and cancelling them, and what became of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.domain.video_sessions import VideoSessionOutcome
from api.resolvers.fields import HOLDER, SWITCH, mutation, query
from api.resolvers.inputs import key_in, key_or_nobodys
from api.schema.errors import user_errors
from api.schema.pages import After, Before, First, Last, page_request
from api.schema.payments import Payment
from api.schema.scalars import Info
from api.schema.video_sessions import (
    ScheduleVideoSessionInput,
    VideoSession,
    VideoSessionConnection,
    VideoSessionPayload,
)
from api.services.video_places import Wish
from api.services.video_scheduling import Request, schedule
from api.services.video_sessions import cancel_session, record_outcome, schedule_of_day

SessionId = Annotated[strawberry.ID, strawberry.argument(description="The visit.")]


@strawberry.type
class VideoSessionsQueries:
    """Queries of video visits."""

    @query(
        "The visits of a day at a facility, the earliest first, for the system that holds them; cancelled and void "
        "ones too, so that it sees them go. Empty where there is no such facility.",
        roles=SWITCH,
    )
    async def video_schedule(
        self,
        facility_id: Annotated[strawberry.ID, strawberry.argument(description="The facility.")],
        day: Annotated[date, strawberry.argument(description="By the facility's calendar.")],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> VideoSessionConnection:
        key = key_or_nobodys(facility_id, NodeKind.FACILITY)
        assert key is not None, "an id was given"
        return VideoSessionConnection.of(await schedule_of_day(key, day, page_request(first, after, last, before)))


@strawberry.type
class VideoSessionsMutations:
    """Mutations of video visits."""

    @mutation(
        "Schedules a visit: covered by a plan of unlimited visits at the facility, or paid by a quote. It is scheduled "
        "once the payment has succeeded; until then its time is kept. Where a payment came too late for that, which is "
        "told by mail, the next visit like it costs nothing. Nothing is refunded.",
        payload=VideoSessionPayload,
        roles=HOLDER,
    )
    async def schedule_video_session(
        self,
        info: Info,
        input: Annotated[ScheduleVideoSessionInput, strawberry.argument(description="Whom to see, where and when.")],
    ) -> VideoSessionPayload:
        context = info.context
        wish = Wish(
            key_in(input.facility_id, NodeKind.FACILITY, "input", "facilityId"),
            key_in(input.incarcerated_person_id, NodeKind.INCARCERATED_PERSON, "input", "incarceratedPersonId"),
            input.scheduled_for,
            input.duration_minutes,
        )
        request = Request(
            wish=wish,
            quote_id=key_or_nobodys(input.quote_id, NodeKind.QUOTE),
            method_id=key_or_nobodys(input.payment_method_id, NodeKind.PAYMENT_METHOD),
            return_url=input.return_url,
            idempotency_key=input.idempotency_key,
            client=context.connection.client_address,
        )
        done = await schedule(context.ports, context.holder(), request)
        return VideoSessionPayload(
            errors=user_errors(done.paid.faults, context.locale) if done.paid else [],
            session=VideoSession.of(done.session) if done.session else None,
            payment=Payment.of(done.paid.payment) if done.paid else None,
            replayed=done.replayed,
        )

    @mutation(
        "Cancels a visit that has not begun; its time is free again. What was paid for it is not refunded, as `notice` "
        "says. A repeat changes nothing.",
        payload=VideoSessionPayload,
        roles=HOLDER,
    )
    async def cancel_video_session(self, info: Info, session_id: SessionId) -> VideoSessionPayload:
        key = key_in(session_id, NodeKind.VIDEO_SESSION, "sessionId")
        row = await cancel_session(info.context.ports, info.context.holder(), key)
        return VideoSessionPayload(session=VideoSession.of(row), cancelled=True)

    @mutation(
        "Reports what became of a visit, once it has begun. A repeat changes nothing; a visit that nobody has reported "
        "some time after its end counts as missed, until it is reported as held after all.",
        payload=VideoSessionPayload,
        roles=SWITCH,
    )
    async def record_video_session(
        self,
        info: Info,
        session_id: SessionId,
        outcome: Annotated[VideoSessionOutcome, strawberry.argument(description="What became of it.")],
    ) -> VideoSessionPayload:
        key = key_in(session_id, NodeKind.VIDEO_SESSION, "sessionId")
        row = await record_outcome(info.context.ports, key, outcome)
        return VideoSessionPayload(session=VideoSession.of(row))
