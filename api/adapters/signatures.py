"""Signed and time-stamped calls: "t=SECONDS,v1=HEX", an HMAC of the time and the body by a shared secret."""

from __future__ import annotations

import hashlib
import hmac
import re

TOLERANCE_SECONDS = 300
_HEADER = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


class BadSignature(Exception):
    """The body is not the sender's, or was signed at another time than about now; one line that repeats no secret."""


def sign(secret: str, body: bytes, at_seconds: int) -> str:
    """Return the header's value for a body that is sent at a moment, in seconds since 1970."""
    digest = hmac.digest(secret.encode(), b"%d." % at_seconds + body, hashlib.sha256)
    return f"t={at_seconds},v1={digest.hex()}"


def verify(secret: str, body: bytes, header: str | None, now_seconds: float) -> None:
    """Return when the header signs the body, at most five minutes before or after now; else raise BadSignature."""
    match = _HEADER.fullmatch(header or "")
    if match is None:
        raise BadSignature("there is no signature")
    at_seconds = int(match[1])
    if not hmac.compare_digest(sign(secret, body, at_seconds), f"t={at_seconds},v1={match[2]}"):
        raise BadSignature("the signature is not the sender's")
    if abs(now_seconds - at_seconds) > TOLERANCE_SECONDS:
        raise BadSignature("it was signed at another time")
