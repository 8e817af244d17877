"""The token of a preview: what was shown, part by part, signed, so that closing can tell what changed since."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from api.adapters.ports import Ports

_PURPOSE = "closing-preview"
LENGTH_MAX = 1_000


class Seen(NamedTuple):
    """What a token says: of which account, of which service or of all, until when, and the digests of the parts."""

    account_id: UUID
    service_account_id: UUID | None
    expires_at: datetime
    digests: Mapping[str, str]


def write_token(ports: Ports, seen: Seen) -> str:
    """Return a token of what was shown."""
    body = {
        "account": str(seen.account_id),
        "service": str(seen.service_account_id) if seen.service_account_id else None,
        "until": int(seen.expires_at.timestamp()),
        "parts": dict(seen.digests),
    }
    raw = json.dumps(body, separators=(",", ":")).encode()
    text = urlsafe_b64encode(raw).decode().rstrip("=")
    return f"{text}.{ports.secrets.token(_PURPOSE, text)}"


def read_token(ports: Ports, token: str) -> Seen | None:
    """Return what a token says, expired or not; None for one that is not ours."""
    text, _, signature = token.partition(".") if len(token) <= LENGTH_MAX and token.isascii() else ("", "", "")
    if not ports.secrets.is_token(signature, _PURPOSE, text):
        return None
    try:
        body = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (Error, ValueError):
        return None
    return Seen(
        UUID(body["account"]),
        UUID(body["service"]) if body["service"] else None,
        datetime.fromtimestamp(body["until"], UTC),
        body["parts"],
    )
