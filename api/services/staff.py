"""Members of staff: making their accounts, and the way out for those who are locked or have lost their phone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import Email, normalise_email
from api.auth.limits import forget_guesses
from api.auth.passwords import Passwords
from api.auth.passwords_common import is_common
from api.domain.accounts import STAFF_ROLES, Role
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.passwords import password_faults
from api.domain.texts import DEFAULT_LOCALE
from api.services.notices import queue_notice
from api.services.second_factors import forget_factor
from api.services.sign_in_begins import end

_TAKEN = Fault(ErrorCode.INVALID, "staff.email_taken", ("email",))
_UNKNOWN = Fault(ErrorCode.NOT_FOUND, "staff.email_unknown", ("email",))
_DISABLED = Fault(ErrorCode.INVALID_STATE, "staff.is_disabled", ("email",))


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


async def reset_staff(ports: Ports, passwords: Passwords, *, email: str, password: str) -> None:
    """Give a member of staff a new password, and let them set up a second factor anew.

    Their sign-ins end, the factor and its recovery codes are dropped, their wrong tries and a lock forgotten, and they
    are told by mail. Raises Refused: what is wrong with the password; NOT_FOUND; INVALID_STATE for one who is disabled.
    """
    refuse_if(fault.under("password") for fault in password_faults(password, email=email, is_common=is_common))
    await _reset(ports, email, await passwords.hash_password(password))


@transactional
async def disable_staff(ports: Ports, *, email: str) -> None:
    """Let a member of staff in no more, at once; their address stays taken. A repeat changes nothing.

    Raises Refused with NOT_FOUND.
    """
    row = await _lock(ports, email)
    await execute(
        "update staff_members set disabled_at = $1 where id = $2 and disabled_at is null",
        ports.now(),
        read_uuid(row["id"]),
    )
    await end(ports, read_uuid(row["id"]), None, is_staff=True)
    await execute("delete from challenges where owner = $1", read_uuid(row["id"]))


@transactional
async def enable_staff(ports: Ports, *, email: str) -> None:
    """Let a member of staff in again who was disabled, with the password and the factor they had. A repeat changes
    nothing. Raises Refused with NOT_FOUND.
    """
    row = await _lock(ports, email)
    await execute("update staff_members set disabled_at = null where id = $1", read_uuid(row["id"]))


async def _lock(ports: Ports, email: str) -> Row:
    address = normalise_email(email, allow_test_domains=ports.sandbox)
    key = address.key if address else ""
    row = await fetch_one("select * from staff_members where email_key = $1 for update", key)
    if row is None:
        raise Refused(_UNKNOWN)
    return row


@transactional
async def _reset(ports: Ports, email: str, password_hash: str) -> None:
    row, now = await _lock(ports, email), ports.now()
    if row["disabled_at"] is not None:
        raise Refused(_DISABLED)
    staff_id = read_uuid(row["id"])
    await execute(
        "update staff_members set password_hash = $1, password_changed_at = $2 where id = $3",
        password_hash, now, staff_id,
    )  # fmt: skip
    await end(ports, staff_id, None, is_staff=True)
    await forget_factor(staff_id)
    await forget_guesses(ports, row["email_key"])
    await queue_notice(ports, row, "staff_reset", uuid7())


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
