"""Payments that wait for their holder at the bank's page when it is closed: ended, so that no charge comes of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.adapters.database import fetch, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.payments import PaymentStatus
from api.services import charges, due_work

WORK_KIND = "closing-payment"


async def cancel_waiting(account_id: UUID, services: list[UUID] | None, now: datetime) -> None:
    """Have an account's payments that wait ended, or those of some services and of plans of their products, within the
    transaction under way."""
    rows = await fetch(
        "select y.id, coalesce(y.service_account_id, s.id) as service_id from payments y"
        " left join plans p on p.id = y.plan_id"
        " left join service_accounts s on s.account_id = y.account_id and s.product = p.product"
        " where y.account_id = $1 and y.status = 'REQUIRES_ACTION' limit 1000",
        account_id,
    )
    for row in rows:
        if services is None or (row["service_id"] and read_uuid(row["service_id"]) in services):
            await due_work.enqueue(WORK_KIND, str(read_uuid(row["id"])), now)


async def cancel_payment(ports: Ports, claim: due_work.Claim) -> None:
    """Ask the processor to end a payment that waits, and commit what it says: due work of kind "closing-payment".

    Where the holder was faster it has succeeded, and is given back with the rest. A repeat is safe.
    """
    payment = await fetch_one("select * from payments where id = $1", UUID(claim.key))
    if payment is not None and payment["status"] == PaymentStatus.REQUIRES_ACTION.value:
        await charges.cancel(ports, read_uuid(payment["id"]))
    await _finish(ports, claim)


@transactional
async def _finish(ports: Ports, claim: due_work.Claim) -> None:
    await due_work.complete(claim)
