"""What a payment is made of, line by line: what is credited, and the fees and taxes on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class LineKind(Enum):
    """Where a line's money goes."""

    PRINCIPAL = "PRINCIPAL"
    FEE = "FEE"
    TAX = "TAX"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a quote or payment; `amount` in cents, never zero.

    `label` is a key of the texts, or the words by language where an operator wrote them. A tax names its
    `jurisdiction`, whose account in the ledger it goes to.
    """

    label: str | Mapping[str, str]
    amount: int
    kind: LineKind = LineKind.PRINCIPAL
    jurisdiction: str | None = None

    def kept(self) -> list[Any]:
        """Return the line as a table keeps it."""
        label = self.label if isinstance(self.label, str) else dict(self.label)
        return [label, self.amount, self.kind.value, self.jurisdiction]

    @staticmethod
    def of(kept: list[Any]) -> Line:
        """Read a line that a table kept; the first ones had a label and an amount only."""
        label, amount, kind, jurisdiction = (*kept, LineKind.PRINCIPAL.value, None)[:4] if len(kept) == 2 else kept
        return Line(label, amount, LineKind(kind), jurisdiction)


def total_of(lines: Iterable[Line]) -> int:
    """Return what is charged, in cents."""
    return sum(line.amount for line in lines)


def principal_of(lines: Iterable[Line]) -> int:
    """Return what is credited, in cents."""
    return sum(line.amount for line in lines if line.kind is LineKind.PRINCIPAL)


@dataclass(frozen=True, slots=True)
class ChargeRule:
    """A fee or tax on a principal, as an operator wrote it: `fixed` cents and `per_million` parts of it."""

    kind: LineKind
    label: Mapping[str, str]
    fixed: int
    per_million: int
    jurisdiction: str | None

    def amount_on(self, principal: int) -> int:
        """Return the fee or tax in cents, rounded once, half up."""
        return self.fixed + (principal * self.per_million + 500_000) // 1_000_000


def lines_of(principal: Line, rules: Iterable[ChargeRule]) -> list[Line]:
    """Return what is charged: the principal, then what the rules add to it; what comes to nothing has no line."""
    added = [(rule, rule.amount_on(principal.amount)) for rule in rules]
    return [principal, *(Line(rule.label, cents, rule.kind, rule.jurisdiction) for rule, cents in added if cents)]
