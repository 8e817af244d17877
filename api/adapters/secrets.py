"""Keys derived from SECRET_KEY, one per purpose, and tokens made from them."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode


class Secrets:
    """Derives a key per purpose, so that a token made for one purpose means nothing to another."""

    def __init__(self, secret_key: str, old_secret_key: str = "") -> None:
        self._keys = [key.encode() for key in (secret_key, old_secret_key) if key]

    def digest(self, purpose: str, *parts: str) -> bytes:
        """Return 256 bits that only the holder of the key can make for these parts."""
        return self._digest(self._keys[0], purpose, parts)

    def digests(self, purpose: str, *parts: str) -> list[bytes]:
        """Return the digest by the present key, then by the one that is being rotated out."""
        return [self._digest(key, purpose, parts) for key in self._keys]

    def token(self, purpose: str, *parts: str) -> str:
        """Return a token of 256 bits that can be made again from its parts, so that only its hash is kept."""
        return _text(self.digest(purpose, *parts))

    def is_token(self, token: str, purpose: str, *parts: str) -> bool:
        """Tell whether `token` makes this one of these parts, by the present key or the one that is being rotated out;
        the time it takes says nothing about how much of it is right."""
        return token.isascii() and any(
            hmac.compare_digest(token, _text(good)) for good in self.digests(purpose, *parts)
        )

    @staticmethod
    def _digest(secret: bytes, purpose: str, parts: tuple[str, ...]) -> bytes:
        key = hmac.digest(secret, b"purpose:" + purpose.encode(), hashlib.sha256)
        return hmac.digest(key, b"\0".join(part.encode() for part in parts), hashlib.sha256)


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")
