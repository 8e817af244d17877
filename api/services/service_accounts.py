"""Service accounts: opening and reading them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from uuid import UUID

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.phones import phone_to_e164
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.ledger import LedgerKind, Unit, UpdateCause
from api.domain.service_accounts import NUMBER_DIGITS, Product, printed_number
from api.services.idempotency import claim_key
from api.services.ledger import Balance, balance_body, open_ledger_account
from api.services.outbox import tell

LEDGER_KINDS = {Product.ADVANCE_CONNECT: LedgerKind.PREPAID}
"""Products that can be opened, and the ledger account that each begins with."""


@transactional
async def open_service(
    ports: Ports, account_id: UUID, product: Product, phone: str | None, idempotency_key: str
) -> tuple[Row, bool]:
    """Open a service of an account with its first phone; return its row, and whether this was a replay.

    One open service per product (INVALID_STATE), a phone on one open account (INVALID).
    """
    e164 = _phone(product, phone)
    now = ports.now()
    facts = {"product": product.value, "phone": e164}
    claimed = await claim_key(account_id, idempotency_key, "openServiceAccount", facts, uuid7(), now)
    if not claimed.is_new:
        row = await find_service(account_id, claimed.result_id)
        assert row is not None
        return row, True
    if await fetch_one("select id from service_accounts where open_key = $1", f"{account_id}:{product.value}"):
        raise _already_open()
    if await fetch_one("select id from account_phones where live_phone = $1", e164):
        raise _phone_taken()
    service_id, balance_id = claimed.result_id, uuid7()
    try:
        await execute(
            "insert into service_accounts (id, account_id, product, number, status, open_key, opened_at, closed_at)"
            " values ($1, $2, $3, $4, 'ACTIVE', $5, $6, null)",
            service_id, account_id, product.value, await _unused_number(), f"{account_id}:{product.value}", now,
        )  # fmt: skip
        await execute(
            "insert into account_phones (id, service_account_id, phone, live_phone, label, blocked, added_at,"
            " removed_at) values ($1, $2, $3, $3, null, $4, $5, null)",
            uuid7(), service_id, e164, False, now,
        )  # fmt: skip
    except IntegrityError as error:
        raise (_phone_taken() if "live_phone" in str(error) else _already_open()) from error
    balance = Balance(balance_id, service_id, account_id, product, 0, 0, 0, 0, None, False, 0, 0, now)
    await execute(
        "insert into balances (id, service_account_id, account_id, product, unit, posted, held, incoming, credit_limit,"
        " low_below, may_be_negative, revision, sequence, changed_at)"
        " values ($1, $2, $3, $4, $5, 0, 0, 0, 0, null, $6, 0, 0, $7)",
        balance_id, service_id, account_id, product.value, Unit.USD_CENT.value, False, now,
    )  # fmt: skip
    await open_ledger_account(LEDGER_KINDS[product], str(service_id), balance_id, Unit.USD_CENT.value)
    await tell(account_id, "balance", balance_body(balance, UpdateCause.SNAPSHOT, None))
    row = await find_service(account_id, service_id)
    assert row is not None
    return row, False


def _phone(product: Product, phone: str | None) -> str:
    if product not in LEDGER_KINDS:
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "service_accounts.product_unavailable", ("input", "product")))
    if phone is None or not phone.strip():
        raise Refused(Fault(ErrorCode.REQUIRED, "errors.required", ("input", "phone")))
    e164 = phone_to_e164(phone) if len(phone) <= 40 else None
    if e164 is None:
        raise Refused(Fault(ErrorCode.INVALID, "sign_ups.phone_invalid", ("input", "phone")))
    return e164


def _phone_taken() -> Refused:
    return Refused(Fault(ErrorCode.INVALID, "service_accounts.phone_taken", ("input", "phone")))


def _already_open() -> Refused:
    facts = {"current_state": "ACTIVE", "allowed_actions": ()}
    return Refused(Fault(ErrorCode.INVALID_STATE, "service_accounts.already_open", ("input", "product"), facts=facts))


async def _unused_number() -> str:
    for _ in range(20):
        number = printed_number("".join(secrets.choice("123456789") for _ in range(NUMBER_DIGITS)))
        if not await fetch_one("select id from service_accounts where number = $1", number):
            return number
    raise RuntimeError("no free account number was found in twenty tries")


async def find_service(account_id: UUID, service_account_id: UUID) -> Row | None:
    """Return a service of this account, or None where it is somebody else's or nothing."""
    return await fetch_one(
        "select * from service_accounts where id = $1 and account_id = $2", service_account_id, account_id
    )


async def services_of(account_id: UUID) -> Sequence[Row]:
    """Return an account's services, oldest first; the products bound how many there are."""
    return await fetch("select * from service_accounts where account_id = $1 order by id limit 200", account_id)


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
