"""What a call costs once it is reported: its charge, what is written off, and the end of its hold (rule 13)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.domain.ledger import HoldKind, HoldState, LedgerKind, Leg, TransactionKind, UpdateCause, charge_split
from api.domain.service_accounts import Product
from api.services.holds import end_hold, find_hold
from api.services.ledger import OPERATOR, Balance, post, save

_PAYS = {Product.ADVANCE_CONNECT: LedgerKind.PREPAID, Product.DIRECT_BILL: LedgerKind.UNBILLED}


async def charge(
    balance: Balance, call_id: UUID, source_key: str, cost: int, *, deducts: bool, began_at: datetime, now: datetime
) -> int:
    """Post what a call costs against a locked balance, end its hold, and return what was charged; all in cents.

    What is not there is written off, and all of it where `deducts` is False.
    """
    hold = await find_hold(call_id)
    pending = hold if hold is not None and hold.state is HoldState.PENDING else None
    charged, lost = charge_split(cost, _room(balance), balance.held, pending.amount if pending else 0)
    if not deducts:
        charged, lost = 0, cost
    if pending is not None:
        state = HoldState.POSTED if cost else HoldState.VOIDED
        balance = await end_hold(balance, HoldKind.CALL, pending, state, now)
    own = (_PAYS[balance.product], str(balance.service_account_id))
    revenue = (LedgerKind.CALL_REVENUE, OPERATOR)
    legs = [Leg(own, revenue, charged)] if charged else []
    legs += [Leg((LedgerKind.BAD_DEBT_EXPENSE, OPERATOR), revenue, lost)] if lost else []
    entry = None
    if legs:
        moved, entry = await post(
            source_key, legs, now=now, occurred_at=began_at, call_id=call_id,
            balance=balance if charged else None, own=own, kind=TransactionKind.CALL_CHARGE,
        )  # fmt: skip
        balance = moved or balance
    if charged:
        await save(balance, now, UpdateCause.CALL_CHARGED, entry)
    elif pending is not None:
        await save(balance, now, UpdateCause.CALL_RELEASED)
    return charged


def _room(balance: Balance) -> int:
    """Return what calls may use before holds, in cents: what is there, or what is left of a credit limit."""
    return balance.credit_limit - balance.posted if balance.product is Product.DIRECT_BILL else balance.posted
