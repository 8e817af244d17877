"""Service accounts: opening and reading them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_json, transactional
from api.adapters.ports import Ports
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.ledger import LedgerKind, Unit, UpdateCause
from api.domain.service_account_data import service_account_data
from api.domain.service_accounts import HAS_PHONES, NUMBER_DIGITS, Product, printed_number
from api.services.idempotency import claim_key
from api.services.inactivity_plans import plan
from api.services.ledger import Balance, balance_body, open_ledger_account
from api.services.open_accounts import lock_open_account
from api.services.outbox import tell
from api.services.phones import insert_phone, phone_taken, read_phone, taken_phones_counted

_BALANCES: dict[Product, tuple[Unit, tuple[LedgerKind, ...]]] = {
    Product.ADVANCE_CONNECT: (Unit.USD_CENT, (LedgerKind.PREPAID,)),
    Product.DIRECT_BILL: (Unit.USD_CENT, (LedgerKind.UNBILLED, LedgerKind.BILLED)),
    Product.EMESSAGING: (Unit.STAMP, (LedgerKind.STAMPS,)),
}
"""Products with a balance: what it counts, and the ledger accounts behind it. What is paid into Debit is the person's
(DEBIT_FUNDS), and VideoConnect keeps nothing."""


async def open_service(
    ports: Ports,
    account_id: UUID,
    product: Product,
    phone: str | None,
    idempotency_key: str,
    person_id: UUID | None = None,
) -> tuple[Row, bool]:
    """Open a service of an account; return its row, and whether this was a replay.

    Calling wants its first phone, Debit the person in custody. One open service per product, of Debit per person
    (INVALID_STATE); a phone on one open account (INVALID).
    """
    e164 = _check(product, phone, person_id)
    if e164 is None:
        return await _open(ports, account_id, product, None, idempotency_key, person_id)
    async with taken_phones_counted(ports, account_id):
        return await _open(ports, account_id, product, e164, idempotency_key, None)


@transactional
async def _open(
    ports: Ports, account_id: UUID, product: Product, e164: str | None, idempotency_key: str, person_id: UUID | None
) -> tuple[Row, bool]:
    """Open a service of an account, of inputs that were checked."""
    now = ports.now()
    facts = {"product": product.value, "phone": e164} | ({"person": str(person_id)} if person_id else {})
    claimed = await claim_key(account_id, idempotency_key, "openServiceAccount", facts, uuid7(), now)
    if not claimed.is_new:
        row = await find_service(account_id, claimed.result_id)
        assert row is not None
        return row, True
    await lock_open_account(account_id)
    await _refuse_person(person_id)
    open_key = f"{account_id}:{product.value}" + (f":{person_id}" if person_id else "")
    if await fetch_one("select id from service_accounts where open_key = $1", open_key):
        raise _already_open()
    if e164 and await fetch_one("select id from account_phones where live_phone = $1", e164):
        raise phone_taken("input", "phone")
    service_id = claimed.result_id
    try:
        await execute(
            "insert into service_accounts (id, account_id, product, number, status, open_key, incarcerated_person_id,"
            " opened_at, closed_at) values ($1, $2, $3, $4, 'ACTIVE', $5, $6, $7, null)",
            service_id, account_id, product.value, await _unused_number(), open_key, person_id, now,
        )  # fmt: skip
        if e164:
            await insert_phone(service_id, e164, None, now)
    except IntegrityError as error:
        raise (phone_taken("input", "phone") if "live_phone" in str(error) else _already_open()) from error
    if product in _BALANCES:
        await _open_balance(account_id, service_id, product, now)
        await plan(service_id, now)
    row = await find_service(account_id, service_id)
    assert row is not None
    return row, False


async def _open_balance(account_id: UUID, service_id: UUID, product: Product, now: datetime) -> None:
    balance_id, (unit, kinds) = uuid7(), _BALANCES[product]
    credit_limit = service_account_data().credit_limit if product is Product.DIRECT_BILL else 0
    await execute(
        "insert into balances (id, service_account_id, account_id, product, unit, posted, held, incoming, credit_limit,"
        " low_below, may_be_negative, revision, sequence, changed_at)"
        " values ($1, $2, $3, $4, $5, 0, 0, 0, $6, null, $7, 0, 0, $8)",
        balance_id, service_id, account_id, product.value, unit.value, credit_limit, False, now,
    )  # fmt: skip
    for kind in kinds:
        await open_ledger_account(kind, str(service_id), balance_id, unit.value)
    if product in HAS_PHONES:
        balance = Balance(balance_id, service_id, account_id, product, 0, 0, 0, credit_limit, None, False, 0, 0, now)
        await tell(account_id, "balance", balance_body(balance, UpdateCause.SNAPSHOT, None))


def _check(product: Product, phone: str | None, person_id: UUID | None) -> str | None:
    """Return the phone as E.164, None for a product without phones; raises Refused with all that is wrong."""
    faults: list[Fault] = []
    e164 = None
    if product not in service_account_data().offered:
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "service_accounts.product_unavailable", ("input", "product")))
    if product in HAS_PHONES:
        e164, faults = read_phone(phone, "input", "phone")
    elif phone is not None:
        faults.append(Fault(ErrorCode.INVALID, "service_accounts.not_of_product", ("input", "phone")))
    person_path = ("input", "incarceratedPersonId")
    if product is Product.DEBIT:
        if person_id is None:
            faults.append(Fault(ErrorCode.REQUIRED, "errors.required", person_path))
    elif person_id is not None:
        faults.append(Fault(ErrorCode.INVALID, "service_accounts.not_of_product", person_path))
    refuse_if(faults)
    return e164


async def _refuse_person(person_id: UUID | None) -> None:
    """Raise Refused unless the person is one, at a facility that takes deposits."""
    if person_id is None:
        return
    path = ("input", "incarceratedPersonId")
    row = await fetch_one(
        "select f.products from incarcerated_people p join facilities f on f.id = p.facility_id where p.id = $1",
        person_id,
    )
    if row is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    if Product.DEBIT.value not in read_json(row["products"]):
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "service_accounts.not_at_facility", path))


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
    """Return an account's services, oldest first; at most 200."""
    return await fetch("select * from service_accounts where account_id = $1 order by id limit 200", account_id)
