"""Demo data for the sandbox: a family with money, calls and a plan, staff, the keys of the phone switch and a partner.

It goes the way that real data go, through the use cases, so the ledger of a sandbox is as true as any.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import Email
from api.auth.passwords import Passwords
from api.auth.sign_ins import make_key
from api.domain.accounts import Channel, Role
from api.domain.agreements import AgreementKind, current_version
from api.domain.incarcerated_people import name_key, number_key
from api.domain.payments import PaymentPurpose
from api.domain.service_accounts import Product
from api.services import calls, payments
from api.services.low_balances import set_alert
from api.services.payment_methods import add_method
from api.services.quotes import quote_payment
from api.services.service_accounts import open_service
from api.services.staff import insert_staff
from api.services.subscriptions import Renewal, subscribe

EMAIL = "demo@example.com"
PASSWORD = "Demo-pass-1"  # noqa: S105
PASSCODE = "2468"
PHONE = "+15055550123"
KEYS = (
    ("demo-switch", Role.PHONE_SWITCH, "demo-switch-key"),
    ("demo-partner", Role.PAYMENT_PARTNER, "demo-partner-key"),
)
STAFF = (
    ("agent@example.com", "Alex Agent", (Role.SUPPORT_AGENT, Role.BILLING_AGENT)),
    ("marketing@example.com", "Morgan Marketing", (Role.MARKETING,)),
    ("admin@example.com", "Ada Admin", (Role.ADMIN,)),
)
ANSWERS = (("first_pet", "Biscuit"), ("birth_city", "Santa Fe"), ("favorite_movie", "The Secret of Roan Inish"))
FACILITIES = (
    ("demo-nm", "Mesa County Detention Center", "NM", "America/Denver", "0.14"),
    ("demo-tx", "Prairie State Jail", "TX", "America/Chicago", "0.06"),
    ("demo-ca", "Coastal Correctional Facility", "CA", "America/Los_Angeles", "0.07"),
)
RATES_SINCE = date(2026, 1, 1)
VISITING_MINUTES = (9 * 60, 21 * 60)
VISIT_PRICES = ((20, 595), (40, 1095), (60, 1595))
PEOPLE = (
    ("demo-nm", "NM-20418", "Jordan", "Rivera"),
    ("demo-tx", "TX-77031", "Casey", "O'Neil"),
    ("demo-ca", "CA-11529", "Alexis", "Peña"),
)


async def fill_empty_database(ports: Ports, passwords: Passwords) -> bool:
    """Fill a database that has no accounts; return whether it was empty. Two at once fill it once."""
    if await fetch_one("select id from accounts limit 1") or await fetch_one("select id from api_keys limit 1"):
        return False
    staff_hashes = [await passwords.hash_password(PASSWORD) for _ in STAFF]
    hashes = await passwords.hash_password(PASSWORD), await passwords.hash_short("passcode", PASSCODE)
    answers = [(code, await passwords.hash_short("answer", answer)) for code, answer in ANSWERS]
    account_id = await _people_and_places(ports, hashes, answers, staff_hashes)
    if account_id is not None:
        await _money(ports, account_id)
    return account_id is not None


@transactional
async def _people_and_places(
    ports: Ports, hashes: tuple[str, str], answers: list[tuple[str, str]], staff_hashes: list[str]
) -> UUID | None:
    now = ports.now()
    account_id = uuid7()
    inserted = await execute(
        "insert into accounts (id, status, email, email_key, email_verified_at, first_name, last_name, phone, line1,"
        " line2, city, state, zip, country, address_revision, locale, password_hash, password_changed_at,"
        " passcode_hash, terms_version, terms_agreed_at, event_number, created_at) values ($1, 'ACTIVE', $2, $2, $3,"
        " 'Dana', 'Demo', $4, '100 Plaza Street', null, 'Santa Fe', 'NM', '87501', 'US', 1, 'en', $5, $3, $6, $7, $3,"
        " 0, $3) on conflict (email_key) do nothing",
        account_id, EMAIL, now, PHONE, *hashes, current_version(AgreementKind.TERMS),
    )  # fmt: skip
    if not inserted:
        return None
    for code, answer_hash in answers:
        await execute(
            "insert into security_answers (id, account_id, question_code, answer_hash) values ($1, $2, $3, $4)",
            uuid7(), account_id, code, answer_hash,
        )  # fmt: skip
    for (email, name, roles), staff_hash in zip(STAFF, staff_hashes, strict=True):
        await insert_staff(now, Email(email, email), name, staff_hash, roles)
    for name, role, token in KEYS:
        await make_key(now, name, role, token)
    await _places()
    return account_id


async def _places() -> None:
    """Insert facilities that offer all products, their rates, hours and prices of visits, and a person in custody at
    each."""
    products = json.dumps([product.value for product in Product])
    keys = {}
    for code, name, state, time_zone, rate in FACILITIES:
        keys[code] = uuid7()
        await execute(
            "insert into facilities (id, code, name, state, time_zone, products) values ($1, $2, $3, $4, $5, $6)",
            keys[code], code, name, state, time_zone, products,
        )  # fmt: skip
        await execute(
            "insert into rates (id, facility_id, per_minute, effective_from) values ($1, $2, $3, $4)",
            uuid7(), keys[code], Decimal(rate), RATES_SINCE,
        )  # fmt: skip
        await _visits(keys[code])
    for code, number, first_name, last_name in PEOPLE:
        await execute(
            "insert into incarcerated_people (id, facility_id, number, first_name, last_name, name_key)"
            " values ($1, $2, $3, $4, $5, $6)",
            uuid7(), keys[code], number_key(number), first_name, last_name, name_key(last_name),
        )  # fmt: skip


async def _visits(facility_id: UUID) -> None:
    for weekday in range(1, 8):
        await execute(
            "insert into visiting_hours (id, facility_id, weekday, opens, closes) values ($1, $2, $3, $4, $5)",
            uuid7(), facility_id, weekday, *VISITING_MINUTES,
        )  # fmt: skip
    for minutes, price in VISIT_PRICES:
        await execute(
            "insert into video_prices (id, facility_id, duration_minutes, price, effective_from)"
            " values ($1, $2, $3, $4, $5)",
            uuid7(), facility_id, minutes, price, RATES_SINCE,
        )  # fmt: skip


async def _money(ports: Ports, account_id: UUID) -> None:
    """Fund the demo account, call it twice, subscribe it to a plan, buy stamps and pay in for somebody in custody."""
    service, _ = await open_service(ports, account_id, Product.ADVANCE_CONNECT, PHONE, "demo-open")
    card = await add_method(ports, account_id, "tok_visa", make_default=True)
    await add_method(ports, account_id, "tok_mastercard", make_default=False)
    service_id, card_id = read_uuid(service["id"]), read_uuid(card["id"])
    quoted = await quote_payment(ports, account_id, PaymentPurpose.FUND_ADVANCE_CONNECT, service_id, Decimal("50.00"))
    order = payments.Order(read_uuid(quoted.row["id"]), card_id, None, "demo-payment")
    await payments.pay(ports, account_id, order)
    await set_alert(ports, account_id, service_id, Decimal("10.00"))
    key = await fetch_one("select id from api_keys where name = $1", KEYS[0][0])
    facility = await fetch_one("select id from facilities where code = $1", FACILITIES[0][0])
    assert key is not None
    assert facility is not None
    facility_id = read_uuid(facility["id"])
    for number, minutes in enumerate((12, 20)):
        ask = calls.Ask(f"demo-{number}", 0, PHONE, facility_id, Decimal("0.14"))
        await calls.authorize(ports, read_uuid(key["id"]), ask)
        report = calls.Report(
            ask.call_id, PHONE, facility_id, ports.now() - timedelta(minutes=minutes), minutes * 60 - 7, Decimal("0.14")
        )
        await calls.record(ports, read_uuid(key["id"]), report)
    await _other_products(ports, account_id, facility_id, card_id)


async def _other_products(ports: Ports, account_id: UUID, facility_id: UUID, card_id: UUID) -> None:
    plan_id = await _plan(ports, facility_id)
    quoted = await quote_payment(ports, account_id, PaymentPurpose.SUBSCRIPTION, None, None, plan_id=plan_id)
    renewal = Renewal(True, current_version(AgreementKind.RENEWAL), "en", Channel.WEB)
    order = payments.Order(read_uuid(quoted.row["id"]), card_id, None, "demo-subscription")
    await subscribe(ports, account_id, order, renewal)
    await open_service(ports, account_id, Product.VIDEO_CONNECT, None, "demo-open-video")
    person = await fetch_one("select id from incarcerated_people where facility_id = $1", facility_id)
    assert person is not None
    debit, _ = await open_service(
        ports, account_id, Product.DEBIT, None, "demo-open-debit", person_id=read_uuid(person["id"])
    )
    stamps, _ = await open_service(ports, account_id, Product.EMESSAGING, None, "demo-open-stamps")
    debit_id, stamps_id = read_uuid(debit["id"]), read_uuid(stamps["id"])
    for quoted in (
        await quote_payment(ports, account_id, PaymentPurpose.FUND_DEBIT, debit_id, Decimal("20.00")),
        await quote_payment(ports, account_id, PaymentPurpose.BUY_STAMPS, stamps_id, None, stamps=20),
    ):
        key = f"demo-{quoted.row['purpose']}"
        await payments.pay(ports, account_id, payments.Order(read_uuid(quoted.row["id"]), card_id, None, key))


@transactional
async def _plan(ports: Ports, facility_id: UUID) -> UUID:
    """Insert a plan of visits and one of calls; return the first, to which somebody subscribes."""
    keys = uuid7(), uuid7()
    for key, product, names, price, calls_included in (
        (keys[0], Product.VIDEO_CONNECT, ("Unlimited video visits", "Visitas por video sin límite"), 2999, None),
        (keys[1], Product.ADVANCE_CONNECT, ("Forty calls a month", "Cuarenta llamadas al mes"), 1999, 40),
    ):
        await execute(
            "insert into plans (id, facility_id, product, name_en, name_es, price, unlimited, included_calls)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8)",
            key, facility_id, product.value, *names, price, calls_included is None, calls_included,
        )  # fmt: skip
    return keys[0]
