"""Invoices by their links, signed out, and voided by staff."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import BILLING, mutation, query
from api.resolvers.inputs import key_in
from api.resolvers.staff_acts import Reason, act_of
from api.schema.errors import user_errors
from api.schema.invoices import Invoice, InvoicePayload, LinkedInvoice, LinkedInvoicePayload
from api.schema.scalars import Info
from api.services.invoice_links import LinkOrder, linked_invoice, pay_by_link
from api.services.invoice_voids import void_invoice

Link = Annotated[str, strawberry.argument(description="What the address in the mail has as `link`.")]


@strawberry.type
class InvoicesQueries:
    """Queries of invoices."""

    @query("The invoice that a mailed link is of; null for what is no link. It pays until nothing is due.")
    async def invoice_by_link(self, info: Info, link: Link) -> LinkedInvoice | None:
        linked = await linked_invoice(info.context.ports, link)
        return LinkedInvoice.of(linked, info) if linked else None


@strawberry.type
class InvoicesMutations:
    """Mutations of invoices."""

    @mutation(
        "Pays all that is due on an invoice with a card, by its link; once per key, and one payment at a time: one "
        "that has waited for 3-D Secure for ten minutes is ended first.",
        payload=LinkedInvoicePayload,
    )
    async def pay_invoice_by_link(
        self,
        info: Info,
        link: Link,
        amount: Annotated[
            Decimal, strawberry.argument(description="What the invoice showed as due; another one is STALE.")
        ],
        provider_token: Annotated[
            str,
            strawberry.argument(description="From the processor's own form, never a card number. Sandbox: tok_visa."),
        ],
        idempotency_key: Annotated[
            str, strawberry.argument(description="Made by the client; the same key never pays twice.")
        ],
        return_url: Annotated[
            str | None,
            strawberry.argument(description="Where the bank's check leads back to, from the allowed list."),
        ] = None,
    ) -> LinkedInvoicePayload:
        client = info.context.connection.client_address
        order = LinkOrder(link, amount, provider_token, return_url, idempotency_key, client)
        linked = await pay_by_link(info.context.ports, order)
        errors = user_errors(linked.faults, info.context.locale)
        return LinkedInvoicePayload(errors=errors, invoice=LinkedInvoice.of(linked, info), replayed=linked.replayed)

    @mutation(
        "Voids an invoice on which something is due: nobody pays it any more, by link or otherwise. What is due goes "
        "back to what is unbilled, or is written off where the service is closed. Who, when and why is kept.",
        payload=InvoicePayload,
        roles=BILLING,
    )
    async def staff_void_invoice(
        self,
        info: Info,
        invoice_id: Annotated[strawberry.ID, strawberry.argument(description="An invoice that is not paid yet.")],
        reason: Reason,
        idempotency_key: Annotated[
            str, strawberry.argument(description="Made by the client; the same key never voids twice.")
        ],
    ) -> InvoicePayload:
        invoice = key_in(invoice_id, NodeKind.INVOICE, "invoiceId")
        done = await void_invoice(info.context.ports, act_of(info.context, reason), invoice, idempotency_key)
        return InvoicePayload(invoice=Invoice.of(done.invoice), replayed=done.replayed)
