"""Changing the e-mail address: the new one waits for its link, and until then the old one stays (rules 5 and 7)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import Email, email_faults, normalise_email
from api.auth.limits import Limit, count_try, limit_fault, move_guesses, take_back
from api.auth.passwords import Passwords
from api.auth.sign_ins import Viewer
from api.auth.tokens import token_hash
from api.domain.accounts import AccountStatus, Channel
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.security import security_data
from api.services.addresses_taken import is_staff_address
from api.services.mails import Link, mailable_time, queue_mail
from api.services.notices import note_and_notify
from api.services.proofs import Proof, lock_proven, prove_password
from api.services.reset_ends import end_resets
from api.services.sign_ins import end_other_sign_ins, end_sign_ins

_INVALID = Fault(ErrorCode.TOKEN_INVALID, "errors.token_invalid", ("token",))


async def change_email(
    ports: Ports, passwords: Passwords, viewer: Viewer, new_email: str, password: str, *, client_address: str
) -> None:
    """Have the holder of the new address asked to confirm it; the older change that waited ends.

    The answer and the work are the same whether the new address is free, somebody else's or the account's own: what
    there is to say goes by mail. The own one thereby takes a change back. Raises Refused: INVALID for what is no
    address; what `prove_password` raises; RATE_LIMITED past ten changes a day.
    """
    refuse_if(email_faults(new_email, "newEmail", allow_test_domains=ports.sandbox))
    proof = await prove_password(ports, passwords, viewer, password, client_address=client_address)
    await count_try(ports, (Limit.EMAIL_CHANGES_PER_ACCOUNT, str(proof.owner.id)))
    email = normalise_email(new_email, allow_test_domains=ports.sandbox)
    assert email is not None
    await _wait_for_link(ports, proof, email)


@transactional
async def confirm_email(ports: Ports, hash_of_token: str, client: str, viewer: Viewer | None) -> None:
    """Make the address that a link confirms the account's, once; the old one is told.

    All sign-ins end but the one that follows the link, should it be the account's. Resets of the password under way
    end, since their number went to the old address. Of two accounts that confirm one address the first has it. Raises
    Refused: TOKEN_INVALID for a link that is unknown, used or replaced, or whose address is taken; TOKEN_EXPIRED.
    """
    now = ports.now()
    waiting = await fetch_one("select account_id, email_key from email_changes where token_hash = $1", hash_of_token)
    if waiting is None:
        raise Refused(_INVALID)
    # The account first, as everywhere; then the sign-ups that wait at the address, as when one of them is confirmed.
    account = await fetch_one("select * from accounts where id = $1 for update", read_uuid(waiting["account_id"]))
    await fetch("select id from pending_sign_ups where email_key = $1 order by id for update", waiting["email_key"])
    # Deleting is what makes the link work once.
    row = await fetch_one("delete from email_changes where token_hash = $1 returning *", hash_of_token)
    if row is None or account is None or account["status"] != AccountStatus.ACTIVE.value:
        raise Refused(_INVALID)
    if read_time(row["expires_at"]) <= now:
        raise Refused(Fault(ErrorCode.TOKEN_EXPIRED, "errors.token_expired", ("token",)))
    await take_back(ports, Limit.LINKS_PER_CLIENT, client)
    await _move(now, account, row)
    await move_guesses(ports, account["email_key"], row["email_key"])
    channel = Channel.WEB
    account_id = read_uuid(account["id"])
    # The row is the one from before, so the notice goes to the old address.
    await note_and_notify(ports, account, "email_changed", channel=channel, params={"new_email": row["email"]})
    if viewer is not None and viewer.account_id == account_id:
        await end_other_sign_ins(ports, account_id, viewer.sign_in_id, channel=channel)
    else:
        await end_sign_ins(ports, account_id, None)


async def pending_email(account_id: UUID, now: datetime) -> str | None:
    """Return the address that waits for its link, or None."""
    row = await fetch_one("select email from email_changes where account_id = $1 and expires_at > $2", account_id, now)
    return row["email"] if row else None


async def end_email_change(account_id: UUID) -> None:
    """End the change that waits, if any, within the transaction under way: a new password takes it back."""
    await execute("delete from email_changes where account_id = $1", account_id)


async def prune(now: datetime) -> int:
    """Drop changes whose link has expired; return how many."""
    return await execute("delete from email_changes where expires_at <= $1", now)


@transactional
async def _wait_for_link(ports: Ports, proof: Proof, email: Email) -> None:
    account = await lock_proven(proof)
    await end_email_change(proof.owner.id)
    now, change_id = ports.now(), uuid7()
    asked = {"asked_at": mailable_time(now)}
    if email.key == account["email_key"]:
        key = f"email-own-{change_id}"
        await queue_mail(
            ports, "email_changes.own", to=account["email"], locale=account["locale"], key=key, params=asked
        )
        return
    link = Link("verify", ("email-change", str(change_id)))
    # A taken address waits like a free one, so that nothing the holder can see tells them apart; but nobody gets its
    # link, and the unique address of accounts would refuse it.
    await execute(
        "insert into email_changes (id, account_id, email, email_key, link_number, token_hash, created_at, expires_at)"
        " values ($1, $2, $3, $4, 1, $5, $6, $7)",
        change_id, proof.owner.id, email.address, email.key, token_hash(link.token(ports)), now,
        now + security_data().email_change,
    )  # fmt: skip
    await note_and_notify(
        ports, account, "email_change_asked", channel=proof.channel, params={"new_email": email.address}
    )
    owner = await fetch_one(
        "select email, locale from accounts where email_key = $1"
        " union all select email, locale from staff_members where email_key = $1",
        email.key,
    )
    if await limit_fault(ports, Limit.MAILS_PER_EMAIL, email.key) is not None:
        return
    if owner is not None:
        key = f"email-owned-{change_id}"
        await queue_mail(ports, "email_changes.taken", to=owner["email"], locale=owner["locale"], key=key, params=asked)
        return
    hours = str(int(security_data().email_change.total_seconds() // 3600))
    await queue_mail(
        ports, "email_changes.link", to=email.address, locale=account["locale"], key=f"email-change-{change_id}",
        params=asked | {"hours": hours}, link=link,
    )  # fmt: skip


async def _move(now: datetime, account: Row, change: Row) -> None:
    """Give the account its new address, and end what waits at either: sign-ups there, resets here."""
    try:
        await execute(
            "update accounts set email = $1, email_key = $2, email_verified_at = $3 where id = $4",
            change["email"], change["email_key"], now, read_uuid(account["id"]),
        )  # fmt: skip
    except IntegrityError:
        raise Refused(_INVALID) from None
    # An address is a customer's or a member of staff's, never both; the latter may have been made since it was asked.
    if await is_staff_address(change["email_key"]):
        raise Refused(_INVALID)
    await execute("delete from pending_sign_ups where email_key = $1", change["email_key"])
    await end_resets(read_uuid(account["id"]))
