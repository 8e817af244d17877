"""Where a closing stands: derived from what of it is still open, and told whenever that changes (decision 0014)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.closures import ClosureKind, ClosureStatus, Open, advance, status_of
from api.services import closure_mails, due_work
from api.services.outbox import tell

ERASURE_WORK = "erasure"
OVER = frozenset({ClosureStatus.COMPLETED, ClosureStatus.WITHDRAWN})
_SHOWN = (
    "id", "account_id", "kind", "status", "revision", "requested_at", "requested_via", "calls_until", "hold_earliest",
    "hold_latest", "final_invoice_id", "completed_at",
)  # fmt: skip
_OPEN = """
select
 (select count(*) from closed_services s where s.closure_id = $1 and s.settled_at is null
   and s.product = 'ADVANCE_CONNECT') as calls,
 (select count(*) from closed_services s where s.closure_id = $1 and s.settled_at is null
   and s.product = 'DIRECT_BILL') as direct_bill,
 (select count(*) from refunds r where r.closure_id = $1 and r.ended_at is null) as refunds,
 (select count(*) from payments p join closed_services s on s.service_account_id = p.service_account_id
   where s.closure_id = $1 and p.status = 'PROCESSING' and p.purpose <> 'PAY_INVOICE') as payments,
 (select count(*) from payments p join closed_services s on s.service_account_id = p.service_account_id
   where s.closure_id = $1 and p.status = 'PROCESSING' and p.purpose = 'PAY_INVOICE') as paying,
 (select count(*) from invoices i join closed_services s on s.service_account_id = i.service_account_id
   where s.closure_id = $1 and i.status in ('OPEN', 'PAST_DUE')) as invoices
"""


async def look(ports: Ports, closure_id: UUID) -> Row:
    """Bring a closing to where it stands by now, within the transaction under way; return its row.

    To be called by whoever ends something of it: a refund, a payment under way, an invoice, a window. A repeat changes
    nothing. Locks the account, then the closing; whoever calls holds the locks of balances and refunds by then.
    """
    row = await _find(closure_id)
    await fetch_one("select id from accounts where id = $1 for update", read_uuid(row["account_id"]))
    await fetch_one("select id from closures where id = $1 for update", closure_id)
    row = await _find(closure_id)
    old = ClosureStatus(row["status"])
    if old in OVER:
        await _let_erase(ports, row)
        return row
    new = await _status(closure_id)
    if not advance(old, new):
        return row
    now, is_over = ports.now(), new is ClosureStatus.COMPLETED
    await execute(
        "update closures set status = $1, revision = revision + 1, completed_at = $2 where id = $3",
        new.value, now if is_over else None, closure_id,
    )  # fmt: skip
    row = await _find(closure_id)
    await tell_closure(row)
    if is_over:
        await _complete(ports, row)
    return await _find(closure_id)


async def tell_closure(closure: Row) -> None:
    """Tell a closing's watchers where it stands, within the transaction under way."""
    body = {name: _plain(closure[name]) for name in _SHOWN}
    await tell(read_uuid(closure["account_id"]), "closure", {"closure": body})


def is_over(closure: Mapping[str, Any]) -> bool:
    """Tell whether a closing changes no more."""
    return ClosureStatus(closure["status"]) in OVER


async def _status(closure_id: UUID) -> ClosureStatus:
    still = await fetch_one(_OPEN, closure_id)
    assert still is not None
    return status_of(
        Open(
            settles_calls=still["calls"] > 0,
            holds_direct_bill=still["direct_bill"] > 0,
            # A payment under way may still become money to give back.
            refunds=still["refunds"] + still["payments"],
            # One that is being paid twice may leave a credit.
            unpaid_invoices=still["invoices"] + still["paying"],
        )
    )


async def _complete(ports: Ports, closure: Row) -> None:
    """End a closing: the last mail goes out, and the address that it went to is forgotten."""
    closure_id, account_id = read_uuid(closure["id"]), read_uuid(closure["account_id"])
    await closure_mails.tell_end(ports, closure)
    await execute("update closures set open_for = null where id = $1", closure_id)
    if closure["kind"] == ClosureKind.DELETE_ACCOUNT.value:
        await execute("update accounts set status = $1 where id = $2", AccountStatus.DELETED.value, account_id)
    else:
        # The holder's own address serves from now on.
        await execute("update closures set contact_email = null, address = null where id = $1", closure_id)
    await _let_erase(ports, closure)


async def _let_erase(ports: Ports, closure: Row) -> None:
    """Have a deleted account erased; a service that was closed before may be what it still waited for."""
    account_id = read_uuid(closure["account_id"])
    account = await fetch_one("select status from accounts where id = $1", account_id)
    if account is not None and account["status"] == AccountStatus.DELETED.value:
        await due_work.enqueue(ERASURE_WORK, str(account_id), ports.now())


async def _find(closure_id: UUID) -> Row:
    row = await fetch_one("select * from closures where id = $1", closure_id)
    assert row is not None, "closings are never deleted"
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
