"""Refunds by check that fail while their holder has the service again: the money goes back to its balance (rule 27).

A service that was closed stays closed; opening it again makes another one, which the holder then has. Money that could
not be paid out is theirs to use there at once, or to have back by closing it; nothing waits to be claimed.
"""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.ledger import LedgerKind, Leg, TransactionKind, UpdateCause
from api.domain.service_accounts import Product, ServiceStatus
from api.services.ledger import Balance, lock_balance, post, save
from api.services.refunds import refund_row

_OPEN = """
select id from service_accounts where account_id = $1 and product = $2 and status = $3 order by id limit 1
"""


async def lock_open_again(refund_id: UUID) -> Balance | None:
    """Lock the balance that a refund would go back to, before the refund is locked; None where there is none: the
    service was not opened again, is being closed by now, or is not prepaid."""
    refund = await refund_row(refund_id)
    if refund["product"] != Product.ADVANCE_CONNECT.value:
        return None
    wanted = (read_uuid(refund["account_id"]), Product.ADVANCE_CONNECT.value, ServiceStatus.ACTIVE.value)
    found = await fetch_one(_OPEN, *wanted)
    balance = await lock_balance(read_uuid(found["id"])) if found else None
    # A closing that came first holds the lock until the service is no longer open.
    still = await fetch_one(_OPEN, *wanted)
    return balance if balance and still and read_uuid(still["id"]) == balance.service_account_id else None


async def put_back(ports: Ports, refund: Row, where: tuple[LedgerKind, str], balance: Balance) -> None:
    """Post a locked refund's money from where it stands back to a locked balance, within the transaction under way."""
    now, own = ports.now(), (LedgerKind.PREPAID, str(balance.service_account_id))
    moved, entry = await post(
        f"refund:{refund['id']}:reversed", [Leg(where, own, refund["amount"])], now=now, occurred_at=now,
        balance=balance, own=own, kind=TransactionKind.REFUND_REVERSAL,
    )  # fmt: skip
    assert moved is not None, "a refund ends once"
    await save(moved, now, UpdateCause.REFUND, entry)
