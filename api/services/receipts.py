"""Receipts: the token that follows a closing when the login is gone (rule 21).

It names the closing and proves itself by a key, so nothing of it is kept, and a replay shows it again.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from uuid import UUID

from api.adapters.database import Row, fetch_one
from api.adapters.ports import Ports

_PURPOSE = "closure"
_LENGTH_MAX = 200


def receipt_token(ports: Ports, closure_id: UUID) -> str:
    """Return the receipt of a closing, the same at each call while the key is."""
    return f"{closure_id.hex}.{ports.secrets.token(_PURPOSE, str(closure_id))}"


async def closure_of_receipt(ports: Ports, token: str) -> Row | None:
    """Return the closing that a receipt belongs to, also one made by the key that is being rotated out; else None."""
    name, _, proof = token.partition(".")
    if len(token) > _LENGTH_MAX or not token.isascii() or len(name) != 32:
        return None
    try:
        closure_id = UUID(hex=name)
    except ValueError:
        return None
    good = [_text(digest) for digest in ports.secrets.digests(_PURPOSE, str(closure_id))]
    if not any(hmac.compare_digest(proof, one) for one in good):
        return None
    return await fetch_one("select * from closures where id = $1", closure_id)


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")
