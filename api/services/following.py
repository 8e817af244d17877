"""Following things of an account live: each as it is, then each state of each in order of revision, none left out."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_uuid, through_outages
from api.adapters.live import WatcherEnded
from api.adapters.ports import Ports
from api.auth.sign_ins import has_ended

OUT_OF_ORDER_SECONDS_MAX = 0.25
"""How long a state that came too early waits for the ones before it."""
MISSED_MAX = 500


async def follow(
    ports: Ports,
    account_id: UUID,
    sign_in_id: UUID | None,
    kind: str,
    read: Callable[[], Awaitable[Sequence[Row]]],
    only: UUID | None = None,
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Give what `read` returns, oldest first, then each state that events of a kind tell of, until the sign-in ends.

    `sign_in_id` is None for whoever has a receipt. States bear "id" and "revision", which begins at 1 and grows by one;
    an event holds one under its kind's name. A reader that was too slow, or whose process missed something, gets the
    states from the account's feed.
    """
    with ports.live.watch(account_id, sign_in_id) as watcher:
        if sign_in_id is not None and await has_ended(sign_in_id):
            return
        follower = await _begin(account_id, kind, only)
        for row in await read():
            follower.told[str(read_uuid(row["id"]))] = row["revision"]
            yield row
        while True:
            try:
                event = await watcher.next(OUT_OF_ORDER_SECONDS_MAX if follower.early else None)
            except WatcherEnded:
                return
            except TimeoutError:
                event = None
            if event is None and sign_in_id is not None and await through_outages(lambda: has_ended(sign_in_id)):
                return
            for state in follower.take(event) if event else await through_outages(follower.catch_up):
                yield state


@dataclass(slots=True)
class _Follower:
    """What was told of each thing, and what came too early."""

    account_id: UUID
    kind: str
    only: UUID | None
    number: int
    told: dict[str, int]
    early: dict[str, dict[int, Mapping[str, Any]]]

    def take(self, event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the states that an event lets out, in order."""
        self.number = max(self.number, event.get("number", 0)) if not self.early else self.number
        if event["kind"] != self.kind:
            return []
        state = event[self.kind]
        key, revision = state["id"], state["revision"]
        if self.only is not None and key != str(self.only):
            return []
        last = self.told.get(key, 0)
        if revision <= last:
            return []
        waiting = self.early.setdefault(key, {})
        waiting[revision] = state
        ready = []
        while last + 1 in waiting:
            last += 1
            ready.append(waiting.pop(last))
        self.told[key] = last
        if not waiting:
            del self.early[key]
        return ready

    async def catch_up(self) -> list[Mapping[str, Any]]:
        """Return the states of the account's feed that were not told yet, in order."""
        rows = await fetch(
            "select number, message from outbox_events where account_id = $1 and number > $2 order by number limit $3",
            self.account_id, self.number, MISSED_MAX,
        )  # fmt: skip
        self.early.clear()
        ready = []
        for row in rows:
            ready += self.take({**json.loads(row["message"]), "number": row["number"]})
        return ready


async def _begin(account_id: UUID, kind: str, only: UUID | None) -> _Follower:
    """Note where the account's feed stands; read before the state, so that nothing between the two is missed."""
    row = await fetch_one("select event_number from accounts where id = $1", account_id)
    return _Follower(account_id, kind, only, row["event_number"] if row else 0, {}, {})
