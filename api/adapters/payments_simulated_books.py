"""The simulated processor's own books: one SQLite file, written in short transactions.

The file is shared by processes and may lose any of them at any point: what was committed stays, what was not leaves
no trace. Nothing here waits for anything but the file's lock.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from api.adapters.payments import Card, CardRefused, Charge, ChargeStatus, ProcessorConflict
from api.domain.payments import DeclineReason

ChargeBehaviour = Literal["ok", "decline", "timeout", "timeout_charged"]
RefundBehaviour = Literal["ok", "refuse"]

LOCK_WAIT_SECONDS = 10.0

TABLES = (
    "CREATE TABLE IF NOT EXISTS customers (reference TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS cards (id TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customers (reference),"
    " token TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS charges (sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,"
    " id TEXT NOT NULL UNIQUE, card TEXT NOT NULL REFERENCES cards (id),"
    " amount_cents INTEGER NOT NULL CHECK (amount_cents > 0), status TEXT NOT NULL, decline_reason TEXT,"
    " return_url TEXT, at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS abandoned (key TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS behaviour (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " next TEXT NOT NULL, refund TEXT NOT NULL)",
    "INSERT INTO behaviour (one, next, refund) VALUES (1, 'ok', 'ok') ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS log (sequence INTEGER PRIMARY KEY AUTOINCREMENT, act TEXT NOT NULL,"
    " subject TEXT NOT NULL, amount_cents INTEGER NOT NULL)",
    "CREATE TRIGGER IF NOT EXISTS log_is_not_changed BEFORE UPDATE ON log"
    " BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS log_is_not_shortened BEFORE DELETE ON log"
    " BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END",
)


class Verdict(NamedTuple):
    """What becomes of an order."""

    status: ChargeStatus
    reason: DeclineReason | None = None


SUCCEEDS = Verdict(ChargeStatus.SUCCEEDED)
WAITS = Verdict(ChargeStatus.REQUIRES_ACTION)
DECLINES = Verdict(ChargeStatus.DECLINED, DeclineReason.DO_NOT_HONOR)
EXPIRED = Verdict(ChargeStatus.DECLINED, DeclineReason.CARD_EXPIRED)
NOT_AUTHENTICATED = Verdict(ChargeStatus.DECLINED, DeclineReason.AUTHENTICATION_REQUIRED)


class Sample(NamedTuple):
    """The card that a sandbox token stands for, and what becomes of its charges while it has not expired."""

    brand: str
    last4: str
    expiry_month: int
    expiry_year: int
    verdict: Verdict


# The tokens are part of the sandbox's contract. The far expiry leaves room for a clock that is moved by years.
SAMPLES = {
    "tok_visa": Sample("Visa", "4242", 12, 2049, SUCCEEDS),
    "tok_mastercard": Sample("Mastercard", "4444", 12, 2049, SUCCEEDS),
    "tok_declined": Sample("Visa", "0002", 12, 2049, DECLINES),
    "tok_expired": Sample("Visa", "0069", 1, 2020, SUCCEEDS),
    "tok_3ds": Sample("Visa", "3220", 12, 2049, WAITS),
    "tok_refund_refused": Sample("Visa", "5126", 12, 2049, SUCCEEDS),
}


class Behaviour(NamedTuple):
    """How the processor acts from now on."""

    next: ChargeBehaviour
    refund: RefundBehaviour


class LogEntry(NamedTuple):
    """One thing that was done: ATTACHED to a card, BEHAVIOUR_SET to words, a ChargeStatus to a charge, by its id,
    ABANDONED to a key."""

    sequence: int
    act: str
    subject: str
    amount_cents: int


class Order(NamedTuple):
    """A charge as it was asked for."""

    key: str
    customer: str
    card: str
    amount_cents: int
    return_url: str | None
    at: datetime


class Books:
    """Read and write the file over one connection, to be used from one thread."""

    def __init__(self, path: Path, public_url: str) -> None:
        """Open the file, made where there is none. Raises sqlite3.OperationalError where that cannot be."""
        self._public_url = public_url.rstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None)
        self._file.row_factory = sqlite3.Row
        self._file.execute("PRAGMA journal_mode = WAL")
        # What is committed survives a killed process; only a power failure could take the last moments of a sandbox.
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute("PRAGMA foreign_keys = ON")
        with self._writing():
            for statement in TABLES:
                self._file.execute(statement)

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

    def attach(self, token: str, customer: str) -> Card:
        """Keep a card for the customer; CardRefused where the token is unknown."""
        sample = SAMPLES.get(token)
        if sample is None:
            raise CardRefused(DeclineReason.OTHER)
        card_id = "card_" + secrets.token_urlsafe(18)
        with self._writing():
            self._file.execute("INSERT INTO customers (reference) VALUES (?) ON CONFLICT DO NOTHING", (customer,))
            self._file.execute("INSERT INTO cards (id, customer, token) VALUES (?, ?, ?)", (card_id, customer, token))
            self._note("ATTACHED", card_id)
        return Card(card_id, sample.brand, sample.last4, sample.expiry_month, sample.expiry_year)

    def charge(self, order: Order) -> Charge | None:
        """Charge once per key, in one transaction with the look at the behaviour; None: the answer is lost."""
        with self._writing():
            mode = self.behaviour().next
            if mode == "timeout" or self._is_abandoned(order.key):
                return None
            charge = self._known(order) or self._record(order, self._judge(order, declining=mode == "decline"))
            return None if mode == "timeout_charged" else charge

    def finish(self, charge_id: str, ok: bool) -> Charge | None:
        """End a charge that waits for its customer; any other is returned as it stands, None where there is none."""
        with self._writing():
            charge = self.by_id(charge_id)
            if charge is None or charge.status is not ChargeStatus.REQUIRES_ACTION:
                return charge
            verdict = SUCCEEDS if ok else NOT_AUTHENTICATED
            self._file.execute(
                "UPDATE charges SET status = ?, decline_reason = ? WHERE id = ?",
                (verdict.status.value, verdict.reason and verdict.reason.value, charge_id),
            )
            self._note(verdict.status.value, charge_id, charge.amount_cents)
            return self.by_id(charge_id)

    def by_key(self, key: str) -> Charge | None:
        """Return the charge of our key."""
        return self._one("SELECT * FROM charges WHERE key = ?", key)

    def abandon(self, key: str) -> Charge | None:
        """Return the charge of our key; where there is none, let none be made any more."""
        with self._writing():
            charge = self.by_key(key)
            if charge is None and not self._is_abandoned(key):
                self._file.execute("INSERT INTO abandoned (key) VALUES (?)", (key,))
                self._note("ABANDONED", key)
            return charge

    def by_id(self, charge_id: str) -> Charge | None:
        """Return the charge of the processor's reference."""
        return self._one("SELECT * FROM charges WHERE id = ?", charge_id)

    def return_url(self, charge_id: str) -> str | None:
        """Return the address that came with the order of a charge."""
        row = self._file.execute("SELECT return_url FROM charges WHERE id = ?", (charge_id,)).fetchone()
        return None if row is None else row["return_url"]

    def behaviour(self) -> Behaviour:
        """Return how charges and refunds go now."""
        return Behaviour(*self._file.execute("SELECT next, refund FROM behaviour").fetchone())

    def behave(self, next: ChargeBehaviour | None, refund: RefundBehaviour | None) -> Behaviour:
        """Set how charges and refunds go from now on; None leaves a part as it is."""
        with self._writing():
            self._file.execute(
                "UPDATE behaviour SET next = coalesce(?, next), refund = coalesce(?, refund)", (next, refund)
            )
            behaviour = self.behaviour()
            self._note("BEHAVIOUR_SET", f"{behaviour.next} {behaviour.refund}")
        return behaviour

    def captured_cents(self) -> int:
        """Return the sum of all charges that succeeded."""
        row = self._file.execute(
            "SELECT coalesce(sum(amount_cents), 0) FROM charges WHERE status = ?", (ChargeStatus.SUCCEEDED.value,)
        ).fetchone()
        return int(row[0])

    def charges(self) -> list[Charge]:
        """Return all charges in the order in which they were made."""
        return [self._charge_of(row) for row in self._file.execute("SELECT * FROM charges ORDER BY sequence")]

    def log(self) -> list[LogEntry]:
        """Return all that was done, in order."""
        rows = self._file.execute("SELECT sequence, act, subject, amount_cents FROM log ORDER BY sequence")
        return [LogEntry(*row) for row in rows]

    def _known(self, order: Order) -> Charge | None:
        row = self._file.execute(
            "SELECT charges.*, cards.customer FROM charges JOIN cards ON cards.id = charges.card WHERE key = ?",
            (order.key,),
        ).fetchone()
        if row is None:
            return None
        if (row["customer"], row["card"], row["amount_cents"]) != (order.customer, order.card, order.amount_cents):
            raise ProcessorConflict("the key stands for another charge")
        return self._charge_of(row)

    def _is_abandoned(self, key: str) -> bool:
        return self._file.execute("SELECT 1 FROM abandoned WHERE key = ?", (key,)).fetchone() is not None

    def _judge(self, order: Order, *, declining: bool) -> Verdict:
        row = self._file.execute(
            "SELECT token FROM cards WHERE id = ? AND customer = ?", (order.card, order.customer)
        ).fetchone()
        if row is None:
            raise CardRefused(DeclineReason.OTHER)
        sample = SAMPLES[row["token"]]
        # A card is good through the last day of its month.
        if (order.at.year, order.at.month) > (sample.expiry_year, sample.expiry_month):
            return EXPIRED
        return DECLINES if declining else sample.verdict

    def _record(self, order: Order, verdict: Verdict) -> Charge | None:
        charge_id = "ch_" + secrets.token_urlsafe(18)
        self._file.execute(
            "INSERT INTO charges (key, id, card, amount_cents, status, decline_reason, return_url, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                order.key,
                charge_id,
                order.card,
                order.amount_cents,
                verdict.status.value,
                verdict.reason and verdict.reason.value,
                order.return_url,
                order.at.isoformat(),
            ),
        )
        self._note(verdict.status.value, charge_id, order.amount_cents)
        return self.by_id(charge_id)

    def _note(self, act: str, subject: str, amount_cents: int = 0) -> None:
        self._file.execute(
            "INSERT INTO log (act, subject, amount_cents) VALUES (?, ?, ?)", (act, subject, amount_cents)
        )

    def _one(self, query: str, value: str) -> Charge | None:
        row = self._file.execute(query, (value,)).fetchone()
        return None if row is None else self._charge_of(row)

    def _charge_of(self, row: sqlite3.Row) -> Charge:
        status = ChargeStatus(row["status"])
        waiting = status is ChargeStatus.REQUIRES_ACTION
        return Charge(
            key=row["key"],
            id=row["id"],
            status=status,
            amount_cents=row["amount_cents"],
            decline_reason=None if row["decline_reason"] is None else DeclineReason(row["decline_reason"]),
            action_url=f"{self._public_url}/sandbox/3ds/{row['id']}" if waiting else None,
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # The lock is taken at once: a transaction that read first could not upgrade while another process writes.
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise
