"""The ledger: the only place that moves money. Whoever calls it holds the balance's lock for the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid
from api.domain.ledger import LedgerKind, Leg, TransactionKind, UpdateCause, available_cents
from api.domain.service_accounts import HAS_PHONES, Product
from api.services.due_work import enqueue
from api.services.outbox import tell

OPERATOR = "operator"
"""Key of the ledger accounts that the operator has one of."""

LOW_BALANCE = "low_balance"
"""Kind of the work that looks at a low balance, see low_balances."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that moved a balance: the holder's transaction. Amounts in cents, signed as the holder sees them."""

    id: UUID
    kind: TransactionKind
    sequence: int
    amount: int
    balance_after: int
    occurred_at: datetime
    posted_at: datetime
    call_id: UUID | None = None
    payment_id: UUID | None = None
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance row as it stands; amounts in cents. Changed copies are written back by `save`."""

    id: UUID
    service_account_id: UUID
    account_id: UUID
    product: Product
    posted: int
    held: int
    incoming: int
    credit_limit: int
    low_below: int | None
    may_be_negative: bool
    revision: int
    sequence: int
    changed_at: datetime
    unbilled: int = 0

    @property
    def available(self) -> int:
        """What a call can use now, in cents; may be negative after a chargeback."""
        owes = self.product is Product.DIRECT_BILL
        return available_cents(self.posted, self.held, owes=owes, credit_limit=self.credit_limit)

    @property
    def is_low(self) -> bool:
        """True when available plus call holds is below the holder's threshold; without one nothing is low (rule 16)."""
        return self.low_below is not None and self.available + self.held < self.low_below

    @staticmethod
    def of(row: Row) -> Balance:
        """Read a row of `balances`."""
        return Balance(
            id=read_uuid(row["id"]),
            service_account_id=read_uuid(row["service_account_id"]),
            account_id=read_uuid(row["account_id"]),
            product=Product(row["product"]),
            posted=row["posted"],
            held=row["held"],
            incoming=row["incoming"],
            credit_limit=row["credit_limit"],
            low_below=row["low_below"],
            may_be_negative=bool(row["may_be_negative"]),
            revision=row["revision"],
            sequence=row["sequence"],
            changed_at=read_time(row["changed_at"]),
            unbilled=row.get("unbilled", 0),
        )


async def lock_balance(service_account_id: UUID) -> Balance | None:
    """Lock a service's balance until the transaction ends. Take it first of all locks, several in order of their id."""
    row = await fetch_one("select * from balances where service_account_id = $1 for update", service_account_id)
    return Balance.of(row) if row else None


async def post(
    source_key: str,
    legs: Sequence[Leg],
    *,
    now: datetime,
    occurred_at: datetime,
    balance: Balance | None = None,
    own: tuple[LedgerKind, str] | None = None,
    kind: TransactionKind | None = None,
    call_id: UUID | None = None,
    payment_id: UUID | None = None,
) -> tuple[Balance | None, Entry | None]:
    """Write an entry and its legs; return the balance as it now is, not yet saved, and the holder's transaction.

    `source_key` is unique: a second entry of one source fails on the database's constraint. `own` is the ledger
    account behind `balance`; without it the entry concerns no holder. Call `save` with the result.
    """
    entry_id = uuid7()
    entry: Entry | None = None
    if balance is not None and own is not None and kind is not None:
        effect = sum(leg.effect_on(own) for leg in legs)
        effect_on_unbilled = effect if own[0] is LedgerKind.UNBILLED else 0
        balance = replace(
            balance,
            posted=balance.posted + effect,
            unbilled=balance.unbilled + effect_on_unbilled,
            sequence=balance.sequence + 1,
        )
        entry = Entry(
            entry_id, kind, balance.sequence, effect, balance.posted, occurred_at, now, call_id, payment_id,
            refund_of(source_key),
        )  # fmt: skip
    await execute(
        "insert into journal_entries (id, source_key, kind, balance_id, sequence, amount, balance_after, call_id,"
        " payment_id, occurred_at, posted_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        entry_id, source_key, kind.value if kind and entry else None, balance.id if balance and entry else None,
        entry.sequence if entry else None, entry.amount if entry else None, entry.balance_after if entry else None,
        call_id, payment_id, occurred_at, now,
    )  # fmt: skip
    for leg in legs:
        if not await _write_leg(entry_id, leg):
            # The operator's accounts are opened by the first entry that needs them.
            for kind_of, key in (leg.debit, leg.credit):
                await open_ledger_account(kind_of, key, None, leg.unit.value)
            written = await _write_leg(entry_id, leg)
            assert written
    return balance, entry


def refund_of(source_key: str) -> UUID | None:
    """Return the refund that an entry belongs to, by its source; None for every other one."""
    kind, _, rest = source_key.partition(":")
    return UUID(rest.partition(":")[0]) if kind == "refund" else None


async def save(balance: Balance, now: datetime, cause: UpdateCause, entry: Entry | None = None) -> Balance:
    """Write a changed balance back with its next revision; tell its watchers why it changed, unless it is of stamps."""
    balance = replace(balance, revision=balance.revision + 1, changed_at=now)
    await execute(
        "update balances set posted = $1, held = $2, incoming = $3, revision = $4, sequence = $5, changed_at = $6,"
        " may_be_negative = $7, low_below = $8, unbilled = $9 where id = $10",
        balance.posted, balance.held, balance.incoming, balance.revision, balance.sequence, now,
        balance.may_be_negative, balance.low_below, balance.unbilled, balance.id,
    )  # fmt: skip
    if balance.product in HAS_PHONES:
        await tell(balance.account_id, "balance", balance_body(balance, cause, entry))
    if entry is not None and balance.is_low:
        # Each of the mechanisms has a threshold of its own, so what is low already may still cross another one.
        await enqueue(LOW_BALANCE, str(balance.service_account_id), now)
    return balance


def balance_body(balance: Balance, cause: UpdateCause, entry: Entry | None) -> dict[str, Any]:
    """Return the whole state of a balance as an event carries it, so that telling it reads nothing."""
    return {
        "balance": {
            "id": str(balance.id),
            "service_account_id": str(balance.service_account_id),
            "account_id": str(balance.account_id),
            "product": balance.product.value,
            "posted": balance.posted,
            "unbilled": balance.unbilled,
            "held": balance.held,
            "incoming": balance.incoming,
            "credit_limit": balance.credit_limit,
            "low_below": balance.low_below,
            "may_be_negative": balance.may_be_negative,
            "revision": balance.revision,
            "sequence": balance.sequence,
            "changed_at": balance.changed_at.isoformat(),
        },
        "cause": cause.value,
        "entry": entry and {
            "id": str(entry.id),
            "kind": entry.kind.value,
            "sequence": entry.sequence,
            "amount": entry.amount,
            "balance_after": entry.balance_after,
            "occurred_at": entry.occurred_at.isoformat(),
            "posted_at": entry.posted_at.isoformat(),
            "call_id": entry.call_id and str(entry.call_id),
            "payment_id": entry.payment_id and str(entry.payment_id),
            "refund_id": entry.refund_id and str(entry.refund_id),
        },
    }  # fmt: skip


async def open_ledger_account(kind: LedgerKind, key: str, balance_id: UUID | None, unit: str) -> None:
    """Add an account to the books within the transaction under way; a repeat changes nothing."""
    await execute(
        "insert into ledger_accounts (id, kind, key, unit, balance_id) values ($1, $2, $3, $4, $5)"
        " on conflict (kind, key) do nothing",
        uuid7(), kind.value, key, unit, balance_id,
    )  # fmt: skip


async def _write_leg(entry_id: UUID, leg: Leg) -> int:
    """Write a leg; return 0 when one of its ledger accounts is not open yet. Finding them in it saves two waits."""
    return await execute(
        "insert into legs (id, entry_id, debit_id, credit_id, amount, unit)"
        " select $1, $2, d.id, c.id, $3, $4 from ledger_accounts d, ledger_accounts c"
        " where d.kind = $5 and d.key = $6 and c.kind = $7 and c.key = $8",
        uuid7(), entry_id, leg.amount, leg.unit.value, leg.debit[0].value, leg.debit[1], leg.credit[0].value,
        leg.credit[1],
    )  # fmt: skip
