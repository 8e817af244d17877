"""Quotes: what a payment will cost, line by line, for fifteen minutes (rule 14)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, transactional
from api.adapters.ports import Ports
from api.domain.charge_lines import Line
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.money import cents_of, format_money
from api.domain.payment_data import payment_limits
from api.domain.payments import PaymentPurpose
from api.domain.service_accounts import Product, ServiceStatus
from api.services.balances import open_balances
from api.services.service_accounts import find_service

SOLD = frozenset({PaymentPurpose.FUND_ADVANCE_CONNECT})
"""What can be paid for today."""


class Quoted(NamedTuple):
    """A quote's row and the balance after it is paid, in cents."""

    row: Row
    balance_after: int | None


@transactional
async def quote_payment(
    ports: Ports, account_id: UUID, purpose: PaymentPurpose, service_account_id: UUID | None, amount: Decimal | None
) -> Quoted:
    """Quote a payment; raises Refused with every reason at once."""
    if purpose not in SOLD:
        raise Refused(Fault(ErrorCode.UNAVAILABLE, "payments.purpose_unavailable", ("input", "purpose")))
    cents, faults = _cents(amount)
    service = await find_service(account_id, service_account_id) if service_account_id else None
    path = ("input", "serviceAccountId")
    if service is None or service["product"] != Product.ADVANCE_CONNECT.value:
        faults.append(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    elif service["status"] != ServiceStatus.ACTIVE.value:
        faults.append(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", path))
    if faults or service_account_id is None:
        raise Refused(*faults)
    now, quote_id = ports.now(), uuid7()
    await execute(
        "insert into quotes (id, account_id, purpose, service_account_id, lines, amount, total, created_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        quote_id, account_id, purpose.value, service_account_id,
        json.dumps([Line("payments.line_deposit", cents).kept()]),
        cents, cents, now, now + payment_limits().quote_lives,
    )  # fmt: skip
    row = await fetch_one("select * from quotes where id = $1", quote_id)
    assert row is not None
    balances = await open_balances(account_id, service_account_id)
    return Quoted(row, balances[0].posted + cents if balances else None)


def _cents(amount: Decimal | None) -> tuple[int, list[Fault]]:
    path = ("input", "amount")
    limits = payment_limits()
    if amount is None:
        return 0, [Fault(ErrorCode.REQUIRED, "errors.required", path)]
    try:
        cents = cents_of(amount)
    except ValueError:
        return 0, [Fault(ErrorCode.INVALID, "payments.amount_places", path)]
    if cents <= 0:
        return 0, [Fault(ErrorCode.INVALID, "payments.amount_not_positive", path)]
    if not limits.payment_min <= cents <= limits.payment_max:
        bound = limits.payment_min if cents < limits.payment_min else limits.payment_max
        facts = {"limit": bound, "remaining": bound, "resets_at": None}
        params = {"limit": format_money(bound, "en")}
        key = "payments.amount_too_small" if cents < limits.payment_min else "payments.amount_too_large"
        return 0, [Fault(ErrorCode.LIMIT_EXCEEDED, key, path, params, facts)]
    return cents, []
