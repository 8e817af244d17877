"""Following closings live: first where each stands, then each step in order, by a sign-in or by a receipt (rule 35)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_uuid
from api.adapters.live import WatcherEnded
from api.adapters.ports import Ports
from api.auth.sign_ins import has_ended

OUT_OF_ORDER_SECONDS_MAX = 0.25
"""How long a step that came too early waits for the ones before it."""
LISTED_MAX = 100
MISSED_MAX = 500


@dataclass(frozen=True, slots=True)
class ClosureChange:
    """A closing's whole state (the shown columns of its row), and when it was told."""

    closure: Mapping[str, Any]
    at: datetime


async def closures_of(account_id: UUID) -> Sequence[Row]:
    """Return an account's closings, newest first; at most a hundred, one statement."""
    return await fetch("select * from closures where account_id = $1 order by id desc limit $2", account_id, LISTED_MAX)


async def watch(
    ports: Ports, account_id: UUID, sign_in_id: UUID | None, closure_id: UUID | None = None
) -> AsyncGenerator[ClosureChange, None]:
    """Give where each closing stands, then each step of it in order of revision, until the sign-in ends.

    `sign_in_id` is None for whoever has a receipt. A reader that was too slow, or whose process missed something, gets
    the steps from the account's feed, so that none is left out.
    """
    with ports.live.watch(account_id, sign_in_id) as watcher:
        if sign_in_id is not None and await has_ended(sign_in_id):
            return
        follower = await _begin(account_id, closure_id)
        for row in reversed(await _rows(account_id, closure_id)):
            follower.told[str(read_uuid(row["id"]))] = row["revision"]
            yield ClosureChange(row, ports.now())
        while True:
            try:
                event = await watcher.next(OUT_OF_ORDER_SECONDS_MAX if follower.early else None)
            except WatcherEnded:
                return
            except TimeoutError:
                event = None
            if event is None and sign_in_id is not None and await has_ended(sign_in_id):
                return
            for closure in follower.take(event) if event else await follower.catch_up():
                yield ClosureChange(closure, ports.now())


@dataclass(slots=True)
class _Follower:
    """What was told of each closing, and what came too early."""

    account_id: UUID
    closure_id: UUID | None
    number: int
    told: dict[str, int]
    early: dict[str, dict[int, Mapping[str, Any]]]

    def take(self, event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the steps that an event lets out, in order."""
        self.number = max(self.number, event.get("number", 0)) if not self.early else self.number
        if event["kind"] != "closure":
            return []
        closure = event["closure"]
        key, revision = closure["id"], closure["revision"]
        if self.closure_id is not None and key != str(self.closure_id):
            return []
        last = self.told.get(key, 0)
        if revision <= last:
            return []
        waiting = self.early.setdefault(key, {})
        waiting[revision] = closure
        ready = []
        while last + 1 in waiting:
            last += 1
            ready.append(waiting.pop(last))
        self.told[key] = last
        if not waiting:
            del self.early[key]
        return ready

    async def catch_up(self) -> list[Mapping[str, Any]]:
        """Return the steps of the account's feed that were not told yet, in order."""
        rows = await fetch(
            "select number, message from outbox_events where account_id = $1 and number > $2 order by number limit $3",
            self.account_id, self.number, MISSED_MAX,
        )  # fmt: skip
        self.early.clear()
        ready = []
        for row in rows:
            ready += self.take({**json.loads(row["message"]), "number": row["number"]})
        return ready


async def _begin(account_id: UUID, closure_id: UUID | None) -> _Follower:
    """Note where the account's feed stands; read before the state, so that nothing between the two is missed."""
    row = await fetch_one("select event_number from accounts where id = $1", account_id)
    return _Follower(account_id, closure_id, row["event_number"] if row else 0, {}, {})


async def _rows(account_id: UUID, closure_id: UUID | None) -> Sequence[Row]:
    if closure_id is None:
        return await closures_of(account_id)
    return await fetch("select * from closures where id = $1 and account_id = $2", closure_id, account_id)
