"""The simulated processor's file: one SQLite file, written in short transactions, with its log and its outgoing calls.

The file is shared by processes and may lose any of them at any point: what was committed stays, what was not leaves
no trace. Nothing here waits for anything but the file's lock.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from api.adapters.payments import Subject

ChargeBehaviour = Literal["ok", "decline", "timeout", "timeout_charged"]
RefundBehaviour = Literal["ok", "refuse"]

LOCK_WAIT_SECONDS = 10.0
SENT_AGAIN_SECONDS = 5.0
SENDINGS_MAX = 8

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
    "CREATE TABLE IF NOT EXISTS refunds (sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,"
    " id TEXT NOT NULL UNIQUE, charge TEXT NOT NULL REFERENCES charges (id),"
    " amount_cents INTEGER NOT NULL CHECK (amount_cents > 0), status TEXT NOT NULL, at TEXT NOT NULL,"
    " confirms_at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS disputes (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " charge TEXT NOT NULL REFERENCES charges (id), amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),"
    " status TEXT NOT NULL, at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS webhook_secret (one INTEGER PRIMARY KEY CHECK (one = 1), secret TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS webhooks (sequence INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL,"
    " sendings INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, delivered INTEGER NOT NULL DEFAULT 0)",
    "CREATE INDEX IF NOT EXISTS webhooks_to_send ON webhooks (delivered, next_at)",
)


class Behaviour(NamedTuple):
    """How the processor acts from now on."""

    next: ChargeBehaviour
    refund: RefundBehaviour


class LogEntry(NamedTuple):
    """One thing that was done: SET_UP of a customer, ATTACHED to a card, BEHAVIOUR_SET to words, a ChargeStatus to a
    charge, by its id, ABANDONED to a key, REFUND_ and a RefundStatus to a refund, DISPUTE_ and a DisputeStatus to a
    chargeback."""

    sequence: int
    act: str
    subject: str
    amount_cents: int


class Webhook(NamedTuple):
    """A call that the processor makes, unsigned: it is signed anew each time it is sent."""

    sequence: int
    body: bytes
    delivered: bool


class BooksFile:
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
            self._file.execute(
                "INSERT INTO webhook_secret (one, secret) VALUES (1, ?) ON CONFLICT DO NOTHING",
                ("whsec_" + secrets.token_urlsafe(24),),
            )

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

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

    def log(self) -> list[LogEntry]:
        """Return all that was done, in order."""
        rows = self._file.execute("SELECT sequence, act, subject, amount_cents FROM log ORDER BY sequence")
        return [LogEntry(*row) for row in rows]

    def webhook_secret(self) -> str:
        """Return what webhooks are signed by; each file, so each merchant, has its own."""
        return str(self._file.execute("SELECT secret FROM webhook_secret").fetchone()[0])

    def webhooks(self) -> Sequence[Webhook]:
        """Return all that was ever to be sent, oldest first."""
        rows = self._file.execute("SELECT sequence, body, delivered FROM webhooks ORDER BY sequence")
        return [Webhook(row["sequence"], row["body"].encode(), bool(row["delivered"])) for row in rows]

    def take_webhooks(self, at_once: int) -> Sequence[Webhook]:
        """Claim what is to be sent now; it comes again some seconds later unless it was delivered, a few times."""
        query = (
            "SELECT sequence, body FROM webhooks WHERE delivered = 0 AND next_at <= ? AND sendings < ?"
            " ORDER BY sequence LIMIT ?"
        )
        due = (time.time(), SENDINGS_MAX, at_once)
        # Each second every process looks; only what is there is worth the lock that charges wait for.
        if self._file.execute(query, due).fetchone() is None:
            return []
        with self._writing():
            rows = self._file.execute(query, due).fetchall()
            for row in rows:
                self._file.execute(
                    "UPDATE webhooks SET sendings = sendings + 1, next_at = ? + ? * (1 << sendings) WHERE sequence = ?",
                    (due[0], SENT_AGAIN_SECONDS, row["sequence"]),
                )
        return [Webhook(row["sequence"], row["body"].encode(), False) for row in rows]

    def delivered(self, sequence: int) -> None:
        """Note that a webhook was taken, so that it is sent no more."""
        with self._writing():
            self._file.execute("UPDATE webhooks SET delivered = 1 WHERE sequence = ?", (sequence,))

    def _note(self, act: str, subject: str, amount_cents: int = 0) -> None:
        self._file.execute(
            "INSERT INTO log (act, subject, amount_cents) VALUES (?, ?, ?)", (act, subject, amount_cents)
        )

    def _tell(self, kind: str, subject: Subject, reference: str) -> None:
        """Queue a webhook within the transaction under way; it says that something changed, never how."""
        event = {
            "id": "evt_" + secrets.token_urlsafe(18),
            "type": kind,
            "subject": subject.value,
            "reference": reference,
        }
        self._file.execute(
            "INSERT INTO webhooks (body, next_at) VALUES (?, ?)", (json.dumps(event, sort_keys=True), time.time())
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
