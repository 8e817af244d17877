"""Activity: what happened to an account, kept in the transaction of what it tells of, as its holder reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, limit_fault
from api.domain.accounts import Channel
from api.services.pages import Page, PageRequest, newest_first

HOLDER, SYSTEM = "holder", "system"
"""The actors of what the holder did and of what the service did by itself; staff appear by their name."""

SYSTEM = "system"
"""The actor of what the service does by itself."""

SOMEBODY = "somebody"
"""The actor of what was tried without proof of who it was."""


async def note(
    ports: Ports,
    account_id: UUID,
    action: str,
    *,
    channel: Channel,
    actor: str = HOLDER,
    params: Mapping[str, str] | None = None,
) -> UUID:
    """Note an act within the transaction under way; return its id.

    `action` names a text (`activity.<action>`) that `params` fill; nothing secret may be among them.
    """
    activity_id = uuid7()
    await execute(
        "insert into activity (id, account_id, at, action, actor, channel, params)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        activity_id, account_id, ports.now(), action, actor, channel.value, json.dumps(dict(params or {})),
    )  # fmt: skip
    return activity_id


@transactional
async def note_failure(ports: Ports, email_key: str, account_id: UUID | None, action: str, *, channel: Channel) -> None:
    """Note a wrong password or code among an account's activity, in a transaction that outlives the refusal.

    For an address without an account (None) the same statements are run, so that both take as long. Past so many of an
    action an hour no more of it is noted: the counters of guesses tell the rest. Strangers' wrong passwords do not hide
    what somebody who is further in has tried.
    """
    fault = await limit_fault(ports, Limit.FAILURES_NOTED_PER_ACCOUNT, f"{email_key} {action}")
    if fault is None:
        await execute(
            "insert into activity (id, account_id, at, action, actor, channel, params)"
            " select $1, id, $3, $4, $5, $6, $7 from accounts where id = $2",
            uuid7(), account_id or uuid7(), ports.now(), action, SOMEBODY, channel.value, "{}",
        )  # fmt: skip


async def activity_page(account_id: UUID, request: PageRequest) -> Page:
    """Return what happened to an account, newest first."""
    return await newest_first("select * from activity where account_id = $1", [account_id], [("id", UUID)], request)
