"""Reconciliation: the ledger against itself, and a day of the processor's books against the ledger, key by key.

A movement is looked for by its key and not by its day: what was captured just before midnight is posted just after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from api.adapters.database import Row, fetch
from api.adapters.payments import ChargeStatus, DisputeStatus, MovementKind, ProcessorUnavailable
from api.adapters.ports import Ports
from api.domain.days import start_of
from api.domain.ledger import LedgerKind
from api.services.audit import audit

DIFFERENCES_MAX = 200
AROUND = timedelta(days=1)
ASKED_MAX = 500
"""So many keys are asked for one by one, where the books of the days around do not hold them."""

_Key = tuple[MovementKind, str]


class Difference(NamedTuple):
    """What does not agree: a text's key and its parameters, amounts in cents among them as `ledger` and `processor`."""

    text: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found of a Central day; `ledger_total` is what all accounts sum to, debits less credits, in cents."""

    on: date
    ledger_total: int
    differences: tuple[Difference, ...]


async def reconcile(ports: Ports, on: date) -> Reconciliation:
    """Compare all that can be compared; at most two hundred differences are told. It changes nothing."""
    found = [Difference("reconciliation.audit", {"difference": words}) for words in (await audit()).differences]
    sums = {row["unit"]: int(row["total"]) for row in await fetch(_SUMS)}
    found += [
        Difference("reconciliation.not_zero", {"unit": unit, "total": total}) for unit, total in sums.items() if total
    ]
    try:
        found += await _against_processor(ports, on)
    except ProcessorUnavailable:
        found.append(Difference("reconciliation.processor_unavailable", {"processor": ports.processor.name}))
    if len(found) > DIFFERENCES_MAX:
        more = len(found) - DIFFERENCES_MAX + 1
        found = [*found[: DIFFERENCES_MAX - 1], Difference("reconciliation.more", {"count": more})]
    return Reconciliation(on, sums.get("USD_CENT", 0), tuple(found))


async def _against_processor(ports: Ports, on: date) -> list[Difference]:
    since, until = start_of(on), start_of(on + timedelta(days=1))
    around = {
        (movement.kind, movement.key): movement
        for movement in await ports.processor.movements(since - AROUND, until + AROUND)
    }
    keys = {key for key, movement in around.items() if since <= movement.at < until}
    keys |= await _posted_keys(ports.processor.name, since, until)
    ledger = await _posted_net(ports.processor.name, keys)
    found = []
    asked = 0
    for key in sorted(keys, key=lambda key: (key[0].value, key[1])):
        if key in around:
            theirs = around[key].cents
        elif asked < ASKED_MAX:
            asked += 1
            theirs = await _ask(ports, key)
        else:
            continue
        ours = ledger.get(key, 0)
        if ours != theirs:
            what = f"reconciliation.{key[0].value.lower()}"
            found.append(Difference(what, {"key": key[1], "ledger": ours, "processor": theirs}))
    return found


async def _posted_keys(processor: str, since: datetime, until: datetime) -> set[_Key]:
    """Return whose entries moved the processor's clearing account within a time; disputes by its own reference."""
    rows = await fetch(
        "select distinct e.source_key from journal_entries e join legs l on l.entry_id = e.id"
        " join ledger_accounts a on (a.id = l.debit_id or a.id = l.credit_id)"
        " where a.kind = $1 and a.key = $2 and e.posted_at >= $3 and e.posted_at < $4",
        LedgerKind.PROCESSOR_CLEARING.value, processor, since, until,
    )  # fmt: skip
    named = [row["source_key"].split(":") for row in rows]
    keys: set[_Key] = {(MovementKind.CHARGE, parts[1]) for parts in named if parts[0] == "payment"}
    disputes = {parts[1] for parts in named if parts[0] == "dispute"}
    for row in await fetch("select id, reference from disputes where processor = $1", processor) if disputes else ():
        if str(row["id"]) in disputes:
            keys.add((MovementKind.DISPUTE, row["reference"]))
    rows = await fetch(
        "select r.id from refund_parts r join payments p on p.id = r.payment_id where p.processor = $1"
        " and r.created_at >= $2 and r.created_at < $3 and r.status in ('ACCEPTED', 'CONFIRMED')",
        processor, since, until,
    )  # fmt: skip
    return keys | {(MovementKind.REFUND, str(row["id"])) for row in rows}


async def _posted_net(processor: str, keys: set[_Key]) -> dict[_Key, int]:
    """Return what the ledger holds of each key, whenever it was posted, in cents that came in."""
    net: dict[_Key, int] = {}
    by_kind = {kind: [key for found, key in keys if found is kind] for kind in MovementKind}
    for batch in _batches(by_kind[MovementKind.CHARGE]):
        for row in await _clearing(processor, "e.source_key", [f"payment:{key}" for key in batch]):
            net[MovementKind.CHARGE, row["name"].removeprefix("payment:")] = int(row["cents"])
    for batch in _batches(by_kind[MovementKind.DISPUTE]):
        for row in await _clearing(processor, "d.reference", batch):
            net[MovementKind.DISPUTE, row["name"]] = int(row["cents"])
    for batch in _batches(by_kind[MovementKind.REFUND]):
        places = ", ".join(f"${place}" for place in range(1, len(batch) + 1))
        rows = await fetch(
            f"select id, amount from refund_parts where cast(id as text) in ({places}) and status <> 'REFUSED'", *batch
        )
        net |= {(MovementKind.REFUND, str(row["id"])): -int(row["amount"]) for row in rows}
    return net


async def _clearing(processor: str, name: str, values: list[str]) -> list[Row]:
    places = ", ".join(f"${place}" for place in range(3, len(values) + 3))
    disputes = (
        " join disputes d on e.source_key in"
        " ('dispute:' || cast(d.id as text), 'dispute:' || cast(d.id as text) || ':won',"
        " 'dispute:' || cast(d.id as text) || ':refund', 'dispute:' || cast(d.id as text) || ':refund:won')"
    )
    return list(
        await fetch(
            f"select {name} as name, sum(case when l.debit_id = a.id then l.amount else -l.amount end) as cents"
            " from journal_entries e join legs l on l.entry_id = e.id"
            " join ledger_accounts a on (a.id = l.debit_id or a.id = l.credit_id)"
            f"{disputes if name.startswith('d.') else ''}"
            f" where a.kind = $1 and a.key = $2 and {name} in ({places}) group by {name}",
            LedgerKind.PROCESSOR_CLEARING.value, processor, *values,
        )
    )  # fmt: skip


def _batches(keys: list[str], size: int = 200) -> list[list[str]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]


async def _ask(ports: Ports, key: _Key) -> int:
    """Return what the processor holds of a key that its books of the days around do not show, in cents."""
    kind, name = key
    if kind is MovementKind.CHARGE:
        charge = await ports.processor.inquire(name)
        return charge.amount_cents if charge and charge.status is ChargeStatus.SUCCEEDED else 0
    if kind is MovementKind.DISPUTE:
        dispute = await ports.processor.dispute(name)
        return -dispute.amount_cents if dispute and dispute.status is not DisputeStatus.WON else 0
    rows = await fetch(
        "select p.processor_reference from refund_parts r join payments p on p.id = r.payment_id"
        " where cast(r.id as text) = $1",
        name,
    )
    if not rows or rows[0]["processor_reference"] is None:
        return 0
    refund = await ports.processor.inquire_refund(name, charge=rows[0]["processor_reference"], at=ports.now())
    return -refund.amount_cents if refund and refund.status.value != "REFUSED" else 0


_SUMS = (
    "select x.unit, sum(x.amount) as total from"
    " (select a.unit, l.amount from legs l join ledger_accounts a on a.id = l.debit_id"
    " union all select a.unit, -l.amount from legs l join ledger_accounts a on a.id = l.credit_id) x group by x.unit"
)
