"""Due work: rows of the transaction that makes them due, claimed with a lease and an attempt number.

A claim that outlives its lease is fenced: whoever completes it must still hold the attempt it was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import (
    add_event,
    dialect,
    execute,
    fetch,
    fetch_one,
    read_json,
    read_time,
    read_uuid,
    transactional,
)
from api.adapters.ports import WORK, Ports

LEASE = timedelta(seconds=60)
FAILURES_MAX = 12
BACKOFF_MAX = timedelta(hours=1)


class Claim(NamedTuple):
    """A piece of work that this process holds until its lease ends."""

    id: UUID
    kind: str
    key: str
    payload: Mapping[str, Any]
    attempt: int
    failures: int
    due_at: datetime


class Fenced(Exception):
    """Another process took the work over; what this one did is rolled back."""


async def enqueue(kind: str, key: str, due_at: datetime, payload: Mapping[str, Any] | None = None) -> None:
    """Make work due within the transaction under way.

    Work of the same kind and key that waits or is under way is left as it is; work that was given up begins anew.
    """
    is_new = await execute(
        "insert into due_work (id, kind, key, due_at, payload, attempt, failures, leased_until, failed_at,"
        " last_error, created_at) values ($1, $2, $3, $4, $5, 0, 0, null, null, null, $6)"
        " on conflict (kind, key) do nothing",
        uuid7(), kind, key, due_at, json.dumps(payload or {}), datetime.now(UTC),
    )  # fmt: skip
    if not is_new:
        # The attempt goes on from where it was, so that a late claim of the old work stays fenced off.
        await execute(
            "update due_work set due_at = $1, payload = $2, failures = 0, failed_at = null, last_error = null"
            " where kind = $3 and key = $4 and failed_at is not null",
            due_at, json.dumps(payload or {}), kind, key,
        )  # fmt: skip
    add_event(WORK)


async def hasten(kind: str, key: str, due_at: datetime) -> bool:
    """Move work that nobody holds to an earlier moment within the transaction under way; tell whether there is any.

    Work that was given up begins anew.
    """
    await execute(
        "update due_work set due_at = $1, failures = case when failed_at is null then failures else 0 end,"
        " failed_at = null where kind = $2 and key = $3 and leased_until is null"
        " and (due_at > $1 or failed_at is not null)",
        due_at, kind, key,
    )  # fmt: skip
    add_event(WORK)
    return await fetch_one("select id from due_work where kind = $1 and key = $2", kind, key) is not None


async def postpone(kind: str, key: str, due_at: datetime) -> None:
    """Move work that is not done yet within the transaction under way; a claim of it is fenced off, and what was given
    up begins anew."""
    await execute(
        "update due_work set due_at = $1, attempt = attempt + 1, failures = 0, leased_until = null, failed_at = null"
        " where kind = $2 and key = $3",
        due_at, kind, key,
    )  # fmt: skip


async def begin_anew(work_id: UUID, due_at: datetime) -> None:
    """Make work that was given up due again within the transaction under way, with no failure to its name."""
    await execute(
        "update due_work set due_at = $1, failures = 0, failed_at = null where id = $2 and failed_at is not null",
        due_at, work_id,
    )  # fmt: skip
    add_event(WORK)


async def drop(kind: str, key: str) -> None:
    """Drop work that is no longer needed within the transaction under way; a claim of it is fenced off."""
    await execute("delete from due_work where kind = $1 and key = $2", kind, key)


async def complete(claim: Claim) -> None:
    """Take the work off the list within the effect's own transaction; raises Fenced when it is somebody else's."""
    if not await execute("delete from due_work where id = $1 and attempt = $2", claim.id, claim.attempt):
        raise Fenced(claim.kind)


@transactional
async def claim_next(ports: Ports, kinds: tuple[str, ...], until: datetime) -> Claim | None:
    """Claim the work of these kinds that has been due longest, up to `until` (product time); None when none is."""
    now = datetime.now(UTC)
    names = ", ".join(f"'{kind}'" for kind in kinds)
    lock = "for update skip locked" if dialect() == "postgres" else ""
    row = await fetch_one(
        "select id, kind, key, due_at, payload, attempt, failures from due_work"
        " where failed_at is null and due_at <= $1"
        f" and (leased_until is null or leased_until < $2) and kind in ({names}) order by due_at, id limit 1 {lock}",
        until, now,
    )  # fmt: skip
    if row is None:
        return None
    attempt = int(row["attempt"]) + 1
    await execute(
        "update due_work set attempt = $1, leased_until = $2 where id = $3", attempt, now + LEASE, read_uuid(row["id"])
    )
    return Claim(
        read_uuid(row["id"]),
        row["kind"],
        row["key"],
        read_json(row["payload"]),
        attempt,
        row["failures"],
        read_time(row["due_at"]),
    )


@transactional
async def give_back(ports: Ports, claim: Claim, error: str, *, retry_at: datetime | None) -> None:
    """Return work that could not be done: to be tried again at `retry_at` (product time), or failed for good."""
    await execute(
        "update due_work set leased_until = null, failures = failures + 1, last_error = $1, due_at = $2, failed_at = $3"
        " where id = $4 and attempt = $5",
        error[:300], retry_at or claim.due_at, None if retry_at else datetime.now(UTC), claim.id, claim.attempt,
    )  # fmt: skip


async def next_due(until: datetime) -> datetime | None:
    """Return the earliest moment, up to `until`, at which work falls due; None when none does."""
    rows = await fetch("select min(due_at) as due_at from due_work where failed_at is null and due_at <= $1", until)
    return read_time(rows[0]["due_at"]) if rows and rows[0]["due_at"] else None


def backoff(failures: int) -> timedelta:
    """Return how long to wait after so many failures: 2 s, 4 s, 8 s … up to an hour."""
    return min(timedelta(seconds=2.0 ** min(failures, 20)), BACKOFF_MAX)
