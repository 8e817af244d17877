"""Thresholds of a balance: which is the highest, and whether one was crossed (docs/decisions/0013-paying.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from api.adapters.database import fetch_one
from api.domain.ledger import UpdateCause
from api.services.ledger import Balance, save

_HIGHEST = """
select max(threshold) as highest from (
  select threshold from low_balance_alerts where service_account_id = $1
  union all select threshold from auto_pays where service_account_id = $1 and state <> 'TERMINATED'
  union all select threshold from text_pays where service_account_id = $1 and state <> 'TERMINATED'
) as thresholds
"""


async def refresh_low_below(balance: Balance, now: datetime) -> Balance:
    """Set a locked balance's threshold to the highest of those that are set, None without any; tell its watchers when
    it changed. Call it after each change of a threshold."""
    row = await fetch_one(_HIGHEST, balance.service_account_id)
    highest = row["highest"] if row else None
    if highest == balance.low_below:
        return balance
    return await save(replace(balance, low_below=highest), now, UpdateCause.SNAPSHOT)


async def has_crossed(balance: Balance, threshold: int, told_sequence: int | None) -> bool:
    """Tell whether a locked balance fell below a threshold since its mechanism last acted, at `told_sequence`.

    It must have been at or above it meanwhile; with None, never acted, it is enough to be below.
    """
    if balance.posted >= threshold:
        return False
    if told_sequence is None:
        return True
    return await fetch_one(
        "select id from journal_entries where balance_id = $1 and sequence > $2 and balance_after >= $3 limit 1",
        balance.id, told_sequence, threshold,
    ) is not None  # fmt: skip
