"""Invoices of Direct Bill, and monthly statements."""

from __future__ import annotations

from tortoise import fields

from api.domain.invoices import InvoiceKind, InvoiceStatus
from api.domain.service_accounts import Product
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.service_accounts import ServiceAccount


class Invoice(Row):
    """What is to be paid of Direct Bill. `total` and `due` in cents; `number` is printed. Its link is derived."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="invoices"
    )
    service_account: fields.ForeignKeyRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="invoices"
    )
    number = fields.CharField(24, unique=True)
    kind = fields.CharField(8)
    status = fields.CharField(8)
    statement_date = fields.DateField()
    due_date = fields.DateField()
    total = fields.BigIntField()
    due = fields.BigIntField()
    issued_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "invoices"
        constraints = [
            one_of("invoices", "kind", InvoiceKind),
            one_of("invoices", "status", InvoiceStatus),
            holds("invoices_amounts", "total > 0 AND due >= 0 AND due <= total"),
            holds("invoices_paid_in_full", "(status IN ('OPEN', 'PAST_DUE')) = (due > 0)"),
            holds("invoices_dates", "due_date >= statement_date"),
        ]


class Statement(Row):
    """A month of a service, in cents and Central days; the entries of its sequences sum to it."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="statements"
    )
    service_account: fields.ForeignKeyRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="statements"
    )
    product = fields.CharField(24)
    period_start = fields.DateField()
    period_end = fields.DateField()
    sequence_from = fields.BigIntField()
    sequence_to = fields.BigIntField()
    opening = fields.BigIntField()
    deposits = fields.BigIntField()
    charges = fields.BigIntField()
    closing = fields.BigIntField()
    call_seconds = fields.IntField()
    made_at = fields.DatetimeField()

    class Meta:
        table = "statements"
        constraints = [
            one_of("statements", "product", Product),
            holds("statements_period", "period_end >= period_start"),
        ]
