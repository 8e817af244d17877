"""Opaque bearer tokens: 256 random bits for the bearer, their SHA-256 for the database."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """Return a token of 256 random bits in URL-safe text."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is kept of a token. A plain hash is enough: nobody can guess 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
