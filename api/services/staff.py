"""Members of staff: making their accounts. What they do is elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one, transactional
from api.adapters.ports import Ports
from api.auth.emails import Email, normalise_email
from api.auth.passwords import Passwords
from api.auth.passwords_common import is_common
from api.domain.accounts import STAFF_ROLES, Role
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.passwords import password_faults
from api.domain.texts import DEFAULT_LOCALE

_TAKEN = Fault(ErrorCode.INVALID, "staff.email_taken", ("email",))


async def add_staff(
    ports: Ports, passwords: Passwords, *, email: str, name: str, password: str, roles: Iterable[Role]
) -> None:
    """Make a staff account. Outside the sandbox it can do nothing but set up its second factor at first.

    Raises Refused with all faults: of the address, which may be no customer's and no other member's; of the password,
    by the rules that hold for everybody; of the roles, of which at least one is needed, and only staff's.
    """
    address = normalise_email(email, allow_test_domains=ports.sandbox)
    given = frozenset(roles)
    faults = [fault.under("password") for fault in password_faults(password, email=email, is_common=is_common)]
    if address is None:
        faults.append(Fault(ErrorCode.INVALID, "sign_ups.email_invalid", ("email",)))
    if not given or not given <= STAFF_ROLES:
        faults.append(Fault(ErrorCode.INVALID, "staff.roles_invalid", ("roles",)))
    refuse_if(faults)
    assert address is not None
    await _add(ports, address, name, await passwords.hash_password(password), given)


@transactional
async def _add(ports: Ports, email: Email, name: str, password_hash: str, roles: frozenset[Role]) -> None:
    try:
        await insert_staff(ports.now(), email, name, password_hash, roles)
    except IntegrityError:
        raise Refused(_TAKEN) from None
    # After the row is there, since whoever opens an account at the same time looks for it.
    if await fetch_one("select id from accounts where email_key = $1", email.key):
        raise Refused(_TAKEN)


async def insert_staff(
    now: datetime, email: Email, name: str, password_hash: str, roles: Iterable[Role], locale: str = DEFAULT_LOCALE
) -> None:
    """Insert a member of staff within the transaction under way; IntegrityError when the address is one already."""
    codes = json.dumps(sorted(role.value for role in roles))
    await execute(
        "insert into staff_members (id, email, email_key, name, password_hash, password_changed_at, roles, locale,"
        " created_at, disabled_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $6, null)",
        uuid7(), email.address, email.key, name[:120], password_hash, now, codes, locale,
    )  # fmt: skip
