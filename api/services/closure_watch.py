"""Following closings live: first where each stands, then each step in order, by a sign-in or by a receipt (rule 35)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, fetch
from api.adapters.ports import Ports
from api.services.following import follow

LISTED_MAX = 100


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

    `sign_in_id` is None for whoever has a receipt.
    """

    async def read() -> Sequence[Row]:
        if closure_id is None:
            return (await closures_of(account_id))[::-1]
        return await fetch("select * from closures where id = $1 and account_id = $2", closure_id, account_id)

    states = follow(ports, account_id, sign_in_id, "closure", read, closure_id)
    try:
        async for state in states:
            yield ClosureChange(state, ports.now())
    finally:
        await states.aclose()
