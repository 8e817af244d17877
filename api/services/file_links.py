"""Short-lived links to files of a holder or of staff: what is asked for, whose it is and until when, signed."""

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


class AskedByStaff(NamedTuple):
    """What a link asks for, and the member of staff whose it is."""

    member: Row
    facts: dict[str, Any]


def file_url(ports: Ports, name: str, account_id: UUID, facts: dict[str, Any]) -> str:
    """Return the address of a file of this account; it works for a quarter of an hour, for whoever has it."""
    return _signed(ports, name, {"account": str(account_id), **facts})


def staff_file_url(ports: Ports, name: str, staff_id: UUID, facts: dict[str, Any]) -> str:
    """Return the address of a file that a member of staff asks for; it works as long."""
    return _signed(ports, name, {"staff": str(staff_id), **facts})


def _signed(ports: Ports, name: str, facts: dict[str, Any]) -> str:
    until = (ports.now() + invoice_terms().link_lives).isoformat()
    asked = json.dumps({**facts, "name": name, "until": until})
    body = urlsafe_b64encode(asked.encode()).decode().rstrip("=")
    return f"{ports.public_url}/files/{name}?token={body}.{ports.secrets.token(PURPOSE, body)}"


async def read_file_link(ports: Ports, name: str, token: str) -> Asked | None:
    """Return what a link asks for; None when it is not one of ours, too old, of another file, or its account has
    gone."""
    facts = _facts(ports, name, token)
    if facts is None:
        return None
    account = await fetch_one("select * from accounts where id = $1 and status = 'ACTIVE'", UUID(facts["account"]))
    return Asked(account, facts) if account else None


async def read_staff_file_link(ports: Ports, name: str, token: str) -> AskedByStaff | None:
    """Return what a link of staff asks for; None as for others, and when its member is disabled."""
    facts = _facts(ports, name, token)
    if facts is None:
        return None
    member = await fetch_one("select * from staff_members where id = $1 and disabled_at is null", UUID(facts["staff"]))
    return AskedByStaff(member, facts) if member else None


def _facts(ports: Ports, name: str, token: str) -> dict[str, Any] | None:
    body, _, signature = token.partition(".")
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        return None
    if not ports.secrets.is_token(signature, PURPOSE, body):
        return None
    facts: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if facts["name"] != name or datetime.fromisoformat(facts["until"]) <= ports.now():
        return None
    return facts
