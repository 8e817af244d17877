"""Payments that partners report, and what staff do with money."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import strawberry

from api.domain.accounts import Role
from api.domain.ids import NodeKind
from api.resolvers.fields import BILLING, mutation
from api.resolvers.inputs import key_in
from api.resolvers.staff_acts import Reason, act_of
from api.schema.external_payments import ExternalPaymentPayload, RecordExternalPaymentInput, TransactionPayload
from api.schema.payments import Payment, PaymentPayload
from api.schema.scalars import Info
from api.schema.transactions import Transaction
from api.services.adjustments import adjust_balance
from api.services.external_payments import Receipt, record_external
from api.services.unapplied_payments import apply_payment

REPORTERS = (Role.PAYMENT_PARTNER, *BILLING)


@strawberry.type
class ExternalPaymentsMutations:
    """Mutations of partners' payments, and of billing agents."""

    @mutation(
        "Reports a payment by Western Union, MoneyGram or mail, once per control number. It funds the open service of "
        "the printed number, pays Direct Bill's invoices oldest first, or waits for staff.",
        payload=ExternalPaymentPayload,
        roles=REPORTERS,
    )
    async def record_external_payment(
        self,
        info: Info,
        input: Annotated[RecordExternalPaymentInput, strawberry.argument(description="What was paid, for whom.")],
    ) -> ExternalPaymentPayload:
        viewer = info.context.admit(REPORTERS)
        recorded_by = viewer.staff.id if viewer.staff else viewer.key_id
        assert recorded_by is not None
        receipt = Receipt(input.account_number, input.channel, input.amount, input.external_reference, input.paid_at)
        recorded = await record_external(info.context.ports, recorded_by, receipt)
        return ExternalPaymentPayload(applied=recorded.is_applied, replayed=recorded.replayed)

    @mutation(
        "Applies a payment that found no account to an open service, once; it is on record with who, when and why. A "
        "prepaid service that its holder closed takes it too, and gives it back by a refund.",
        payload=PaymentPayload,
        roles=BILLING,
    )
    async def staff_apply_payment(
        self,
        info: Info,
        payment_id: Annotated[strawberry.ID, strawberry.argument(description="One of `unappliedPayments`.")],
        service_account_id: Annotated[strawberry.ID, strawberry.argument(description="Whose it is.")],
        reason: Reason,
    ) -> PaymentPayload:
        done = await apply_payment(
            info.context.ports,
            act_of(info.context, reason),
            key_in(payment_id, NodeKind.PAYMENT, "paymentId"),
            key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId"),
        )
        return PaymentPayload(payment=Payment.of(done.payment), replayed=done.replayed)

    @mutation(
        "Gives a holder a credit, or takes one back; no balance falls below zero by it. Who, when and why is kept.",
        payload=TransactionPayload,
        roles=BILLING,
    )
    async def staff_adjust_balance(
        self,
        info: Info,
        service_account_id: Annotated[
            strawberry.ID, strawberry.argument(description="AdvanceConnect or Direct Bill, open.")
        ],
        amount: Annotated[
            Decimal,
            strawberry.argument(
                description='"5.00" is in the holder\'s favour: more prepaid, or less unbilled; "-5.00" the other way.'
            ),
        ],
        reason: Reason,
        idempotency_key: Annotated[
            str, strawberry.argument(description="Made by the client; the same key never adjusts twice.")
        ],
    ) -> TransactionPayload:
        done = await adjust_balance(
            info.context.ports,
            act_of(info.context, reason),
            key_in(service_account_id, NodeKind.SERVICE_ACCOUNT, "serviceAccountId"),
            amount,
            idempotency_key,
        )
        return TransactionPayload(transaction=Transaction.of(done.entry), replayed=done.replayed)
