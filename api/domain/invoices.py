"""Invoices of Direct Bill: what they are and where they stand."""

from __future__ import annotations

from enum import Enum


class InvoiceKind(Enum):
    """Why an invoice was issued."""

    MONTHLY = "MONTHLY"
    FINAL = "FINAL"


class InvoiceStatus(Enum):
    """Where an invoice stands."""

    OPEN = "OPEN"
    PAST_DUE = "PAST_DUE"
    PAID = "PAID"
    VOID = "VOID"
