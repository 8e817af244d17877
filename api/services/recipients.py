"""Mails and texts that were given up: a person sees them only while their address is kept of somebody (rule 27a)."""

from __future__ import annotations

from api.adapters.database import fetch, fetch_one, transactional
from api.adapters.ports import Ports
from api.services.due_work import Claim, drop, give_back


async def give_up(ports: Ports, claim: Claim, error: str) -> None:
    """Give up a mail or a text for good; that of an account which was erased meanwhile is dropped, a repeat is safe."""
    await give_back(ports, claim, error, retry_at=None)
    await _forget_unknown(ports, claim)


@transactional
async def _forget_unknown(ports: Ports, claim: Claim) -> None:
    to = claim.payload["to"]
    # An erasure under way comes first: it may have looked for what was given up before this was.
    await fetch(
        "select id from accounts where email = $1 or phone = $1 or id in (select account_id from closures"
        " where contact_email = $1 union select account_id from text_pays where phone = $1) order by id for update",
        to,
    )
    if not await _is_known(to):
        await drop(claim.kind, claim.key)


async def _is_known(to: str) -> bool:
    """Tell whether an address, or a number in E.164, is kept of a holder, of who signs up, of a closing or of staff."""
    found = await fetch_one(
        "select id from accounts where email = $1 or phone = $1"
        " union all select id from pending_sign_ups where email = $1"
        " union all select id from email_changes where email = $1"
        " union all select id from closures where contact_email = $1"
        " union all select id from staff_members where email = $1"
        " union all select id from text_pays where phone = $1 limit 1",
        to,
    )
    return found is not None
