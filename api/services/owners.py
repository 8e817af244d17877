"""Who signs in with e-mail and password: holders and staff. An address is never both."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_uuid
from api.domain.accounts import AccountStatus

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


async def is_enabled(owner_id: UUID) -> bool:
    """Tell whether signing in asks for a code of a second factor."""
    query = "select id from second_factors where owner = $1 and confirmed_at is not null"
    return await fetch_one(query, owner_id) is not None


def _read(row: Row | None) -> Owner | None:
    if row is None:
        return None
    return Owner(read_uuid(row["id"]), bool(row["is_staff"]), row["email"], row["email_key"], row["password_hash"])
