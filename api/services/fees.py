"""Fees and taxes: rows by purpose and day, as an operator edits them; none ship."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one
from api.domain.charge_lines import ChargeRule, Line, LineKind, lines_of
from api.domain.days import day_of
from api.domain.payments import PaymentPurpose

RULES_MAX = 20


async def charged_lines(account_id: UUID, purpose: PaymentPurpose, principal: Line, now: datetime) -> list[Line]:
    """Return what is charged for a principal: itself, the fees of today, and the taxes of where the account's address
    is."""
    address = await fetch_one("select state, country from accounts where id = $1", account_id)
    assert address is not None, "a quote is for an account"
    rows = await fetch(
        "select * from fee_rules where purpose = $1 and effective_from <= $2"
        " and (effective_until is null or effective_until > $2) and (jurisdiction is null or jurisdiction = $3)"
        f" order by kind, effective_from, id limit {RULES_MAX}",
        purpose.value, day_of(now), address["state"] if address["country"] == "US" else "",
    )  # fmt: skip
    return lines_of(principal, [_rule(row) for row in rows])


def _rule(row: Row) -> ChargeRule:
    label = {"en": row["label_en"], "es": row["label_es"]}
    return ChargeRule(LineKind(row["kind"]), label, row["fixed"], row["per_million"], row["jurisdiction"])
