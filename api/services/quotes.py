"""Quotes: what a payment will cost, line by line, for fifteen minutes (rule 14)."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.charge_lines import Line, total_of
from api.domain.faults import Refused
from api.domain.money import affordable_seconds
from api.domain.payment_data import payment_limits
from api.domain.payments import PaymentPurpose
from api.services.balances import open_balances
from api.services.fees import charged_lines
from api.services.incarcerated_people import person_of
from api.services.payables import Wanted, path_of_choice, payable
from api.services.rates import rate_at, rate_of_service
from api.services.spending import cap_fault

MINUTES_MAX = 1_000_000
"""No estimate goes further; past it the rate is next to nothing."""


class Quoted(NamedTuple):
    """A quote's row, the balance after it is paid, in cents, and for how many minutes of calls it pays about."""

    row: Row
    balance_after: int | None
    estimated_minutes: int | None


@transactional
async def quote_payment(
    ports: Ports,
    account_id: UUID,
    purpose: PaymentPurpose,
    service_account_id: UUID | None,
    amount: Decimal | None,
    *,
    invoice_id: UUID | None = None,
    plan_id: UUID | None = None,
    stamps: int | None = None,
) -> Quoted:
    """Quote a payment; raises Refused with every reason at once. Which inputs there must be depends on the purpose."""
    wanted = Wanted(purpose, service_account_id, invoice_id, plan_id, stamps, amount)
    now, quote_id = ports.now(), uuid7()
    found = await payable(account_id, wanted, now)
    lines = await charged_lines(account_id, purpose, Line(found.label, found.cents), now)
    if fault := await cap_fault(account_id, total_of(lines), now, *path_of_choice(purpose)):
        raise Refused(fault)
    await execute(
        "insert into quotes (id, account_id, purpose, service_account_id, plan_id, invoice_id, stamps, lines, amount,"
        " total, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        quote_id, account_id, purpose.value, found.service["id"] if found.service else None, plan_id, invoice_id,
        stamps, json.dumps([line.kept() for line in lines]), found.cents, total_of(lines), now,
        now + payment_limits().quote_lives,
    )  # fmt: skip
    row = await fetch_one("select * from quotes where id = $1", quote_id)
    assert row is not None
    return Quoted(row, await _balance_after(account_id, row), await _minutes(row, now))


async def _balance_after(account_id: UUID, quote: Row) -> int | None:
    """Return what will be posted once a quote is paid: less is owed of Direct Bill; None where no balance of money
    shows it."""
    if not quote["service_account_id"]:
        return None
    balances = await open_balances(account_id, read_uuid(quote["service_account_id"]))
    pays = -quote["amount"] if quote["invoice_id"] else quote["amount"]
    return balances[0].posted + pays if balances else None


async def _minutes(quote: Row, now: datetime) -> int | None:
    """Return for how many minutes of calls a deposit pays; None for what is no deposit, and where no rate is known."""
    rate: Decimal | None = None
    match PaymentPurpose(quote["purpose"]):
        case PaymentPurpose.FUND_ADVANCE_CONNECT:
            rate = await rate_of_service(read_uuid(quote["service_account_id"]), now)
        case PaymentPurpose.FUND_DEBIT:
            person = await person_of(read_uuid(quote["service_account_id"]))
            found = await rate_at({"id": person["f_id"], "time_zone": person["f_time_zone"]}, now)
            rate = found.per_minute if found else None
    return affordable_seconds(rate, quote["amount"], MINUTES_MAX) // 60 if rate else None
