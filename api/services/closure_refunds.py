"""How closing asks for refunds: the one place where it meets them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from api.adapters.database import Row, fetch, read_json, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.service_accounts import Product
from api.services import refund_amounts, refund_estimates, refunds
from api.services.ledger import Balance
from api.services.refund_estimates import Estimate

__all__ = ["Estimate", "begin", "estimate", "fix"]

_ADDRESS = ("line1", "line2", "city", "state", "zip", "country")


async def estimate(ports: Ports, account: Row, service: Row, balance: Balance, now: datetime) -> Sequence[Estimate]:
    """Return what would go back of a service, by destination, were its closing asked for now."""
    return await refund_estimates.estimate(ports, account, service, balance, now)


async def begin(ports: Ports, closure: Row, account: Row, service: Row, *, origin: str | None = None) -> None:
    """Begin the refund of a service, or of what `origin` names, within the transaction under way.

    Once a deletion is over the holder's name is erased, and the check that a late payment may need is for staff.
    """
    asked = refunds.Asked(
        account_id=read_uuid(account["id"]),
        service_account_id=read_uuid(service["id"]),
        product=Product(service["product"]),
        requested_at=read_time(closure["requested_at"]) if origin is None else ports.now(),
        payee=f"{account['first_name']} {account['last_name']}".strip(),
        # Once its closing is over an address is kept with the account alone.
        address=read_json(closure["address"]) or {name: account[name] or "" for name in _ADDRESS},
        closure_id=read_uuid(closure["id"]),
    )
    await refunds.begin_refund(ports, asked, origin=origin)


async def fix(ports: Ports, closure_id: UUID, service_account_id: UUID, balance: Balance) -> None:
    """Fix the refunds of a service that wait for it, from its locked balance, within the transaction under way."""
    rows = await fetch(
        "select id from refunds where closure_id = $1 and service_account_id = $2 and status = 'SETTLING' order by id",
        closure_id, service_account_id,
    )  # fmt: skip
    for row in rows:
        balance = await refund_amounts.fix(ports, read_uuid(row["id"]), balance)
