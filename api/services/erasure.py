"""Erasing what is kept about the holder of a deleted account, once nothing is owed to them any more (rule 27a).

The ledger stays, and so does the record of the deletion: when, by which way, by whom and why. Names, addresses,
phones, secrets and what the processor's tokens open are gone. While money is held for the holder, what a claim of it
needs must stay.
"""

from __future__ import annotations

import json
from uuid import UUID

from api.adapters.database import Row, execute, fetch, fetch_one, read_json, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.services.due_work import Claim, complete

_KEPT_ACTIONS = "('account_opened', 'account_deletion_asked', 'account_deleted')"
_OPEN = """
select (select count(*) from refunds where account_id = $1 and ended_at is null)
     + (select count(*) from held_funds where account_id = $1 and state = 'HELD')
     + (select count(*) from closures where account_id = $1 and status not in ('COMPLETED', 'WITHDRAWN')) as n
"""
_OF_ACCOUNT = (
    "delete from security_answers where account_id = $1",
    "delete from password_resets where account_id = $1",
    "delete from email_changes where account_id = $1",
    "delete from deletion_codes where account_id = $1",
    "delete from notification_preferences where account_id = $1",
    # Whom somebody saw and when; what was paid for it stays in the ledger.
    "delete from video_sessions where account_id = $1",
    "delete from second_factors where owner = $1",
    "delete from recovery_codes where owner = $1",
    "delete from challenges where owner = $1",
    f"delete from activity where account_id = $1 and action not in {_KEPT_ACTIONS}",
    "update sign_ins set device = '' where account_id = $1",
    "update text_pays set phone = '' where account_id = $1",
    "update closures set contact_email = null, address = null where account_id = $1",
    "update cancellations set comment = null where comment is not null and subscription_id in"
    " (select id from plan_subscriptions where account_id = $1)",
    # Records that come later find nobody; the calls that were charged are told by what they cost.
    "update calls set phone = '' where service_account_id in (select id from service_accounts where account_id = $1)",
    "delete from account_phones where service_account_id in (select id from service_accounts where account_id = $1)",
)


async def erase_account(ports: Ports, claim: Claim) -> None:
    """Erase a deleted account; due work of kind "erasure". A repeat changes nothing.

    Where something is owed still nothing is erased: whatever ends that makes this due again.
    """
    await _erase(ports, claim)


@transactional
async def _erase(ports: Ports, claim: Claim) -> None:
    account_id = UUID(claim.key)
    account = await fetch_one("select * from accounts where id = $1 for update", account_id)
    still = await fetch_one(_OPEN, account_id)
    assert still is not None
    if account is not None and account["status"] == AccountStatus.DELETED.value and still["n"] == 0:
        await _forget_mailbox(account)
        for statement in _OF_ACCOUNT:
            await execute(statement, account_id)
        await _drop_cards(ports, account_id)
        await _shorten_addresses(account_id)
        await _forget_holder(account_id)
    await complete(claim)


async def _forget_mailbox(account: Row) -> None:
    """Drop what waits at the address, and mails and texts to the holder that could not be sent; `used_emails` keeps the
    address's keyed hash."""
    if not account["email"]:
        return
    await execute("delete from pending_sign_ups where email_key = $1", account["email_key"])
    text_pays = await fetch("select phone from text_pays where account_id = $1", read_uuid(account["id"]))
    named = await fetch("select contact_email from closures where account_id = $1", read_uuid(account["id"]))
    holders = {account["email"], account["phone"], *(row["phone"] for row in text_pays)}
    holders |= {row["contact_email"] for row in named if row["contact_email"]}
    failed = await fetch(
        "select id, payload from due_work where kind in ('mail', 'text') and failed_at is not null limit 1000"
    )
    for row in failed:
        if read_json(row["payload"]).get("to") in holders:
            await execute("delete from due_work where id = $1", read_uuid(row["id"]))


async def _drop_cards(ports: Ports, account_id: UUID) -> None:
    """Drop the cards' tokens; brand and last four stay, since the receipt names the card that money went to."""
    rows = await fetch("select id, removed_at from payment_methods where account_id = $1", account_id)
    for row in rows:
        await execute(
            "update payment_methods set card_token = $1, default_of = null, removed_at = coalesce(removed_at, $2)"
            " where id = $3",
            f"erased-{read_uuid(row['id'])}", ports.now(), read_uuid(row["id"]),
        )  # fmt: skip
    await execute("update payments set action_url = null where account_id = $1", account_id)


async def _shorten_addresses(account_id: UUID) -> None:
    """Keep of where checks went what the receipt shows: city, state and ZIP."""
    for row in await fetch("select id, address from refunds where account_id = $1", account_id):
        address = read_json(row["address"]) or {}
        place = {name: address[name] for name in ("city", "state", "zip") if name in address}
        await execute(
            "update refunds set payee = null, address = $1 where id = $2", json.dumps(place), read_uuid(row["id"])
        )


async def _forget_holder(account_id: UUID) -> None:
    await execute(
        "update accounts set email = '', email_key = $1, first_name = '', last_name = '', phone = '', line1 = '',"
        " line2 = null, city = '', state = '', zip = '', country = '', password_hash = '', passcode_hash = ''"
        " where id = $2",
        f"erased {account_id}", account_id,
    )  # fmt: skip
