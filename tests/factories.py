"""Things that tests begin with, inserted rather than signed up, paid or called for."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import Bearer, begin_sign_in, make_key
from api.domain.accounts import Channel, Role
from api.domain.ids import NodeKind, global_id, key_of
from api.domain.ledger import LedgerKind, Leg, TransactionKind, Unit, UpdateCause
from api.domain.payments import PaymentPurpose
from api.domain.service_accounts import Product
from api.services import calls
from api.services.ledger import lock_balance, post, save
from api.services.payment_methods import add_method
from api.services.quotes import quote_payment
from api.services.service_accounts import open_service

RATE = Decimal("0.10")


class HasPorts(Protocol):
    """Whatever brings a running service's ports with it."""

    ports: Ports


@dataclass(frozen=True, slots=True)
class Opened:
    """An AdvanceConnect service, by its key, its id and the phone that is on it."""

    key: UUID
    phone: str

    @property
    def id(self) -> str:
        """The id that clients hold."""
        return global_id(NodeKind.SERVICE_ACCOUNT, self.key)


@dataclass(frozen=True, slots=True)
class Holder:
    """A signed-in customer."""

    ports: Ports
    account_id: UUID
    sign_in_id: UUID
    token: str
    email: str

    async def advance_connect(self, balance_cents: int = 0) -> Opened:
        """Open a prepaid service on a phone of its own, with this much in it."""
        phone = f"+1505{self.account_id.int % 10**7:07d}"
        row, _ = await open_service(
            self.ports, self.account_id, Product.ADVANCE_CONNECT, phone, f"opening of {self.account_id}"
        )
        opened = Opened(read_uuid(row["id"]), phone)
        if balance_cents:
            await fund(self.ports, opened.key, balance_cents)
        return opened

    async def card(self, token: str = "tok_visa") -> str:
        """Keep a card; return its id."""
        row = await add_method(self.ports, self.account_id, token, make_default=False)
        return global_id(NodeKind.PAYMENT_METHOD, read_uuid(row["id"]))

    async def quote(self, service: Opened, amount: str = "25.00") -> str:
        """Quote a deposit; return the quote's id."""
        quoted = await quote_payment(
            self.ports, self.account_id, PaymentPurpose.FUND_ADVANCE_CONNECT, service.key, Decimal(amount)
        )
        return global_id(NodeKind.QUOTE, read_uuid(quoted.row["id"]))


async def holder(service: HasPorts, email: str = "ann@mail.test", locale: str = "en") -> Holder:
    """Insert an account with a sign-in; nobody knows its password."""
    account_id, now = uuid7(), service.ports.now()
    await execute(
        "insert into accounts (id, status, email, email_key, email_verified_at, first_name, last_name, phone, line1,"
        " line2, city, state, zip, country, address_revision, locale, password_hash, password_changed_at,"
        " passcode_hash, terms_version, terms_agreed_at, event_number, created_at) values ($1, 'ACTIVE', $2, $2, $3,"
        " 'Ann', 'Lee', '+12145550123', '12 Elm Street', null, 'Dallas', 'TX', '75201', 'US', 1, $4, 'none', $3,"
        " 'none', '2026-11', $3, 0, $3)",
        account_id, email, now, locale,
    )  # fmt: skip
    token, sign_in_id = await begin_sign_in(service.ports, Bearer(account_id, False, "", Channel.WEB, False))
    return Holder(service.ports, account_id, sign_in_id, token, email)


async def begin_again(holder: Holder) -> Holder:
    """Sign the holder in anew, e.g. after the clock was moved past the end of the last sign-in."""
    bearer = Bearer(holder.account_id, False, "", Channel.WEB, False)
    token, sign_in_id = await begin_sign_in(holder.ports, bearer)
    return replace(holder, token=token, sign_in_id=sign_in_id)


def key_of_service(text: str) -> UUID:
    """Return the key behind a service's id."""
    key = key_of(text, NodeKind.SERVICE_ACCOUNT)
    assert key is not None
    return key


async def end_unheard(holder: Holder) -> None:
    """End a sign-in without telling anybody."""
    now = holder.ports.now()
    await execute("update sign_ins set ended_at = $1 where id = $2", now, holder.sign_in_id)


async def switch_key(service: HasPorts, name: str = "switch") -> str:
    """Make a key of a phone switch; return its token."""
    return await make_key(service.ports.now(), name, Role.PHONE_SWITCH)


async def switch_id(name: str = "switch") -> UUID:
    """Return the id of a switch's key."""
    row = await fetch_one("select id from api_keys where name = $1", name)
    assert row is not None
    return read_uuid(row["id"])


async def facility() -> str:
    """Insert a facility; return its id."""
    return global_id(NodeKind.FACILITY, await _facility())


async def _facility() -> UUID:
    key = uuid7()
    await execute(
        "insert into facilities (id, code, name, state, time_zone, products) values ($1, $2, 'Mesa Jail', 'NM',"
        " 'America/Denver', $3)",
        key, str(key), json.dumps([Product.ADVANCE_CONNECT.value]),
    )  # fmt: skip
    return key


@transactional
async def fund(ports: Ports, service_account_id: UUID, cents: int) -> None:
    """Post a deposit that no card was charged for."""
    balance = await lock_balance(service_account_id)
    assert balance is not None
    own, now = (LedgerKind.PREPAID, str(service_account_id)), ports.now()
    leg = Leg((LedgerKind.PROCESSOR_CLEARING, "tests"), own, cents)
    moved, entry = await post(
        f"deposit:{uuid7()}", [leg], now=now, occurred_at=now, balance=balance, own=own, kind=TransactionKind.FUNDING
    )
    assert moved is not None
    await save(moved, now, UpdateCause.FUNDED, entry)


async def charged_call(
    ports: Ports, switch: UUID, service: Opened, call_id: str, minutes: int = 1, started_at: datetime | None = None
) -> Any:
    """Have a call that was never authorised charged, at ten cents a minute; return its row."""
    report = calls.Report(call_id, service.phone, None, started_at or ports.now(), minutes * 60, RATE)
    return (await calls.record(ports, switch, report)).call


async def subscription(service: HasPorts, account_id: UUID) -> UUID:
    """Insert a subscription to a plan of a facility of its own, with a card that was removed since; return its key."""
    key, plan_id, card_id, now = await _facility(), uuid7(), uuid7(), service.ports.now()
    subscription_id = uuid7()
    await execute(
        "insert into payment_methods (id, account_id, processor, card_token, brand, last4, expiry_month, expiry_year,"
        " default_of, added_at, last_used_at, removed_at)"
        " values ($1, $2, 'tests', $3, 'Visa', '4242', 12, 2040, null, $4, null, $4)",
        card_id, account_id, str(card_id), now,
    )  # fmt: skip
    await execute(
        "insert into plans (id, facility_id, product, name_en, name_es, price, unlimited, included_calls)"
        " values ($1, $2, 'VIDEO_CONNECT', 'Visits', 'Visitas', 2999, $3, null)",
        plan_id, key, True,
    )  # fmt: skip
    await execute(
        "insert into plan_subscriptions (id, account_id, plan_id, payment_method_id, status, price, period_start,"
        " period_end, renews_at, access_until, included_calls_left)"
        " values ($1, $2, $3, $4, 'ACTIVE', 2999, $5, $6, $6, $6, null)",
        subscription_id, account_id, plan_id, card_id, now, now + timedelta(days=30),
    )  # fmt: skip
    return subscription_id


@transactional
async def stamps(ports: Ports, service_account_id: UUID, count: int) -> None:
    """Give a service stamps that nobody paid for."""
    key = read_uuid(service_account_id)
    balance = await lock_balance(key)
    assert balance is not None
    own, now = (LedgerKind.STAMPS, str(key)), ports.now()
    leg = Leg((LedgerKind.STAMPS_ISSUED, "operator"), own, count, Unit.STAMP)
    moved, entry = await post(
        f"stamps:{uuid7()}", [leg], now=now, occurred_at=now, balance=balance, own=own, kind=TransactionKind.FUNDING
    )
    assert moved is not None
    await save(moved, now, UpdateCause.FUNDED, entry)


async def card_key(holder: Holder) -> UUID:
    """Keep a card; return its key."""
    key = key_of(await holder.card(), NodeKind.PAYMENT_METHOD)
    assert key is not None
    return key
