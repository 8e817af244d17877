"""Proving the password again, for the acts that take it (rule 10)."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one
from api.adapters.ports import Ports
from api.auth.limits import Limit, client_of, count_try, forget, subject_of, take_back
from api.auth.passwords import Passwords
from api.auth.sign_ins import Viewer
from api.domain.accounts import AccountStatus, Channel
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.passwords import password_is_too_long
from api.domain.plain_text import is_printable
from api.domain.sign_up_data import sign_up_data
from api.services.activity import note_failure


class Proof(NamedTuple):
    """Who gave the password, and the hash that it was found to fit."""

    account_id: UUID
    sign_in_id: UUID
    channel: Channel
    email: str
    checked_hash: str


async def prove_password(
    ports: Ports, passwords: Passwords, viewer: Viewer, password: str, *, client_address: str, path: str = "password"
) -> Proof:
    """Check the password of the holder who is signed in, outside of any transaction.

    It counts as a guess of the account's password, as signing in does; a right one ends the count. Raises Refused with
    `path` as its path: INVALID_CREDENTIALS, noted among the account's activity; RATE_LIMITED, and then the password is
    not looked at; TOO_LONG or INVALID for what no account could have.
    """
    assert viewer.account_id is not None
    refuse_if(fault.under(path) for fault in _shape_faults(password))
    account = await fetch_one("select email, email_key, password_hash from accounts where id = $1", viewer.account_id)
    assert account is not None
    client, email_key = client_of(client_address), account["email_key"]
    await count_try(ports, (Limit.SIGN_INS_PER_CLIENT, client), (Limit.SIGN_INS_PER_ACCOUNT, email_key))
    if not await passwords.check_password(password, account["password_hash"]):
        await note_failure(ports, email_key, viewer.account_id, "password_refused", channel=viewer.channel)
        raise Refused(Fault(ErrorCode.INVALID_CREDENTIALS, "security.password_wrong", (path,)))
    await forget(subject_of(ports, Limit.SIGN_INS_PER_ACCOUNT, email_key))
    await take_back(ports, Limit.SIGN_INS_PER_CLIENT, client)
    return Proof(viewer.account_id, viewer.sign_in_id, viewer.channel, account["email"], account["password_hash"])


async def lock_proven(proof: Proof) -> Row:
    """Lock the account within the transaction under way and return its row.

    Raises Refused with REAUTHENTICATION_REQUIRED when, since the password was checked, it was replaced, the account
    was closed or the sign-in was ended.
    """
    account = await fetch_one(
        "select * from accounts where id = $1 and status = $2 and password_hash = $3 for update",
        proof.account_id, AccountStatus.ACTIVE.value, proof.checked_hash,
    )  # fmt: skip
    # Read once the account is locked: ending a sign-in counts an event under the same lock.
    sign_in = await fetch_one("select id from sign_ins where id = $1 and ended_at is null", proof.sign_in_id)
    if account is None or sign_in is None:
        raise Refused(Fault(ErrorCode.REAUTHENTICATION_REQUIRED, "errors.reauthentication_required"))
    return account


def _shape_faults(password: str) -> list[Fault]:
    if password_is_too_long(password):
        params = {"maximum": sign_up_data().password_length_max}
        return [Fault(ErrorCode.TOO_LONG, "sign_ups.password_too_long", params=params)]
    if not is_printable(password):
        return [Fault(ErrorCode.INVALID, "sign_ups.password_unprintable")]
    return []
