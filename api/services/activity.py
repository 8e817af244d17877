"""Activity: what happened to an account, kept in the transaction of what it tells of, as its holder reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.services.pages import Page, PageRequest, newest_first

HOLDER = "holder"
"""The actor of what the holder did; staff appear by their name, the service as "system"."""


async def note(
    ports: Ports,
    account_id: UUID,
    action: str,
    *,
    channel: Channel,
    actor: str = HOLDER,
    params: Mapping[str, str] | None = None,
) -> None:
    """Note an act within the transaction under way. `action` names a text (`activity.<action>`) that `params` fill;
    nothing secret may be among them."""
    await execute(
        "insert into activity (id, account_id, at, action, actor, channel, params)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        uuid7(), account_id, ports.now(), action, actor, channel.value, json.dumps(dict(params or {})),
    )  # fmt: skip


async def activity_page(account_id: UUID, request: PageRequest) -> Page:
    """Return what happened to an account, newest first."""
    return await newest_first("select * from activity where account_id = $1", [account_id], [("id", UUID)], request)
