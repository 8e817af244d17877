"""Idempotency keys (rule 18): same key and input give the stored answer, another input is a conflict.

A key is kept in the transaction of what it makes, so a refusal leaves it free. Two requests that race for one key are
decided by the database's unique constraint: the second waits for the first and then finds what it made.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one, read_time, read_uuid
from api.domain.faults import ErrorCode, Fault, Refused

KEY_LENGTH_MAX = 200


class Claimed(NamedTuple):
    """Whether the key was new, and the id of what it made or makes."""

    is_new: bool
    result_id: UUID


async def claim_key(
    scope: UUID, key: str, mutation: str, facts: dict[str, Any], result_id: UUID, now: datetime
) -> Claimed:
    """Keep a key for `result_id` within the transaction under way, or return what it made before.

    `facts` are the inputs that must be the same upon a replay. Raises Refused for a malformed key and for a key that
    was used with other inputs or in another mutation.
    """
    if not _is_key(key):
        raise Refused(Fault(ErrorCode.INVALID, "errors.idempotency_key", ("input", "idempotencyKey")))
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    inserted = await execute(
        "insert into idempotency_keys (id, scope, key, mutation, input_digest, result_id, created_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (scope, key) do nothing",
        uuid7(), scope, key, mutation, digest, result_id, now,
    )  # fmt: skip
    if inserted:
        return Claimed(True, result_id)
    row = await fetch_one("select * from idempotency_keys where scope = $1 and key = $2", scope, key)
    if row is None:
        raise Refused(Fault(ErrorCode.IDEMPOTENCY_IN_PROGRESS, "errors.idempotency_in_progress"))
    if row["mutation"] != mutation or row["input_digest"] != digest:
        raise Refused(
            Fault(
                ErrorCode.IDEMPOTENCY_CONFLICT,
                "errors.idempotency_conflict",
                ("input", "idempotencyKey"),
                facts={"first_used_at": read_time(row["created_at"])},
            )
        )
    return Claimed(False, read_uuid(row["result_id"]))


async def find_result(scope: UUID, key: str, *mutations: str) -> UUID | None:
    """Return the id of what a key made in one of these mutations, or None."""
    if not _is_key(key):
        return None
    places = ", ".join(f"${n + 3}" for n in range(len(mutations)))
    row = await fetch_one(
        f"select result_id from idempotency_keys where scope = $1 and key = $2 and mutation in ({places})",
        scope, key, *mutations,
    )  # fmt: skip
    return read_uuid(row["result_id"]) if row else None


def _is_key(text: str) -> bool:
    return 1 <= len(text) <= KEY_LENGTH_MAX and text.isprintable()
