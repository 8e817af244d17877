"""Who signs in with e-mail and password: holders and staff. An address is never both."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.auth.limits import Limit, client_of, count_try, forget, subject_of, take_back
from api.auth.passwords import Passwords
from api.auth.sign_ins import Viewer
from api.domain.accounts import AccountStatus
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.passwords import password_is_too_long

_BOTH = """
select id, 0 as is_staff, email, email_key, password_hash, locale from accounts where status = 'ACTIVE' and {0} = $1
union all
select id, 1 as is_staff, email, email_key, password_hash, locale from staff_members
 where disabled_at is null and {0} = $1
"""


class Owner(NamedTuple):
    """Whose a sign-in and a second factor are."""

    id: UUID
    is_staff: bool
    email: str
    email_key: str
    password_hash: str


async def owner_of_email(email_key: str) -> Owner | None:
    """Return who may sign in by an address, or None; one statement, whoever it is."""
    return _read(await fetch_one(_BOTH.format("email_key"), email_key))


async def owner_of_id(owner_id: UUID | None) -> Owner | None:
    """Return the open account or the member of staff with this id, or None."""
    return _read(await fetch_one(_BOTH.format("id"), owner_id)) if owner_id else None


async def lock_owner(owner: Owner) -> Row | None:
    """Lock the row within the transaction under way and return it; None unless its password is still the checked one.

    While a password was being checked the account may have been closed, or have got another one.
    """
    if owner.is_staff:
        query = "select * from staff_members where id = $1 and disabled_at is null and password_hash = $2 for update"
        return await fetch_one(query, owner.id, owner.password_hash)
    query = "select * from accounts where id = $1 and status = $3 and password_hash = $2 for update"
    return await fetch_one(query, owner.id, owner.password_hash, AccountStatus.ACTIVE.value)


async def guess(ports: Ports, email_key: str | None, client_address: str) -> None:
    """Count a try before any secret is looked at; raises Refused with RATE_LIMITED."""
    tries = [(Limit.SIGN_INS_PER_CLIENT, client_of(client_address))]
    if email_key is not None:
        tries.append((Limit.SIGN_INS_PER_ACCOUNT, email_key))
    await count_try(ports, *tries)


async def guessed_right(ports: Ports, email_key: str, client_address: str) -> None:
    """Take the count back, within the transaction under way, once everything that was asked for was right."""
    await forget(subject_of(ports, Limit.SIGN_INS_PER_ACCOUNT, email_key))
    await take_back(ports, Limit.SIGN_INS_PER_CLIENT, client_of(client_address))


async def prove_password(
    ports: Ports, passwords: Passwords, viewer: Viewer, password: str, client_address: str
) -> Owner:
    """Return who is signed in once the password was right; the try is counted, and stays so until it was no guess.

    Raises Refused: RATE_LIMITED, and then no password is looked at; INVALID_CREDENTIALS at ["password"].
    """
    wrong = Refused(Fault(ErrorCode.INVALID_CREDENTIALS, "second_factors.password_wrong", ("password",)))
    owner = await owner_of_id(viewer.owner_id)
    if owner is None:
        raise wrong
    await guess(ports, owner.email_key, client_address)
    if password_is_too_long(password) or not await passwords.check_password(password, owner.password_hash):
        raise wrong
    return owner


def _read(row: Row | None) -> Owner | None:
    if row is None:
        return None
    return Owner(read_uuid(row["id"]), bool(row["is_staff"]), row["email"], row["email_key"], row["password_hash"])
