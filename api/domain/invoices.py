"""Invoices of Direct Bill: what they are, where they stand, and which of them a payment pays."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from uuid import UUID


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


UNPAID = (InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE)


@dataclass(frozen=True, slots=True)
class InvoiceTerms:
    """Until when an invoice is to be paid, in calendar days from its statement date, and when a reminder goes out."""

    due_days: int
    reminder_days: int
    months_before_max: int
    link_lives: timedelta

    def due_date(self, statement_date: date) -> date:
        """Return the last day on which an invoice can be paid without being past due (rule 24)."""
        return statement_date + timedelta(days=self.due_days)


@cache
def invoice_terms() -> InvoiceTerms:
    """Return the terms that ship, read once from `data/invoices.toml`."""
    data = tomllib.loads((files("api") / "data" / "invoices.toml").read_text("utf-8"))
    return InvoiceTerms(
        data["invoices"]["due_days"],
        data["invoices"]["reminder_days"],
        data["statements"]["months_before_max"],
        timedelta(minutes=data["files"]["link_minutes"]),
    )


class Due(NamedTuple):
    """An invoice that is not paid, and what is due of it in cents."""

    id: UUID
    due: int


class Paying(NamedTuple):
    """What of a payment goes to which invoice, in cents, and what is left over as a credit."""

    parts: tuple[Due, ...]
    left: int


def pay_invoices(amount: int, unpaid: Sequence[Due], first: UUID | None = None) -> Paying:
    """Return how a payment of `amount` cents is spread: on the invoice it names, then on the oldest (their order)."""
    parts = []
    for invoice in sorted(unpaid, key=lambda one: one.id != first):
        part = min(amount, invoice.due)
        if part > 0:
            parts.append(Due(invoice.id, part))
            amount -= part
    return Paying(tuple(parts), amount)


def credit_left(billed: int, due: int) -> int:
    """Return what was paid beyond all invoices, in cents: `billed` is what the ledger says is owed on invoices."""
    return max(0, due - billed)
