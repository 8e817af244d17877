"""Following subscriptions live: first each that has not ended, then each change of each, in order (rules 28 and 35)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, read_time
from api.adapters.ports import Ports
from api.domain.plans import LASTING
from api.services.following import follow
from api.services.plans import subscriptions_of
from api.services.subscription_states import EVENT


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """A subscription's whole state, with plan, facility and card, and when it was so."""

    subscription: Mapping[str, Any]
    at: datetime


async def watch(ports: Ports, account_id: UUID, sign_in_id: UUID) -> AsyncGenerator[SubscriptionChange, None]:
    """Give each subscription that has not ended as it is, then each change in order of revision, until the sign-in
    ends; nothing at first where there is none."""

    async def read() -> Sequence[Row]:
        return (await subscriptions_of(account_id, LASTING))[::-1]

    states = follow(ports, account_id, sign_in_id, EVENT, read)
    try:
        async for state in states:
            row = dict(state)
            yield SubscriptionChange(row, read_time(row["at"]) if "at" in row else ports.now())
    finally:
        await states.aclose()
