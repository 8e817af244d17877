"""Money of a refund that the card's bank has taken back already: it covers that loss, and is not paid out once more.

A chargeback of a closed service is the operator's loss. Where the refund had not reached the processor by then, the
processor refuses it, and its money makes the loss good.
"""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.ledger import LedgerKind, Leg
from api.services.ledger import OPERATOR
from api.services.refunds import post_legs, transit_of

LOSS = (LedgerKind.CHARGEBACK_LOSS, OPERATOR)


async def cover(ports: Ports, part: Row) -> int:
    """Cover what was lost to chargebacks of a refused part's payment, which is locked; return how much, in cents."""
    payment_id, refund_id = read_uuid(part["payment_id"]), read_uuid(part["refund_id"])
    row = await fetch_one(
        "select coalesce(sum(l.amount), 0) as n from disputes d"
        " join journal_entries e on e.source_key = 'dispute:' || cast(d.id as text) join legs l on l.entry_id = e.id"
        " join ledger_accounts a on a.id = l.debit_id and a.kind = 'CHARGEBACK_LOSS'"
        " where d.payment_id = $1 and d.status <> 'WON'",
        payment_id,
    )
    lost = int(row["n"]) if row else 0
    covered = min(int(part["amount"]), lost - await covered_of(payment_id))
    if covered <= 0:
        return 0
    await post_legs(ports, _source(refund_id, read_uuid(part["id"])), [Leg(transit_of(refund_id), LOSS, covered)])
    return covered


async def covered_of(payment_id: UUID) -> int:
    """Return what refunds have covered of what was lost to a payment's chargebacks, in cents."""
    row = await fetch_one(
        "select coalesce(sum(l.amount), 0) as n from refund_parts p join journal_entries e on e.source_key ="
        " 'refund:' || cast(p.refund_id as text) || ':part:' || cast(p.id as text) || ':taken'"
        " join legs l on l.entry_id = e.id where p.payment_id = $1",
        payment_id,
    )
    return int(row["n"]) if row else 0


def _source(refund_id: UUID, part_id: UUID) -> str:
    return f"refund:{refund_id}:part:{part_id}:taken"
