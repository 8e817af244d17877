"""Short-lived links to a holder's files: what is asked for, whose it is and until when, signed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one
from api.adapters.ports import Ports
from api.domain.invoices import invoice_terms

PURPOSE = "file"
TOKEN_LENGTH_MAX = 2_000


class Asked(NamedTuple):
    """What a link asks for, and the account whose it is."""

    account: Row
    facts: dict[str, Any]


def file_url(ports: Ports, name: str, account_id: UUID, facts: dict[str, Any]) -> str:
    """Return the address of a file of this account; it works for a quarter of an hour, for whoever has it."""
    until = (ports.now() + invoice_terms().link_lives).isoformat()
    asked = json.dumps({"name": name, "account": str(account_id), "until": until, **facts})
    body = urlsafe_b64encode(asked.encode()).decode().rstrip("=")
    return f"{ports.public_url}/files/{name}?token={body}.{ports.secrets.token(PURPOSE, body)}"


async def read_file_link(ports: Ports, name: str, token: str) -> Asked | None:
    """Return what a link asks for; None when it is not one of ours, too old, of another file, or its account has
    gone."""
    body, _, signature = token.partition(".")
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        return None
    if not ports.secrets.is_token(signature, PURPOSE, body):
        return None
    facts = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if facts["name"] != name or datetime.fromisoformat(facts["until"]) <= ports.now():
        return None
    account = await fetch_one("select * from accounts where id = $1 and status = 'ACTIVE'", UUID(facts["account"]))
    return Asked(account, facts) if account else None
