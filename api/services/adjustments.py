"""Credits and corrections that staff make on a balance (rule 39)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, fetch_one, transactional
from api.adapters.ports import Ports
from api.domain.external_payments import external_limits
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.ledger import LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.money import cents_of, format_money
from api.domain.service_accounts import Product, ServiceStatus
from api.services.external_payments import lock_service
from api.services.idempotency import claim_key
from api.services.ledger import OPERATOR, Balance, post, save
from api.services.staff_acts import Act, put_on_record

_OWN = {Product.ADVANCE_CONNECT: LedgerKind.PREPAID, Product.DIRECT_BILL: LedgerKind.UNBILLED}


class Adjusted(NamedTuple):
    """The entry that was posted, as a row, and whether the key was used before."""

    entry: Row
    replayed: bool


@transactional
async def adjust_balance(
    ports: Ports, act: Act, service_account_id: UUID, amount: Decimal, idempotency_key: str
) -> Adjusted:
    """Give a holder a credit (`amount` above zero), or take one back, once per key of the member of staff.

    A credit adds to a prepaid balance and lowers what is unbilled of Direct Bill; neither goes below zero by it.
    Raises Refused: INVALID, LIMIT_EXCEEDED, NOT_FOUND, ACCOUNT_CLOSED, INSUFFICIENT_FUNDS, IDEMPOTENCY_CONFLICT.
    """
    cents, faults = _cents(amount)
    refuse_if([*faults, *act.faults()])
    service, balance = await lock_service(service_account_id)
    if service is None or balance is None or balance.product not in _OWN:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("serviceAccountId",)))
    facts = {"service": str(service_account_id), "cents": cents, "reason": act.reason.strip()}
    claimed = await claim_key(act.staff_id, idempotency_key, "staffAdjustBalance", facts, uuid7(), ports.now())
    source = f"adjustment:{claimed.result_id}"
    if claimed.is_new:
        if service["status"] != ServiceStatus.ACTIVE.value:
            raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", ("serviceAccountId",)))
        _refuse_below_zero(balance, cents)
        await _post(ports, balance, cents, source)
        shown = {"amount": format_money(cents, "en"), "number": service["number"]}
        await put_on_record(
            ports,
            act,
            "staff_adjusted_balance",
            account_id=balance.account_id,
            subject=claimed.result_id,
            facts={"service_account": str(service_account_id), "cents": str(cents)},
            shown=shown,
        )
    entry = await fetch_one("select * from journal_entries where source_key = $1", source)
    assert entry is not None, "a key leads to the entry of its own transaction"
    return Adjusted(entry, not claimed.is_new)


async def _post(ports: Ports, balance: Balance, cents: int, source: str) -> None:
    """Post a credit or a correction, and save the balance."""
    now, own = ports.now(), (_OWN[balance.product], str(balance.service_account_id))
    expense = (LedgerKind.GOODWILL_EXPENSE, OPERATOR)
    leg = Leg(expense, own, cents) if cents > 0 else Leg(own, expense, -cents)
    kind = TransactionKind.CREDIT if cents > 0 else TransactionKind.ADJUSTMENT
    moved, entry = await post(source, [leg], now=now, occurred_at=now, balance=balance, own=own, kind=kind)
    assert moved is not None
    await save(moved, now, UpdateCause.ADJUSTMENT, entry)


def _cents(amount: Decimal) -> tuple[int, list[Fault]]:
    path, bound = ("amount",), external_limits().adjustment_max
    try:
        cents = cents_of(amount)
    except ValueError:
        return 0, [Fault(ErrorCode.INVALID, "payments.amount_places", path)]
    if cents == 0:
        return 0, [Fault(ErrorCode.INVALID, "external_payments.amount_zero", path)]
    if abs(cents) > bound:
        facts = {"limit": bound, "remaining": bound, "resets_at": None}
        params = {"limit": format_money(bound, "en")}
        return 0, [Fault(ErrorCode.LIMIT_EXCEEDED, "external_payments.adjustment_too_large", path, params, facts)]
    return cents, []


def _refuse_below_zero(balance: Balance, cents: int) -> None:
    """Raise Refused where a correction takes more than is available, or a credit more than is unbilled."""
    room = balance.available if cents < 0 else balance.unbilled
    is_bounded = cents < 0 or balance.product is Product.DIRECT_BILL
    if is_bounded and abs(cents) > max(0, room):
        params = {"amount": format_money(max(0, room), "en")}
        raise Refused(Fault(ErrorCode.INSUFFICIENT_FUNDS, "external_payments.only_so_much", ("amount",), params))
