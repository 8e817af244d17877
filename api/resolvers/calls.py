"""The phone switch: calls that begin, go on and end."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import SWITCH, mutation
from api.resolvers.inputs import key_in
from api.schema.calls import AuthorizeCallInput, Call, CallPayload, RecordCallInput
from api.schema.scalars import Info
from api.services import calls


def _facility(input: AuthorizeCallInput | RecordCallInput) -> UUID | None:
    text = input.facility_id
    return key_in(text, NodeKind.FACILITY, "input", "facilityId") if text else None


def _payload(answer: calls.CallAnswer) -> CallPayload:
    call = Call.of(answer.call) if answer.call else None
    return CallPayload(call=call, max_seconds=answer.seconds, replayed=answer.replayed)


@strawberry.type
class CallsMutations:
    """Mutations of the phone switch."""

    @mutation(
        "Asks whether a call may begin, or go on by one more segment: holds the price of up to 60 minutes and says how "
        "many seconds that allows.",
        payload=CallPayload,
        roles=SWITCH,
    )
    async def authorize_call(
        self, info: Info, input: Annotated[AuthorizeCallInput, strawberry.argument(description="Which call.")]
    ) -> CallPayload:
        ask = calls.Ask(
            input.call_id,
            input.segment,
            input.phone,
            _facility(input),
            input.rate_per_minute,
        )
        return _payload(await calls.authorize(info.context.ports, info.context.switch(), ask))

    @mutation(
        "Reports a call that ended: charges each started minute, once, also when the record comes late, twice or out "
        "of order, and releases the hold.",
        payload=CallPayload,
        roles=SWITCH,
    )
    async def record_call(
        self, info: Info, input: Annotated[RecordCallInput, strawberry.argument(description="The call's record.")]
    ) -> CallPayload:
        report = calls.Report(
            input.call_id,
            input.phone,
            _facility(input),
            input.started_at,
            input.duration_seconds,
            input.rate_per_minute,
        )
        return _payload(await calls.record(info.context.ports, info.context.switch(), report))
