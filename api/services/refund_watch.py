"""Following refunds live: the state as it is, then each status of each refund, in order, none left out (rule 35)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch, read_time, read_uuid, through_outages
from api.adapters.live import WatcherEnded
from api.adapters.ports import Ports
from api.auth.sign_ins import has_ended
from api.domain.refunds import RefundStatus
from api.services.refund_states import WITH_CARD, Change

REFUNDS_MAX = 100
"""Refunds that are shown at the start, the newest; a change of any other one is told all the same."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose refunds are followed: an account's, of one closing, or one of them. A receipt has no sign-in."""

    account_id: UUID
    sign_in_id: UUID | None = None
    closure_id: UUID | None = None
    refund_id: UUID | None = None

    def holds(self, refund: Mapping[str, Any]) -> bool:
        """Tell whether a refund of the account is among them."""
        closure_id = refund["closure_id"] and read_uuid(refund["closure_id"])
        return self.closure_id in (None, closure_id) and self.refund_id in (None, read_uuid(refund["id"]))

    async def rows(self) -> Sequence[Row]:
        """Return them as they are, oldest first."""
        query, values = f"{WITH_CARD} where t.account_id = $1", [self.account_id]
        for column, value in (("t.closure_id", self.closure_id), ("t.id", self.refund_id)):
            if value is not None:
                values.append(value)
                query += f" and {column} = ${len(values)}"
        rows = await fetch(f"{query} order by t.id desc limit {REFUNDS_MAX}", *values)
        return rows[::-1]


async def watch_refunds(ports: Ports, watched: Watched) -> AsyncGenerator[Change, None]:
    """Give each refund as it is, then each step of it, in order of revision, until the sign-in ends.

    The watcher is registered before the state is read, so nothing between the two is missed. Where an event did not
    come, or came before its turn, the timeline says what was left out.
    """
    with ports.live.watch(watched.account_id, watched.sign_in_id) as watcher:
        if await _is_over(watched):
            return
        last: dict[UUID, int] = {}
        for row in await watched.rows():
            last[read_uuid(row["id"])] = row["revision"]
            yield Change(row, None, ports.now())
        while True:
            try:
                event = await watcher.next()
            except WatcherEnded:
                return
            if event is None:
                # What was lost may have been the end of the sign-in.
                if await through_outages(partial(_is_over, watched)):
                    return
                for change in await through_outages(partial(_missed, watched, last)):
                    last[read_uuid(change.refund["id"])] = change.refund["revision"]
                    yield change
                continue
            if event["kind"] != "refund" or not watched.holds(event["refund"]):
                continue
            refund = event["refund"]
            key, revision = read_uuid(refund["id"]), refund["revision"]
            seen = last.get(key, 0)
            if revision <= seen:
                continue
            if revision == seen + 1:
                last[key] = revision
                yield read_change(event)
                continue
            one = Watched(watched.account_id, refund_id=key)
            for change in await through_outages(partial(_missed, one, last)):
                last[key] = change.refund["revision"]
                yield change


def read_change(event: dict[str, Any]) -> Change:
    """Read an event of kind "refund", see refund_states.refund_body."""
    previous = event["previous"]
    return Change(event["refund"], RefundStatus(previous) if previous else None, read_time(event["at"]))


async def _missed(watched: Watched, last: Mapping[UUID, int]) -> list[Change]:
    """Return the steps of refunds that were not told yet, by the revision that each was told of last."""
    rows = await watched.rows()
    return [change for row in rows for change in await _since(row, last.get(read_uuid(row["id"]), 0))]


async def _since(row: Row, revision: int) -> list[Change]:
    """Return a refund's steps past a revision; they are numbered alike. What was not fixed yet had no amount."""
    lines = await fetch(
        "select * from refund_events where refund_id = $1 and sequence >= $2 and sequence <= $3 order by sequence",
        read_uuid(row["id"]), revision, row["revision"],
    )  # fmt: skip
    changes, previous = [], None
    for line in lines:
        status = RefundStatus(line["status"])
        if line["sequence"] > revision:
            then = {**row, "status": status.value, "revision": line["sequence"]}
            if status is RefundStatus.SETTLING:
                then["amount"] = 0
            changes.append(Change(then, previous, read_time(line["at"])))
        previous = status
    return changes


async def _is_over(watched: Watched) -> bool:
    return watched.sign_in_id is not None and await has_ended(watched.sign_in_id)
