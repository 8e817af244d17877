"""Background work that was given up, and another try of it."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import BILLING, mutation
from api.resolvers.inputs import key_in
from api.resolvers.staff_acts import Reason, act_of
from api.schema.failed_work import FailedWork, FailedWorkPayload
from api.schema.scalars import Info
from api.services.failed_work import retry_work


@strawberry.type
class FailedWorkMutations:
    """Mutations of background work."""

    @mutation(
        "Has work that was given up tried anew at once; who, when and why is kept. It may be repeated; NOT_FOUND once "
        "the work is done.",
        payload=FailedWorkPayload,
        roles=BILLING,
    )
    async def staff_retry_work(
        self,
        info: Info,
        work_id: Annotated[strawberry.ID, strawberry.argument(description="One of `staff.failedWork`.")],
        reason: Reason,
    ) -> FailedWorkPayload:
        act = act_of(info.context, reason)
        row = await retry_work(info.context.ports, act, key_in(work_id, NodeKind.DUE_WORK, "workId"))
        return FailedWorkPayload(work=FailedWork.of(row))
