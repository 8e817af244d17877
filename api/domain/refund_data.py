"""Windows and terms of refunds and held funds, as shipped in `data/closing.toml` (rules 23 and 26)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class RefundData:
    """How money goes back. Pairs are the least and the most; `disposition_days` holds where a state's row has none."""

    card_business_days: tuple[int, int]
    statement_days_max: int
    check_days: tuple[int, int]
    check_stale_days: int
    disposition_days: int


@cache
def refund_data() -> RefundData:
    """Return the shipped data, read once."""
    data = tomllib.loads((files("api") / "data" / "closing.toml").read_text("utf-8"))
    card, check = data["card"], data["check"]
    return RefundData(
        card_business_days=(card["business_days_min"], card["business_days_max"]),
        statement_days_max=card["statement_days_max"],
        check_days=(check["days_min"], check["days_max"]),
        check_stale_days=check["stale_after_days"],
        disposition_days=data["held_funds"]["disposition_days"],
    )
