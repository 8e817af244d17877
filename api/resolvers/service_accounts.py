"""Opening services."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.resolvers.fields import HOLDER, mutation
from api.schema.scalars import Info
from api.schema.service_accounts import OpenServiceAccountInput, ServiceAccountPayload, service_account_of
from api.services.service_accounts import open_service


@strawberry.type
class ServiceAccountsMutations:
    """Mutations of service accounts."""

    @mutation(
        "Opens a service: one open service per product, a phone on one open service.",
        payload=ServiceAccountPayload,
        roles=HOLDER,
    )
    async def open_service_account(
        self,
        info: Info,
        input: Annotated[OpenServiceAccountInput, strawberry.argument(description="What to open.")],
    ) -> ServiceAccountPayload:
        holder = info.context.holder()
        row, _ = await open_service(info.context.ports, holder, input.product, input.phone, input.idempotency_key)
        return ServiceAccountPayload(service_account=service_account_of(row))
