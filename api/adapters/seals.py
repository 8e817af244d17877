"""Secrets that the service must read again: sealed with a key derived from SECRET_KEY before they are stored."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.adapters.secrets import Secrets

_NONCE_BYTES = 12


class SealBroken(Exception):
    """No key of the service opens it: SECRET_KEY was changed without SECRET_KEY_OLD, or the row was tampered with."""


class Unsealed(NamedTuple):
    """What was sealed; `is_old` when by the key that is being rotated out, so that it should be sealed anew."""

    plain: bytes
    is_old: bool


def seal(secrets: Secrets, purpose: str, plain: bytes, *, owner: str) -> str:
    """Return `plain` sealed by AES-256-GCM, as text. It opens for the same purpose and owner only."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(secrets.digest("seal", purpose)).encrypt(nonce, plain, owner.encode())
    return urlsafe_b64encode(nonce + sealed).decode()


def unseal(secrets: Secrets, purpose: str, sealed: str, *, owner: str) -> Unsealed:
    """Return what was sealed, by the present key or the one that is being rotated out; raises SealBroken."""
    raw = urlsafe_b64decode(sealed)
    for number, key in enumerate(secrets.digests("seal", purpose)):
        try:
            plain = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
        except InvalidTag:
            continue
        return Unsealed(plain, is_old=number > 0)
    raise SealBroken
