"""What the flows of paying for all products begin with and ask."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import execute, read_uuid
from api.domain.agreements import AgreementKind, current_version
from api.domain.ids import NodeKind, global_id, key_of
from api.domain.incarcerated_people import name_key, number_key
from api.domain.service_accounts import Product
from api.services.service_accounts import open_service
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money import ERRORS, PAYMENT

EVERYTHING = tuple(Product)
QUOTE = f"""mutation($input: QuotePaymentInput!) {{ quotePayment(input: $input) {{
  quote {{ id purpose total {{ amount }} balanceAfter {{ amount }} estimatedMinutes
    lines {{ label amount {{ amount }} }} }} {ERRORS} }} }}"""
SUBSCRIBE = f"""mutation($input: SubscribeInput!) {{ subscribe(input: $input) {{ replayed payment {{ {PAYMENT} }}
  subscription {{ id status currentPeriodStart currentPeriodEnd renewsAt accessUntil price {{ amount }}
    includedCallsLeft plan {{ id }} paymentMethod {{ last4 }} }} {ERRORS} }} }}"""


class Place(NamedTuple):
    """A facility by its key."""

    key: UUID

    @property
    def id(self) -> str:
        """The id that clients hold."""
        return global_id(NodeKind.FACILITY, self.key)


async def place(
    name: str = "Mesa Jail",
    state: str = "NM",
    zone: str = "America/Denver",
    products: tuple[Product, ...] = EVERYTHING,
) -> Place:
    """Insert a facility."""
    key = uuid7()
    await execute(
        "insert into facilities (id, code, name, state, time_zone, products) values ($1, $2, $3, $4, $5, $6)",
        key, str(key), name, state, zone, json.dumps([product.value for product in products]),
    )  # fmt: skip
    return Place(key)


async def rate(where: Place, per_minute: str, since: date = date(2026, 1, 1)) -> None:
    """Have a minute of a call from a facility cost so much from that day on."""
    await execute(
        "insert into rates (id, facility_id, per_minute, effective_from) values ($1, $2, $3, $4)",
        uuid7(), where.key, Decimal(per_minute), since,
    )  # fmt: skip


async def person(where: Place, number: str = "A-100", last_name: str = "Rivera") -> str:
    """Insert a person in custody; return the id."""
    key = uuid7()
    await execute(
        "insert into incarcerated_people (id, facility_id, number, first_name, last_name, name_key)"
        " values ($1, $2, $3, 'Jordan', $4, $5)",
        key, where.key, number_key(number), last_name, name_key(last_name),
    )  # fmt: skip
    return global_id(NodeKind.INCARCERATED_PERSON, key)


async def plan(
    where: Place, cents: int = 2_999, product: Product = Product.VIDEO_CONNECT, included_calls: int | None = None
) -> str:
    """Insert a monthly plan; return its id."""
    key = uuid7()
    await execute(
        "insert into plans (id, facility_id, product, name_en, name_es, price, unlimited, included_calls)"
        " values ($1, $2, $3, 'Visits', 'Visitas', $4, $5, $6)",
        key, where.key, product.value, cents, included_calls is None, included_calls,
    )  # fmt: skip
    return global_id(NodeKind.PLAN, key)


async def fee(
    purpose: str,
    kind: str = "FEE",
    fixed: int = 0,
    per_million: int = 0,
    jurisdiction: str | None = None,
    since: date = date(2026, 1, 1),
    until: date | None = None,
) -> None:
    """Insert a fee or tax."""
    await execute(
        "insert into fee_rules (id, purpose, kind, jurisdiction, label_en, label_es, fixed, per_million,"
        " effective_from, effective_until) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        uuid7(), purpose, kind, jurisdiction, kind.title(), f"{kind.title()} (es)", fixed, per_million, since, until,
    )  # fmt: skip


async def invoice(holder: Holder, service_key: UUID, due: int, total: int | None = None, status: str = "OPEN") -> str:
    """Insert an invoice of Direct Bill; return its id."""
    key, now = uuid7(), holder.ports.now()
    await execute(
        "insert into invoices (id, account_id, service_account_id, number, kind, status, statement_date, due_date,"
        " total, due, issued_at, ended_at) values ($1, $2, $3, $4, 'MONTHLY', $5, $6, $7, $8, $9, $10, null)",
        key, holder.account_id, service_key, str(key)[-12:], status, now.date(), now.date() + timedelta(days=20),
        total or due, due, now,
    )  # fmt: skip
    return global_id(NodeKind.INVOICE, key)


async def opened(holder: Holder, product: Product, person_id: str | None = None, phone: str | None = None) -> UUID:
    """Open a service; return its key."""
    key = key_of(person_id, NodeKind.INCARCERATED_PERSON) if person_id else None
    row, _ = await open_service(holder.ports, holder.account_id, product, phone, f"{product.value} {uuid7()}", key)
    return read_uuid(row["id"])


def service_id(key: UUID) -> str:
    """Return the id that clients hold."""
    return global_id(NodeKind.SERVICE_ACCOUNT, key)


async def quote_for(service: Service, holder: Holder, purpose: str, **inputs: Any) -> dict[str, Any]:
    """Quote for a purpose; return the payload."""
    data = await service.ask(QUOTE, {"input": {"purpose": purpose, **inputs}}, token=holder.token)
    payload: dict[str, Any] = data["quotePayment"]
    return payload


async def subscribe(
    service: Service, holder: Holder, quote_id: str, card: str, key: str = "key", **changes: Any
) -> dict[str, Any]:
    """Subscribe by a quote, with the consent; return the payload."""
    variables = {
        "quoteId": quote_id,
        "paymentMethodId": card,
        "acceptRenewal": True,
        "agreementVersion": current_version(AgreementKind.RENEWAL),
        "idempotencyKey": key,
        **changes,
    }
    payload: dict[str, Any] = (await service.ask(SUBSCRIBE, {"input": variables}, token=holder.token))["subscribe"]
    return payload
