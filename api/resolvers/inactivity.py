"""States' rules on inactivity, and the holder's wish to keep a service."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import HOLDER, mutation, query
from api.resolvers.inputs import key_in
from api.schema.inactivity import InactivityRule
from api.schema.scalars import Info
from api.schema.service_accounts import ServiceAccountPayload, service_account_of
from api.services.inactivity import keep_active
from api.services.inactivity_plans import rules


@strawberry.type
class InactivityQueries:
    """Queries about inactivity."""

    @query("States' rules that close prepaid accounts on which nothing happens, by state and date.")
    async def inactivity_rules(self) -> list[InactivityRule]:
        return [InactivityRule.of(rule) for rule in await rules()]


@strawberry.type
class InactivityMutations:
    """Mutations about inactivity."""

    @mutation(
        "An interest shown in the funds restarts the inactivity period: AdvanceConnect is kept as by a deposit or a "
        "call. A repeat on the same day changes nothing.",
        payload=ServiceAccountPayload,
        roles=HOLDER,
    )
    async def keep_active(
        self,
        info: Info,
        service_account_id: Annotated[strawberry.ID, strawberry.argument(description="The service to keep.")],
    ) -> ServiceAccountPayload:
        context = info.context
        key = key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId")
        viewer = context.admit(HOLDER)
        row = await keep_active(context.ports, context.holder(), key, viewer.channel)
        return ServiceAccountPayload(service_account=service_account_of(row))
