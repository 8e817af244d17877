"""Phones on service accounts: calls to a number are paid from the one open service that it is on (rule 13a)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, count_try, take_back
from api.auth.phones import phone_to_e164
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.plain_text import is_blank, text_faults, tidy
from api.domain.service_account_data import service_account_data
from api.domain.service_accounts import HAS_PHONES, Product, ServiceStatus
from api.services.ledger import lock_balance

TYPED_LENGTH_MAX = 40
_TAKEN = "service_accounts.phone_taken"


def read_phone(phone: str | None, *path: str) -> tuple[str | None, list[Fault]]:
    """Return a phone as E.164, or None and why it is none."""
    if phone is None or not phone.strip():
        return None, [Fault(ErrorCode.REQUIRED, "errors.required", path)]
    e164 = phone_to_e164(phone) if len(phone) <= TYPED_LENGTH_MAX else None
    return e164, [] if e164 else [Fault(ErrorCode.INVALID, "sign_ups.phone_invalid", path)]


def phone_taken(*path: str) -> Refused:
    """Return the refusal of a number that is on another open account."""
    return Refused(Fault(ErrorCode.INVALID, _TAKEN, path))


@asynccontextmanager
async def taken_phones_counted(ports: Ports, account_id: UUID) -> AsyncIterator[None]:
    """Count a number that turns out to be on another open account, around the transaction that looks.

    Counted before it looks, so that many at once are no way around; taken back unless it was one. Raises Refused with
    RATE_LIMITED after too many: who tries strangers' numbers would learn who is a customer.
    """
    counted, is_taken = (Limit.PHONES_TAKEN_PER_ACCOUNT, str(account_id)), False
    await count_try(ports, counted)
    try:
        yield
    except Refused as refusal:
        is_taken = any(fault.key == _TAKEN for fault in refusal.faults)
        raise
    finally:
        if not is_taken:
            await take_back(ports, *counted)


async def insert_phone(service_id: UUID, e164: str, label: str | None, now: datetime) -> None:
    """Put a number on a service within the transaction under way; raises IntegrityError where it is on one."""
    await execute(
        "insert into account_phones (id, service_account_id, phone, live_phone, label, blocked, added_at, removed_at)"
        " values ($1, $2, $3, $3, $4, $5, $6, null)",
        uuid7(), service_id, e164, label, False, now,
    )  # fmt: skip


async def add_phone(ports: Ports, account_id: UUID, service_id: UUID, phone: str, label: str | None) -> Row:
    """Put a number on a service for calls; return the service's row. A repeat changes nothing but the label, if one is
    given: so a number is renamed by adding it again.
    """
    e164, faults = read_phone(phone, "phone")
    label = None if label is None or is_blank(label) else label
    if label is not None:
        faults += [fault.under("label") for fault in text_faults(label, service_account_data().label_length_max)]
    refuse_if(faults)
    assert e164 is not None
    async with taken_phones_counted(ports, account_id):
        return await _add(ports, account_id, service_id, e164, tidy(label) if label else None)


@transactional
async def _add(ports: Ports, account_id: UUID, service_id: UUID, e164: str, label: str | None) -> Row:
    service = await _lock_service(account_id, service_id, "serviceAccountId")
    owner = await fetch_one("select id, service_account_id from account_phones where live_phone = $1", e164)
    if owner is not None and read_uuid(owner["service_account_id"]) != service_id:
        raise phone_taken("phone")
    if owner is not None:
        await execute("update account_phones set label = coalesce($1, label) where id = $2", label, owner["id"])
        return service
    phones_max = service_account_data().phones_max
    if len(await phones_of(service_id)) >= phones_max:
        params = {"maximum": phones_max}
        raise Refused(Fault(ErrorCode.INVALID, "service_accounts.too_many_phones", ("phone",), params))
    try:
        await insert_phone(service_id, e164, label, ports.now())
    except IntegrityError as error:
        raise phone_taken("phone") from error
    return service


@transactional
async def set_phone_blocked(ports: Ports, account_id: UUID, phone_id: UUID, blocked: bool) -> Row:
    """Have calls to a number refused, or no longer; return the service's row. Calls under way go on. A repeat changes
    nothing."""
    phone = await _find(account_id, phone_id)
    if phone is None or phone["live_phone"] is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("phoneId",)))
    service = await _lock_service(account_id, read_uuid(phone["service_account_id"]), "phoneId")
    await execute(
        "update account_phones set blocked = $1, blocked_at = $2 where id = $3 and blocked <> $1",
        blocked, ports.now() if blocked else None, phone_id,
    )  # fmt: skip
    return service


@transactional
async def remove_phone(ports: Ports, account_id: UUID, phone_id: UUID) -> Row:
    """Take a number off its service; return the service's row. The last one stays, since a service for calls needs one:
    add another first, or close the service. A repeat changes nothing."""
    phone = await _find(account_id, phone_id)
    if phone is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("phoneId",)))
    service_id = read_uuid(phone["service_account_id"])
    service = await _lock_service(account_id, service_id, "phoneId")
    left = [row for row in await phones_of(service_id) if read_uuid(row["id"]) != phone_id]
    phone = await _find(account_id, phone_id)
    assert phone is not None
    if phone["live_phone"] is None:
        return service
    if not left:
        facts = {"current_state": "LAST_PHONE", "allowed_actions": ("addPhone", "setPhoneBlocked")}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "service_accounts.last_phone", ("phoneId",), facts=facts))
    await execute("update account_phones set live_phone = null, removed_at = $1 where id = $2", ports.now(), phone_id)
    return service


async def _find(account_id: UUID, phone_id: UUID) -> Row | None:
    """Return a number that is or was on a service of this account, or None."""
    return await fetch_one(
        "select p.* from account_phones p join service_accounts s on s.id = p.service_account_id"
        " where p.id = $1 and s.account_id = $2",
        phone_id, account_id,
    )  # fmt: skip


async def _lock_service(account_id: UUID, service_id: UUID, *path: str) -> Row:
    """Lock a service for calls by its balance; return its row. Raises Refused unless it is open and the account's."""
    query = "select * from service_accounts where id = $1 and account_id = $2"
    row = await fetch_one(query, service_id, account_id)
    if row is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    if Product(row["product"]) not in HAS_PHONES:
        raise Refused(Fault(ErrorCode.INVALID, "service_accounts.no_phones", path))
    await lock_balance(service_id)
    row = await fetch_one(query, service_id, account_id)
    assert row is not None, "services are never deleted"
    if row["status"] != ServiceStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", path))
    return row


async def phones_of(service_account_id: UUID) -> Sequence[Row]:
    """Return the phones that are on a service now, oldest first."""
    return await fetch(
        "select * from account_phones where service_account_id = $1 and live_phone is not null order by id limit 100",
        service_account_id,
    )


async def owner_of_phone(phone: str) -> UUID | None:
    """Return the service that has a number now, unless the holder blocked calls to it."""
    row = await fetch_one(
        "select service_account_id from account_phones where live_phone = $1 and blocked = $2", phone, False
    )
    return read_uuid(row["service_account_id"]) if row else None
