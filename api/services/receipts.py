"""Receipts: the token that follows a closing when the login is gone (rule 21).

It names the closing and proves itself by a key, so nothing of it is kept, and a replay shows it again.
"""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch_one
from api.adapters.ports import Ports
from api.services.named_links import named_token, read_named_token

_PURPOSE = "closure"


def receipt_token(ports: Ports, closure_id: UUID) -> str:
    """Return the receipt of a closing, the same at each call while the key is."""
    return named_token(ports.secrets, _PURPOSE, closure_id)


async def closure_of_receipt(ports: Ports, token: str) -> Row | None:
    """Return the closing that a receipt belongs to, also one made by the key that is being rotated out; else None."""
    closure_id = read_named_token(ports.secrets, _PURPOSE, token)
    return await fetch_one("select * from closures where id = $1", closure_id) if closure_id else None
