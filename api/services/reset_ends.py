"""The end of resets of a password, within the transaction of whatever brings it about."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import execute


async def end_resets(account_id: UUID) -> None:
    """End the account's resets within the transaction under way, e.g. since its address or its answers changed."""
    await execute("delete from password_resets where account_id = $1", account_id)
