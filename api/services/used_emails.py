"""Addresses of deleted accounts: they can never be used again, and only a keyed hash of each is kept (rule 8).

The key is made once and sealed by the service's present key, so that rotating that one drops no address.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.adapters.seals import seal, unseal
from api.services.mails import mailable_time, queue_mail

_PURPOSE = "used-email"


class _Key(NamedTuple):
    id: UUID
    key: bytes

    def hash_of(self, email_key: str) -> str:
        return hmac.digest(self.key, email_key.encode(), hashlib.sha256).hex()


async def used_locale(ports: Ports, email_key: str) -> str | None:
    """Return the language of the deleted account that an address belonged to; None for one that may be used.

    The work is the same for every address.
    """
    key = await _find_key(ports)
    row = await fetch_one(
        "select locale from used_emails where email_hash = $1", key.hash_of(email_key) if key else email_key
    )
    return row["locale"] if row else None


async def is_used(ports: Ports, email_key: str) -> bool:
    """Tell whether an address belonged to an account that was deleted, or is being deleted."""
    return await used_locale(ports, email_key) is not None


async def remember(ports: Ports, email_key: str, locale: str, now: datetime) -> None:
    """Let an address never be used again, within the transaction under way; a repeat changes nothing."""
    key = await _find_key(ports) or await _make_key(ports, now)
    await execute(
        "insert into used_emails (id, email_hash, key_id, locale, deleted_at) values ($1, $2, $3, $4, $5)"
        " on conflict (email_hash) do nothing",
        uuid7(), key.hash_of(email_key), str(key.id), locale, now,
    )  # fmt: skip


async def mail_why_not(ports: Ports, to: str, locale: str, event_id: UUID) -> None:
    """Mail to an address why it cannot be used again, once the transaction under way is committed."""
    params = {"tried_at": mailable_time(ports.now())}
    await queue_mail(ports, "closures.email_used", to=to, locale=locale, key=f"email-used-{event_id}", params=params)


@transactional
async def keep_key(ports: Ports) -> None:
    """Seal the key by the service's present key where an older one sealed it, so that a rotation does not lose it."""
    row = await fetch_one("select * from lasting_keys where purpose = $1 for update", _PURPOSE)
    if row is None:
        return
    found = unseal(ports.secrets, _PURPOSE, row["sealed"], owner=str(read_uuid(row["id"])))
    if found.is_old:
        sealed = seal(ports.secrets, _PURPOSE, found.plain, owner=str(read_uuid(row["id"])))
        await execute("update lasting_keys set sealed = $1 where purpose = $2", sealed, _PURPOSE)


async def _find_key(ports: Ports) -> _Key | None:
    row = await fetch_one("select id, sealed from lasting_keys where purpose = $1", _PURPOSE)
    if row is None:
        return None
    key_id = read_uuid(row["id"])
    return _Key(key_id, unseal(ports.secrets, _PURPOSE, row["sealed"], owner=str(key_id)).plain)


async def _make_key(ports: Ports, now: datetime) -> _Key:
    key_id = uuid7()
    await execute(
        "insert into lasting_keys (id, purpose, sealed, created_at) values ($1, $2, $3, $4)"
        " on conflict (purpose) do nothing",
        key_id, _PURPOSE, seal(ports.secrets, _PURPOSE, os.urandom(32), owner=str(key_id)), now,
    )  # fmt: skip
    # Another process may have been first; then its key counts.
    key = await _find_key(ports)
    assert key is not None
    return key
