"""The window in which late records of calls are deducted, and its end: then the amounts are fixed (rule 22)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.adapters.database import execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.service_accounts import Product
from api.services import closure_refunds
from api.services.closure_facts import balances_of
from api.services.closure_states import look
from api.services.due_work import Claim, complete


async def deducts_calls(service_account_id: UUID, now: datetime) -> bool:
    """Tell whether a call that is reported now is deducted from a service, under its balance's lock.

    It is while the service is open and in the window of its closing, of Direct Bill until its hold is over. A record
    that comes later is kept and costs the holder nothing: the amount was fixed.
    """
    row = await fetch_one(
        "select s.product, s.settled_at, c.calls_until from closed_services s join closures c on c.id = s.closure_id"
        " where s.service_account_id = $1 and c.status <> 'WITHDRAWN' order by c.requested_at desc limit 1",
        service_account_id,
    )
    if row is None:
        return True
    if row["settled_at"] is not None:
        return False
    if Product(row["product"]) is Product.DIRECT_BILL or row["calls_until"] is None:
        return True
    return now <= read_time(row["calls_until"])


async def settle_calls(ports: Ports, claim: Claim) -> None:
    """Fix what is left of the prepaid services that a closing ends; due work of kind "closing-calls"."""
    await _settle(ports, claim)


@transactional
async def _settle(ports: Ports, claim: Claim) -> None:
    closure_id, now = UUID(claim.key), ports.now()
    services = await fetch(
        "select a.* from service_accounts a join closed_services s on s.service_account_id = a.id"
        " where s.closure_id = $1 and s.product = $2 and s.settled_at is null order by a.id",
        closure_id, Product.ADVANCE_CONNECT.value,
    )  # fmt: skip
    balances = await balances_of(services, lock=True)
    for service in services:
        key = read_uuid(service["id"])
        await closure_refunds.fix(ports, closure_id, key, balances[key])
        await execute(
            "update closed_services set settled_at = $1 where closure_id = $2 and service_account_id = $3",
            now, closure_id, key,
        )  # fmt: skip
        await execute("update service_accounts set status = 'CLOSED', closed_at = $1 where id = $2", now, key)
    await look(ports, closure_id)
    await complete(claim)
