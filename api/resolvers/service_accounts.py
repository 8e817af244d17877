"""Opening services, and the phones on them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import HOLDER, mutation
from api.resolvers.inputs import key_in, key_or_nobodys
from api.schema.scalars import Info
from api.schema.service_accounts import OpenServiceAccountInput, ServiceAccountPayload, service_account_of
from api.services import phones
from api.services.service_accounts import open_service

PhoneId = Annotated[strawberry.ID, strawberry.argument(description="A number on one of the account's services.")]


@strawberry.type
class ServiceAccountsMutations:
    """Mutations of service accounts."""

    @mutation(
        "Opens a service: one open service per product, of Debit per person in custody; a phone on one open service.",
        payload=ServiceAccountPayload,
        roles=HOLDER,
    )
    async def open_service_account(
        self,
        info: Info,
        input: Annotated[OpenServiceAccountInput, strawberry.argument(description="What to open.")],
    ) -> ServiceAccountPayload:
        row, _ = await open_service(
            info.context.ports,
            info.context.holder(),
            input.product,
            input.phone,
            input.idempotency_key,
            key_or_nobodys(input.incarcerated_person_id, NodeKind.INCARCERATED_PERSON),
        )
        return ServiceAccountPayload(service_account=service_account_of(row))

    @mutation(
        "Puts a number on an AdvanceConnect or Direct Bill account; a number is on one open account. A repeat changes "
        "nothing but the label, if one is given.",
        payload=ServiceAccountPayload,
        roles=HOLDER,
    )
    async def add_phone(
        self,
        info: Info,
        service_account_id: Annotated[strawberry.ID, strawberry.argument(description="The service to put it on.")],
        phone: Annotated[
            str, strawberry.argument(description='As people write it, "(505) 555-0100", or any number with "+".')
        ],
        label: Annotated[
            str | None, strawberry.argument(description="What the holder calls it, up to 60 characters.")
        ] = None,
    ) -> ServiceAccountPayload:
        service_id = key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId")
        row = await phones.add_phone(info.context.ports, info.context.holder(), service_id, phone, label)
        return ServiceAccountPayload(service_account=service_account_of(row))

    @mutation(
        "Has calls to a number refused, or no longer. It stays on the account; calls under way go on.",
        payload=ServiceAccountPayload,
        roles=HOLDER,
    )
    async def set_phone_blocked(
        self,
        info: Info,
        phone_id: PhoneId,
        blocked: Annotated[bool, strawberry.argument(description="True refuses calls, false allows them again.")],
    ) -> ServiceAccountPayload:
        key = key_in(phone_id, NodeKind.PHONE, "phoneId")
        row = await phones.set_phone_blocked(info.context.ports, info.context.holder(), key, blocked)
        return ServiceAccountPayload(service_account=service_account_of(row))

    @mutation(
        "Takes a number off its account, so that it can be on another. The last number stays: add another first.",
        payload=ServiceAccountPayload,
        roles=HOLDER,
    )
    async def remove_phone(self, info: Info, phone_id: PhoneId) -> ServiceAccountPayload:
        key = key_in(phone_id, NodeKind.PHONE, "phoneId")
        row = await phones.remove_phone(info.context.ports, info.context.holder(), key)
        return ServiceAccountPayload(service_account=service_account_of(row))
