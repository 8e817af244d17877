"""Time-based one-time passwords (RFC 6238): HMAC-SHA-1, 6 digits, 30 seconds, which every authenticator app knows."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1
"""Steps by which a phone's clock may be off, each way (RFC 6238, 5.2 and 6)."""
SECRET_BYTES = 20
"""As long as HMAC-SHA-1's own output (RFC 4226, 4, R6)."""


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step: the dynamic truncation of RFC 4226, 5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_at(seconds: float) -> int:
    """Return the time step of a moment, given in seconds since 1970."""
    return int(seconds // STEP_SECONDS)


def matching_step(secret: bytes, code: str, seconds: float, *, after: int = 0) -> int | None:
    """Return the step that `code` is of, or None.

    Only steps later than `after` count: a code that was used, or is older than one that was, is not taken again.
    Each step is compared, and in constant time. Spaces do not count, since apps show "123 456".
    """
    typed = code.replace(" ", "")
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    now, found = step_at(seconds), None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step), typed) and step > after:
            found = step
    return found


def provisioning_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """Return the address that an authenticator app takes as a QR code or a link."""
    # A colon parts the issuer from the account in the label, so neither may hold one.
    label = quote(f"{issuer.replace(':', '')}:{account.replace(':', '')}", safe=":@")
    query = {
        "secret": b32encode(secret).decode().rstrip("="),
        "issuer": issuer.replace(":", ""),
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"
