"""What staff do on behalf of others: on record with who, when and why (rule 39), and among the holder's activity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.domain.faults import ErrorCode, Fault
from api.services.activity import note

REASON_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class Act:
    """Who of the staff acts, by which channel they signed in, and why."""

    staff_id: UUID
    name: str
    channel: Channel
    reason: str

    def faults(self) -> list[Fault]:
        """Return what is wrong with the reason."""
        reason, path = self.reason.strip(), ("reason",)
        if not reason:
            return [Fault(ErrorCode.REQUIRED, "errors.required", path)]
        if len(reason) > REASON_LENGTH_MAX:
            return [Fault(ErrorCode.TOO_LONG, "errors.too_long", path, {"maximum": REASON_LENGTH_MAX})]
        return [] if reason.isprintable() else [Fault(ErrorCode.INVALID, "errors.unprintable", path)]


async def put_on_record(
    ports: Ports,
    act: Act,
    action: str,
    *,
    account_id: UUID | None,
    subject: UUID,
    facts: Mapping[str, str],
    shown: Mapping[str, str] | None = None,
) -> None:
    """Keep an act within the transaction under way. The holder reads it by `activity.<action>`, filled by `shown`,
    without the reason."""
    await execute(
        "insert into staff_acts (id, staff_id, action, account_id, subject, reason, facts, at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        uuid7(), act.staff_id, action, account_id, subject, act.reason.strip(), json.dumps(dict(facts)), ports.now(),
    )  # fmt: skip
    if account_id is not None:
        await note(ports, account_id, action, channel=act.channel, actor=act.name, params=shown)
