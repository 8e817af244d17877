"""The books, compared."""

from __future__ import annotations

from datetime import date

import strawberry

from api.domain.money import format_money
from api.domain.texts import render
from api.schema.scalars import Money
from api.services import reconciliation

_AMOUNTS = ("ledger", "processor")


@strawberry.type(description="The ledger compared with itself, and a day of the processor's books with the ledger.")
class Reconciliation:
    on: date = strawberry.field(description="The day of US Central time that was compared with the processor.")
    balanced: bool = strawberry.field(description="True where there is no difference.")
    ledger_total: Money = strawberry.field(description="What all ledger accounts in dollars sum to: zero.")
    differences: list[str] = strawberry.field(description="Each in words, two hundred at most.")

    @staticmethod
    def of(found: reconciliation.Reconciliation, locale: str) -> Reconciliation:
        return Reconciliation(
            on=found.on,
            balanced=not found.differences,
            ledger_total=Money.of(found.ledger_total),
            differences=[in_words(difference, locale) for difference in found.differences],
        )


def in_words(difference: reconciliation.Difference, locale: str) -> str:
    """Return a difference as a person reads it."""
    params = {
        name: format_money(value, locale) if name in _AMOUNTS and isinstance(value, int) else value
        for name, value in difference.params.items()
    }
    return render(locale, difference.text, params)
