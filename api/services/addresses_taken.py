"""E-mail addresses that are taken by staff: they can be no customer's, so that signing in never has two meanings."""

from __future__ import annotations

from api.adapters.database import fetch_one


async def is_staff_address(email_key: str) -> bool:
    """Tell whether an address is a member of staff's, also of one who was disabled: it can be no customer's."""
    return await fetch_one("select id from staff_members where email_key = $1", email_key) is not None
