"""Refunds and chargebacks of one charge: what the bank took back does not go out by check as well (rule 23).

A refund and a chargeback that meet are for the processor to decide, and whichever it lets through is the one that
counts. Where it refuses the refund since the bank took the money back, the holder has it by that way already.
"""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.ledger import LedgerKind, Leg
from api.services.refund_amounts import by_check
from api.services.refunds import post_legs, refund_row, transit_of

_UNPOSTED = """
select d.id, d.amount - (select coalesce(sum(l.amount), 0) from legs l join journal_entries e on e.id = l.entry_id
  where e.source_key = 'dispute:' || cast(d.id as text)) as cents
from disputes d where d.payment_id = $1 and d.status <> 'WON' and not exists
  (select e.id from journal_entries e where e.source_key = 'dispute:' || cast(d.id as text) || ':refund')
order by d.id
"""
"""What each chargeback of a payment took that is on no account yet, as the money was on its way back already."""


async def taken_back(ports: Ports, part: Row) -> int:
    """Post what of a refused part the bank took back, within the transaction under way, in which the payment is locked;
    return how many cents that is. Each chargeback pays for one part at most."""
    left = int(part["amount"])
    clearing = (LedgerKind.PROCESSOR_CLEARING, str(part["processor"]))
    for row in await fetch(_UNPOSTED, read_uuid(part["payment_id"])):
        cents = min(left, int(row["cents"]))
        if cents > 0:
            leg = Leg(transit_of(read_uuid(part["refund_id"])), clearing, cents)
            await post_legs(ports, f"dispute:{read_uuid(row['id'])}:refund", [leg])
            left -= cents
    return int(part["amount"]) - left


async def pay_out_won(ports: Ports, dispute_id: UUID) -> None:
    """Send by check what a chargeback had taken of a refund, now that it was won and the money is back; once."""
    row = await fetch_one(
        "select d.key, c.kind, c.key as processor, l.amount from journal_entries e join legs l on l.entry_id = e.id"
        " join ledger_accounts d on d.id = l.debit_id join ledger_accounts c on c.id = l.credit_id"
        " where e.source_key = $1",
        f"dispute:{dispute_id}:refund",
    )
    if row is None:
        return
    refund = await refund_row(UUID(row["key"]))
    check_id = await by_check(ports, refund, f"dispute:{dispute_id}", row["amount"], "won_by_check")
    leg = Leg((LedgerKind(row["kind"]), row["processor"]), transit_of(check_id), row["amount"])
    await post_legs(ports, f"dispute:{dispute_id}:refund:won", [leg])
