"""AutoPay, TextPay and low-balance alerts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from api.adapters.database import Row
from api.domain.ids import NodeKind
from api.resolvers.fields import HOLDER, mutation
from api.resolvers.inputs import key_in
from api.schema.scalars import Info
from api.schema.service_accounts import (
    AdvanceConnectAccount,
    AdvanceConnectPayload,
    ServiceAccountPayload,
    service_account_of,
)
from api.schema.top_ups import SetAutoPayInput, SetTextPayInput
from api.services.auto_pays import AutoPaySettings, cancel_auto_pay, pause_auto_pay, set_auto_pay
from api.services.low_balances import set_alert
from api.services.text_pays import TextPaySettings, cancel_text_pay, set_text_pay

_Service = Annotated[strawberry.ID, strawberry.argument(description="The AdvanceConnect service.")]


def _service_and_card(input: SetAutoPayInput | SetTextPayInput) -> tuple[UUID, UUID]:
    service_id = key_in(input.service_account_id, NodeKind.SERVICE_ACCOUNT, "input", "serviceAccountId")
    return service_id, key_in(input.payment_method_id, NodeKind.PAYMENT_METHOD, "input", "paymentMethodId")


def _payload(row: Row) -> AdvanceConnectPayload:
    service = service_account_of(row)
    assert isinstance(service, AdvanceConnectAccount)
    return AdvanceConnectPayload(service_account=service)


@strawberry.type
class TopUpsMutations:
    """Mutations of what follows a low balance."""

    @mutation(
        "Sets AutoPay, in place of what was set and of TextPay; a copy of the mandate is mailed. While the balance is "
        "low it charges at once. CONSENT_REQUIRED unless the mandate is accepted in the version that holds now.",
        payload=AdvanceConnectPayload,
        roles=HOLDER,
    )
    async def set_auto_pay(
        self, info: Info, input: Annotated[SetAutoPayInput, strawberry.argument(description="What to set.")]
    ) -> AdvanceConnectPayload:
        service_id, method_id = _service_and_card(input)
        settings = AutoPaySettings(
            input.threshold, input.amount, method_id, input.monthly_cap, input.accept_mandate, input.agreement_version
        )
        viewer = info.context.admit(HOLDER)
        return _payload(await set_auto_pay(info.context.ports, viewer, service_id, settings))

    @mutation(
        "Pauses AutoPay, or resumes it, also from PAYMENT_FAILED; resumed while the balance is low it charges at once.",
        payload=AdvanceConnectPayload,
        roles=HOLDER,
    )
    async def pause_auto_pay(
        self,
        info: Info,
        service_account_id: _Service,
        paused: Annotated[bool, strawberry.argument(description="True pauses, false resumes.")],
    ) -> AdvanceConnectPayload:
        service_id = key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId")
        viewer = info.context.admit(HOLDER)
        return _payload(await pause_auto_pay(info.context.ports, viewer, service_id, paused=paused))

    @mutation("Ends AutoPay: after the answer it charges nothing.", payload=AdvanceConnectPayload, roles=HOLDER)
    async def cancel_auto_pay(self, info: Info, service_account_id: _Service) -> AdvanceConnectPayload:
        service_id = key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId")
        return _payload(await cancel_auto_pay(info.context.ports, info.context.admit(HOLDER), service_id))

    @mutation(
        "Sets TextPay, in place of what was set and of AutoPay; a copy of the mandate is mailed. While the balance is "
        "low an offer is texted at once. CONSENT_REQUIRED unless mandate and texts are accepted in the version that "
        "holds now.",
        payload=AdvanceConnectPayload,
        roles=HOLDER,
    )
    async def set_text_pay(
        self, info: Info, input: Annotated[SetTextPayInput, strawberry.argument(description="What to set.")]
    ) -> AdvanceConnectPayload:
        service_id, method_id = _service_and_card(input)
        settings = TextPaySettings(
            input.phone, input.threshold, input.amount, method_id, input.accept_mandate, input.accept_sms,
            input.agreement_version,
        )  # fmt: skip
        viewer = info.context.admit(HOLDER)
        return _payload(await set_text_pay(info.context.ports, viewer, service_id, settings))

    @mutation(
        "Ends TextPay and takes its offer back: a Yes after the answer charges nothing.",
        payload=AdvanceConnectPayload,
        roles=HOLDER,
    )
    async def cancel_text_pay(self, info: Info, service_account_id: _Service) -> AdvanceConnectPayload:
        service_id = key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId")
        return _payload(await cancel_text_pay(info.context.ports, info.context.admit(HOLDER), service_id))

    @mutation(
        "Has the holder told, once each time, when the balance falls below a threshold; null ends that.",
        payload=ServiceAccountPayload,
        roles=HOLDER,
    )
    async def set_low_balance_alert(
        self,
        info: Info,
        service_account_id: _Service,
        threshold: Annotated[
            Decimal | None, strawberry.argument(description='A posted balance, like "10.00"; null: no alert.')
        ] = None,
    ) -> ServiceAccountPayload:
        service_id = key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId")
        row = await set_alert(info.context.ports, info.context.holder(), service_id, threshold)
        return ServiceAccountPayload(service_account=service_account_of(row))
