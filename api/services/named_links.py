"""Links that carry the id of what they are of, and a signature: derived anew at any time, kept nowhere."""

from __future__ import annotations

from uuid import UUID

from api.adapters.secrets import Secrets

_HEX = 32


def named_token(secrets: Secrets, purpose: str, key: UUID) -> str:
    """Return the token of a link; the same at each call."""
    return f"{key.hex}.{secrets.token(purpose, str(key))}"


def read_named_token(secrets: Secrets, purpose: str, text: str) -> UUID | None:
    """Return what a link's token names, or None when it is not one of ours; the key being rotated out counts too."""
    name, _, signature = text.partition(".")
    if len(text) > 100 or not text.isascii() or len(name) != _HEX:
        return None
    try:
        key = UUID(name)
    except ValueError:
        return None
    return key if key.hex == name and secrets.is_token(signature, purpose, str(key)) else None
