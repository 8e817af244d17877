"""Proving the password again, for the acts that take it (rule 10)."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, transactional
from api.adapters.ports import Ports
from api.auth.limits import guess, guessed_right
from api.auth.passwords import Passwords
from api.auth.sign_ins import Viewer
from api.domain.accounts import Channel
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.guesses import Guess
from api.domain.passwords import password_is_too_long
from api.domain.plain_text import is_printable
from api.domain.sign_up_data import sign_up_data
from api.services.activity import note_failure
from api.services.owners import Owner, is_enabled, lock_owner, owner_of_id

_NOBODY = Fault(ErrorCode.REAUTHENTICATION_REQUIRED, "errors.reauthentication_required")


class Proof(NamedTuple):
    """Who gave the password, with the hash that it was found to fit, and from which sign-in."""

    owner: Owner
    sign_in_id: UUID
    channel: Channel


async def prove_password(
    ports: Ports, passwords: Passwords, viewer: Viewer, password: str, *, client_address: str, path: str = "password"
) -> Proof:
    """Check the password of the holder or member of staff who is signed in, outside of any transaction.

    It counts as a guess of the account's password, as signing in does, but is not stopped by the guesses of strangers:
    an open sign-in overcomes their lock. A right one ends the count, unless a second factor protects the account, whose
    codes could be guessed for ever otherwise. Raises Refused with `path` as its
    path: INVALID_CREDENTIALS, noted among the account's activity; TOO_LONG or INVALID for what no account could have.
    And RATE_LIMITED or LOCKED, and then the password is not looked at; REAUTHENTICATION_REQUIRED when there is nobody.
    """
    refuse_if(fault.under(path) for fault in _shape_faults(password))
    owner = await owner_of_id(viewer.owner_id)
    if owner is None:
        raise Refused(_NOBODY)
    await guess(ports, owner.email_key, client_address, Guess.PROOF)
    if not await passwords.check_password(password, owner.password_hash):
        await note_failure(ports, owner.email_key, viewer.account_id, "password_refused", channel=viewer.channel)
        raise Refused(Fault(ErrorCode.INVALID_CREDENTIALS, "security.password_wrong", (path,)))
    await _take_back(ports, owner, client_address)
    return Proof(owner, viewer.sign_in_id, viewer.channel)


async def lock_proven(proof: Proof) -> Row:
    """Lock the owner's row within the transaction under way and return it.

    Raises Refused with REAUTHENTICATION_REQUIRED when, since the password was checked, it was replaced, the account
    was closed or the sign-in was ended.
    """
    row = await lock_owner(proof.owner)
    # Read once the row is locked: ending a holder's sign-in counts an event under the same lock.
    sign_in = await fetch_one("select id from sign_ins where id = $1 and ended_at is null", proof.sign_in_id)
    if row is None or sign_in is None:
        raise Refused(_NOBODY)
    return row


@transactional
async def _take_back(ports: Ports, owner: Owner, client_address: str) -> None:
    complete = not await is_enabled(owner.id)
    await guessed_right(ports, owner.email_key, client_address, Guess.PROOF, complete=complete)


def _shape_faults(password: str) -> list[Fault]:
    if password_is_too_long(password):
        params = {"maximum": sign_up_data().password_length_max}
        return [Fault(ErrorCode.TOO_LONG, "sign_ups.password_too_long", params=params)]
    if not is_printable(password):
        return [Fault(ErrorCode.INVALID, "sign_ups.password_unprintable")]
    return []
