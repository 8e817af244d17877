"""The end of the window in which late records of calls are deducted: then the amounts are fixed (rule 22)."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import execute, fetch, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.service_accounts import Product
from api.services import closure_refunds
from api.services.closure_facts import balances_of
from api.services.closure_states import look
from api.services.due_work import Claim, complete


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
