"""Balances, live."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from api.domain.ids import NodeKind, key_of
from api.schema.balances import BalanceUpdate
from api.schema.scalars import Info
from api.services.balances import watch
from api.services.service_accounts import find_service


@strawberry.type
class BalancesSubscriptions:
    """Subscriptions to balances."""

    @strawberry.subscription(
        description="One service's balance, or those of all open services: first the state as it is, one SNAPSHOT "
        "each, then each change with the whole new state and its revision. "
        "Ends when the sign-in is ended. For: CUSTOMER."
    )
    async def balance_changed(
        self,
        info: Info,
        service_account_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="One service; all open ones when left out.")
        ] = None,
    ) -> AsyncGenerator[BalanceUpdate, None]:
        context = info.context
        holder = context.holder()
        assert context.viewer is not None
        service_id = None
        if service_account_id is not None:
            service_id = key_of(service_account_id, NodeKind.SERVICE_ACCOUNT)
            if service_id is None or await find_service(holder, service_id) is None:
                raise context.bad_request("errors.not_found")
        changes = watch(context.ports, holder, context.viewer.sign_in_id, service_id)
        try:
            async for change in changes:
                yield BalanceUpdate.of(change)
        finally:
            await changes.aclose()
