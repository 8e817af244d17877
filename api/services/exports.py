"""The export of all that is kept about a holder: JSON behind a signed link that lives for minutes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_json, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.closing_data import closing_data
from api.services.export_sections import SECTIONS

_PURPOSE = "data-export"
ROWS_AT_ONCE = 500
_LENGTH_MAX = 200

_PROFILE = (
    "id", "status", "email", "email_verified_at", "first_name", "last_name", "phone", "line1", "line2", "city", "state",
    "zip", "country", "locale", "terms_version", "terms_agreed_at", "password_changed_at", "created_at",
)  # fmt: skip
_JSON = ("params", "channels", "lines", "address")


def export_url(ports: Ports, account_id: UUID) -> str:
    """Return a link to all that is kept about an account's holder, good for some minutes, for whoever has it."""
    until = int((ports.now() + closing_data().export).timestamp())
    name = f"{account_id.hex}.{until}"
    return f"{ports.public_url}/export?token={name}.{ports.secrets.token(_PURPOSE, name)}"


async def export_of(ports: Ports, token: str) -> AsyncIterator[str] | None:
    """Return the JSON that a link leads to, in parts; None for a link that is not ours or too old, and once the
    account is being deleted."""
    name, _, proof = token.rpartition(".") if len(token) <= _LENGTH_MAX and token.isascii() else ("", "", "")
    if not ports.secrets.is_token(proof, _PURPOSE, name):
        return None
    account, _, until = name.partition(".")
    if datetime.fromtimestamp(int(until), UTC) <= ports.now():
        return None
    row = await fetch_one("select * from accounts where id = $1", UUID(hex=account))
    if row is None or row["status"] != AccountStatus.ACTIVE.value:
        return None
    return _parts(row, ports.now())


async def _parts(account: Row, now: datetime) -> AsyncIterator[str]:
    """Give the export a few hundred rows at a time, so that no list is ever whole in memory."""
    profile = {name: _plain(name, account[name]) for name in _PROFILE}
    yield f'{{"exportedAt": {json.dumps(now.isoformat())},\n"account": {json.dumps(profile)}'
    for section, query in SECTIONS.items():
        yield f',\n"{section}": ['
        last: UUID | None = None
        while True:
            rows = await _page(query, read_uuid(account["id"]), last)
            texts = [json.dumps({name: _plain(name, value) for name, value in row.items()}) for row in rows]
            yield ("" if last is None or not texts else ",\n") + ",\n".join(texts)
            if len(rows) < ROWS_AT_ONCE:
                break
            last = read_uuid(rows[-1]["id"])
        yield "]"
    yield "}\n"


async def _page(query: str, account_id: UUID, last: UUID | None) -> list[Row]:
    after = " where x.id > $2" if last else ""
    rows = await fetch(
        f"select * from ({query}) x{after} order by x.id limit {ROWS_AT_ONCE}",
        account_id, *([last] if last else []),
    )  # fmt: skip
    return list(rows)


def _plain(name: str, value: Any) -> Any:
    if name in _JSON:
        return read_json(value)
    return value if value is None or isinstance(value, int | str) else _text_of(value)


def _text_of(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
