"""What must be true of the books at any quiet moment, recomputed in plain Python from the rows alone.

The names I1 to I9 stand for: zero sum; balance = postings; no overdraft at any point; one effect per source; the
processor's captures = what was credited; what was acknowledged is there; nothing posted is ever changed; every change
was told, nothing else was.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

from tests.hammer.acknowledged import Acknowledged
from tests.hammer.books import Row, message_of, read_charges, read_successes

Tables = dict[str, list[Row]]
OPEN = ("PROCESSING", "REQUIRES_ACTION")


def differences(tables: Tables, processor_file: Path) -> list[str]:
    """Return everything that is wrong with the rows as they stand, in words; nothing is the only good answer."""
    return [
        *_sums(tables),
        *_history(tables),
        *_sources(tables),
        *_events(tables),
        *_payments(tables, processor_file),
    ]


def _sums(tables: Tables) -> list[str]:
    """I1, I2: every account is summed from its legs, every balance compared with its account and its holds."""
    sums: Counter[str] = Counter()
    for leg in tables["legs"]:
        sums[leg["credit_id"]] += leg["amount"]
        sums[leg["debit_id"]] -= leg["amount"]
    found = [f"I1: all accounts sum to {sum(sums.values())}"] if sum(sums.values()) else []
    holds: Counter[tuple[str, str]] = Counter()
    for hold in tables["holds"]:
        if hold["state"] == "PENDING":
            holds[hold["balance_id"], hold["kind"]] += hold["amount"]
    of_balance: Counter[str] = Counter()
    for account in tables["ledger_accounts"]:
        if account["balance_id"]:
            of_balance[account["balance_id"]] += sums[account["id"]]
    for row in tables["balances"]:
        stands = (row["posted"], row["held"], row["incoming"])
        summed = (of_balance[row["id"]], holds[row["id"], "CALL"], holds[row["id"], "PAYMENT"])
        if stands != summed:
            found.append(f"I2: balance {row['id']} stands at {stands}, its postings and holds at {summed}")
    return found


def _history(tables: Tables) -> list[str]:
    """I3: each balance is played again, entry by entry, and told state by told state."""
    found = []
    entries: dict[str, list[Row]] = defaultdict(list)
    for entry in tables["journal_entries"]:
        if entry["balance_id"]:
            entries[entry["balance_id"]].append(entry)
    for balance, rows in entries.items():
        stands = 0
        for number, entry in enumerate(sorted(rows, key=lambda row: row["sequence"]), start=1):
            stands += entry["amount"]
            if entry["sequence"] != number or entry["balance_after"] != stands or stands < 0:
                found.append(f"I3: balance {balance} at {number}: {entry}, the sum is {stands}")
    for told in map(message_of, tables["outbox_events"]):
        state = told.get("balance")
        if state and not 0 <= state["held"] <= state["posted"]:
            found.append(f"I3: a balance was told as held {state['held']} of {state['posted']}: {state}")
    return found


def _sources(tables: Tables) -> list[str]:
    """I4: every payment and call has one entry, and a call's entry is what it costs."""
    found = []
    for name, table, column in (
        ("source", "journal_entries", "source_key"),
        ("call", "calls", "call_id"),
        ("quote", "payments", "quote_id"),
        ("hold", "holds", "subject"),
    ):
        twice = [key for key, times in Counter(row[column] for row in tables[table]).items() if times > 1]
        found += [f"I4: {name} {key} is there several times" for key in twice if key is not None]
    legs: Counter[str] = Counter()
    for leg in tables["legs"]:
        legs[leg["entry_id"]] += leg["amount"]
    of_call: dict[str, list[Row]] = defaultdict(list)
    for entry in tables["journal_entries"]:
        if entry["source_key"].startswith("call:"):
            of_call[entry["call_id"]].append(entry)
    left = _left_after(tables)
    for call in tables["calls"]:
        posted = of_call.pop(call["id"], [])
        charged = sum(-(entry["amount"] or 0) for entry in posted)
        if charged != (call["cost"] or 0):
            found.append(f"I4: call {call['call_id']} costs {call['cost']}, its entries say {charged}")
        for entry in posted:
            if legs[entry["id"]] > charged > 0 and left[entry["id"]] != 0:
                found.append(f"I4: call {call['call_id']} was written off with {left[entry['id']]} cents left")
    return found + [f"I4: an entry is of no call: {rows}" for rows in of_call.values()]


def _left_after(tables: Tables) -> dict[str, int]:
    """Return what was available right after each entry, as its event told."""
    told = (message_of(event) for event in tables["outbox_events"])
    return {m["entry"]["id"]: m["balance"]["posted"] - m["balance"]["held"] for m in told if m.get("entry")}


def _events(tables: Tables) -> list[str]:
    """I9: events are numbered without gaps, tell each revision and each entry once, and are all published."""
    found = []
    numbers: dict[str, list[int]] = defaultdict(list)
    revisions: dict[str, list[int]] = defaultdict(list)
    entries: Counter[str] = Counter()
    for event in tables["outbox_events"]:
        numbers[event["account_id"]].append(event["number"])
        told = message_of(event)
        if told.get("balance"):
            revisions[told["balance"]["id"]].append(told["balance"]["revision"])
        if told.get("entry"):
            entries[told["entry"]["id"]] += 1
    for account in tables["accounts"]:
        if sorted(numbers[account["id"]]) != list(range(1, account["event_number"] + 1)):
            found.append(f"I9: account {account['id']} has gaps among {account['event_number']} events")
    for balance in tables["balances"]:
        if sorted(revisions[balance["id"]]) != list(range(balance["revision"] + 1)):
            found.append(f"I9: balance {balance['id']} was not told at each of {balance['revision']} revisions")
    moved = Counter(entry["id"] for entry in tables["journal_entries"] if entry["balance_id"])
    if moved != entries:
        found.append(f"I9: entries and events differ: {(moved - entries) + (entries - moved)}")
    silent = [event["id"] for event in tables["outbox_events"] if event["published_at"] is None]
    return found + ([f"I9: {len(silent)} events were never published"] if silent else [])


def _payments(tables: Tables, processor_file: Path) -> list[str]:
    """I5: the processor and the ledger agree charge by charge, and nothing is left in between."""
    found = []
    funded = {e["payment_id"]: e["amount"] for e in tables["journal_entries"] if e["kind"] == "FUNDING"}
    charges = {charge["key"]: charge for charge in read_charges(processor_file)}
    for payment in tables["payments"]:
        charge = charges.pop(payment["id"], None)
        captured = charge["amount_cents"] if charge and charge["status"] == "SUCCEEDED" else 0
        if payment["status"] in OPEN:
            found.append(f"I5: payment {payment['id']} is still {payment['status']}")
        if captured != funded.get(payment["id"], 0):
            found.append(f"I5: {captured} captured for payment {payment['id']}, {funded.get(payment['id'])} credited")
    captured = sum(c["amount_cents"] for c in read_charges(processor_file) if c["status"] == "SUCCEEDED")
    if captured != sum(funded.values()):
        found.append(f"I5: {captured} captured in all, {sum(funded.values())} credited")
    found += [f"I5: the processor charged what nobody knows of: {charge}" for charge in charges.values()]
    twice = [charge for charge, times in Counter(read_successes(processor_file)).items() if times > 1]
    return found + [f"I5: charge {charge} succeeded several times" for charge in twice]


def broken_promises(tables: Tables, told: Acknowledged) -> list[str]:
    """I4, I7: what was answered is in the books, once, and what was refused left nothing behind."""
    found = list(told.contradictions)
    keys = {(row["scope"], row["key"]): row["result_id"] for row in tables["idempotency_keys"]}
    payments = {row["id"]: row for row in tables["payments"]}
    for payment in told.payments.values():
        found += payment.contradictions()
        row = payments.get(keys.get((str(payment.holder.account), payment.key), ""))
        if not payment.answers:
            found += [f"I7: key {payment.key} was refused, but made {row}"] if payment.refusals and row else []
        elif row is None or row["total"] != payment.cents or row["account_id"] != str(payment.holder.account):
            found.append(f"I7: key {payment.key} was answered {payment.answers[-1]}, the books have {row}")
        elif any(status in ("SUCCEEDED", "FAILED") and status != row["status"] for _, status in payment.answers):
            found.append(f"I7: key {payment.key} was answered {payment.answers}, but is {row['status']}")
    return found + _broken_calls(tables, told)


def _broken_calls(tables: Tables, told: Acknowledged) -> list[str]:
    found = []
    calls = {row["call_id"]: row for row in tables["calls"]}
    legs: Counter[str] = Counter()
    for leg in tables["legs"]:
        legs[leg["entry_id"]] += leg["amount"]
    priced = Counter(
        {e["call_id"]: legs[e["id"]] for e in tables["journal_entries"] if e["source_key"].startswith("call:")}
    )
    for call in told.calls.values():
        found += call.contradictions()
        row = calls.get(call.call_id)
        if not call.answers:
            continue
        dollars = call.answers[-1][2] or "0"
        if row is None or row["status"] != "ENDED" or row["cost"] != int(Decimal(dollars) * 100):
            found.append(f"I7: call {call.call_id} was answered {call.answers[-1]}, the books have {row}")
        elif priced[row["id"]] not in call.prices():
            found.append(f"I4: call {call.call_id} was priced {priced[row['id']]}, right is one of {call.prices()}")
    return found


class Permanence:
    """I8: what was once posted or ended is never changed or deleted; kept as hashes from check to check."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], str] = {}

    def differences(self, tables: Tables) -> list[str]:
        """Compare with all earlier rows, and keep the new ones."""
        now = {
            (table, row["id"]): hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()
            for table in ("journal_entries", "legs", "ledger_accounts", "holds")
            for row in tables[table]
            if row.get("state") != "PENDING"
        }
        changed = [key for key, value in self._seen.items() if now.get(key) != value]
        self._seen.update(now)
        return [f"I8: {table} {key} was changed" for table, key in changed]
