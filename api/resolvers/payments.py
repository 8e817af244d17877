"""Cards, quotes and payments."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import HOLDER, mutation, query
from api.resolvers.inputs import key_in, key_or_nobodys
from api.schema.errors import user_errors
from api.schema.payments import (
    PayInput,
    Payment,
    PaymentMethod,
    PaymentMethodPayload,
    PaymentMethodSetupPayload,
    PaymentPayload,
    PaymentQuote,
    PaymentQuotePayload,
    QuotePaymentInput,
)
from api.schema.scalars import Info
from api.services import payment_methods, payments
from api.services.payment_methods import add_method
from api.services.quotes import quote_payment


@strawberry.type
class PaymentsQueries:
    """Queries of payments."""

    @query(
        "What became of a payment, to be asked after a crash or a lost connection; null: nothing was charged.",
        roles=HOLDER,
    )
    async def payment_by_idempotency_key(
        self,
        info: Info,
        key: Annotated[str, strawberry.argument(description="The key that `pay` or `subscribe` was called with.")],
    ) -> Payment | None:
        row = await payments.payment_by_key(info.context.ports, info.context.holder(), key)
        return Payment.of(row) if row else None


@strawberry.type
class PaymentsMutations:
    """Mutations of payments."""

    @mutation(
        "Opens the processor's own form for a card. What the form gives back, a token, goes to `addPaymentMethod`.",
        payload=PaymentMethodSetupPayload,
        roles=HOLDER,
    )
    async def set_up_payment_method(self, info: Info) -> PaymentMethodSetupPayload:
        ports = info.context.ports
        setup = await payment_methods.set_up(ports, info.context.holder())
        return PaymentMethodSetupPayload(
            client_secret=setup.client_secret, provider=ports.processor.name, publishable_key=setup.publishable_key
        )

    @mutation(
        "Adds a card that the processor's own form turned into a token. The first card becomes the default.",
        payload=PaymentMethodPayload,
        roles=HOLDER,
    )
    async def add_payment_method(
        self,
        info: Info,
        provider_token: Annotated[
            str,
            strawberry.argument(
                description="The processor's token, never a card number. In the sandbox: tok_visa, tok_declined, "
                "tok_3ds."
            ),
        ],
        make_default: Annotated[bool, strawberry.argument(description="Offer this card first from now on.")] = False,
    ) -> PaymentMethodPayload:
        ports = info.context.ports
        client = info.context.connection.client_address
        row = await add_method(ports, info.context.holder(), provider_token, make_default=make_default, client=client)
        return PaymentMethodPayload(payment_method=PaymentMethod.of(row, ports.now()))

    @mutation("Offers a card first from now on.", payload=PaymentMethodPayload, roles=HOLDER)
    async def set_default_payment_method(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="One of the account's cards.")]
    ) -> PaymentMethodPayload:
        ports, key = info.context.ports, key_in(id, NodeKind.PAYMENT_METHOD, "id")
        row = await payment_methods.set_default(ports, info.context.holder(), key)
        return PaymentMethodPayload(payment_method=PaymentMethod.of(row, ports.now()))

    @mutation(
        "Removes a card. Refused with INVALID_STATE while AutoPay, TextPay or a plan uses it, one error for each. "
        "Another card becomes the default; refunds of what it paid still go back to it.",
        payload=PaymentMethodPayload,
        roles=HOLDER,
    )
    async def remove_payment_method(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="One of the account's cards.")]
    ) -> PaymentMethodPayload:
        ports, key = info.context.ports, key_in(id, NodeKind.PAYMENT_METHOD, "id")
        row = await payment_methods.remove_method(ports, info.context.holder(), key)
        return PaymentMethodPayload(payment_method=PaymentMethod.of(row, ports.now()))

    @mutation(
        "Says what a payment will cost, line by line; pay it within fifteen minutes.",
        payload=PaymentQuotePayload,
        roles=HOLDER,
    )
    async def quote_payment(
        self,
        info: Info,
        input: Annotated[QuotePaymentInput, strawberry.argument(description="What is to be paid.")],
    ) -> PaymentQuotePayload:
        quoted = await quote_payment(
            info.context.ports,
            info.context.holder(),
            input.purpose,
            key_or_nobodys(input.service_account_id, NodeKind.SERVICE_ACCOUNT),
            input.amount,
            invoice_id=key_or_nobodys(input.invoice_id, NodeKind.INVOICE),
            plan_id=key_or_nobodys(input.plan_id, NodeKind.PLAN),
            stamps=input.stamps,
        )
        return PaymentQuotePayload(quote=PaymentQuote.of(quoted.row, quoted.balance_after, quoted.estimated_minutes))

    @mutation(
        "Pays exactly the quote, once. A repeat with the same key gives the payment as it stands; when the outcome is "
        "not known yet the payment is PROCESSING and nothing is charged a second time. A payment of the same invoice "
        "that has waited for 3-D Secure for ten minutes is ended first. Plans are paid by `subscribe`.",
        payload=PaymentPayload,
        roles=HOLDER,
    )
    async def pay(
        self, info: Info, input: Annotated[PayInput, strawberry.argument(description="Which quote, by which card.")]
    ) -> PaymentPayload:
        order = payments.Order(
            key_in(input.quote_id, NodeKind.QUOTE, "input", "quoteId"),
            key_in(input.payment_method_id, NodeKind.PAYMENT_METHOD, "input", "paymentMethodId"),
            input.return_url,
            input.idempotency_key,
            info.context.connection.client_address,
        )
        paid = await payments.pay(info.context.ports, info.context.holder(), order)
        errors = user_errors(paid.faults, info.context.locale)
        return PaymentPayload(errors=errors, payment=Payment.of(paid.payment), replayed=paid.replayed)
