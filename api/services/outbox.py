"""The outbox: events are rows of the transaction that they tell of, and are published once it is committed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import add_event, execute, fetch, fetch_one, read_json, read_uuid
from api.adapters.live import Event
from api.adapters.ports import Ports

KEPT = timedelta(days=7)
SWEEP_MAX = 500


async def tell(account_id: UUID, kind: str, body: Mapping[str, Any]) -> None:
    """Tell an account's watchers something, once the transaction under way is committed.

    Events are numbered per account without gaps, under the account's row, which becomes the order of its feed.
    """
    row = await fetch_one(
        "update accounts set event_number = event_number + 1 where id = $1 returning event_number", account_id
    )
    assert row is not None, "events belong to an account"
    event = Event(uuid7(), account_id, kind, {**body, "number": row["event_number"]})
    await execute(
        "insert into outbox_events (id, account_id, number, message, created_at, published_at)"
        " values ($1, $2, $3, $4, $5, null)",
        event.id, account_id, row["event_number"], json.dumps({"kind": kind, **event.body}), datetime.now(UTC),
    )  # fmt: skip
    add_event(event)


async def mark_published(ports: Ports) -> int:
    """Note which events this process has published; return how many."""
    ids = [ports.live.published.popleft() for _ in range(len(ports.live.published))]
    for start in range(0, len(ids), SWEEP_MAX):
        part = ids[start : start + SWEEP_MAX]
        places = ", ".join(f"${n + 2}" for n in range(len(part)))
        query = f"update outbox_events set published_at = $1 where id in ({places})"
        await execute(query, datetime.now(UTC), *part)
    return len(ids)


async def sweep(ports: Ports, older_than: timedelta = timedelta(seconds=2)) -> int:
    """Publish again what stayed behind, e.g. when a process died after its commit; return how many.

    Two processes may sweep the same event: it carries the whole state and a revision, so a repeat does no harm.
    """
    if not ports.live.is_idle:
        return 0
    rows = await fetch(
        "select id, account_id, message from outbox_events where published_at is null and created_at < $1"
        " order by id limit $2",
        datetime.now(UTC) - older_than, SWEEP_MAX,
    )  # fmt: skip
    events = []
    for row in rows:
        body = read_json(row["message"])
        events.append(Event(read_uuid(row["id"]), read_uuid(row["account_id"]), body.pop("kind"), body))
    ports.live.announce(events)
    return len(events)


async def prune() -> int:
    """Drop published events that are older than a week; return how many."""
    return await execute(
        "delete from outbox_events where published_at is not null and created_at < $1", datetime.now(UTC) - KEPT
    )
