"""The simulated processor's cards and charges."""

from __future__ import annotations

import secrets
import sqlite3
from datetime import datetime
from typing import NamedTuple

from api.adapters.payments import Card, CardRefused, Charge, ChargeStatus, ProcessorConflict, Subject
from api.adapters.payments_simulated_file import BooksFile
from api.domain.payments import DeclineReason


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


class Order(NamedTuple):
    """A charge as it was asked for."""

    key: str
    customer: str
    card: str
    amount_cents: int
    return_url: str | None
    at: datetime


class Books(BooksFile):
    """Keep cards and charge them."""

    def set_up(self, customer: str) -> str:
        """Return a secret for the processor's own form."""
        with self._writing():
            self._file.execute("INSERT INTO customers (reference) VALUES (?) ON CONFLICT DO NOTHING", (customer,))
            self._note("SET_UP", customer)
        return f"seti_{secrets.token_urlsafe(12)}_secret_{secrets.token_urlsafe(18)}"

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
            return self._end(self.by_id(charge_id), SUCCEEDS if ok else NOT_AUTHENTICATED)

    def cancel(self, key: str) -> Charge | None:
        """End the charge of our key if it waits for its customer; else return it as it stands."""
        with self._writing():
            return self._end(self.by_key(key), NOT_AUTHENTICATED)

    def _end(self, charge: Charge | None, verdict: Verdict) -> Charge | None:
        if charge is None or charge.status is not ChargeStatus.REQUIRES_ACTION:
            return charge
        self._file.execute(
            "UPDATE charges SET status = ?, decline_reason = ? WHERE id = ?",
            (verdict.status.value, verdict.reason and verdict.reason.value, charge.id),
        )
        self._note(verdict.status.value, charge.id, charge.amount_cents)
        self._tell(f"charge.{verdict.status.value.lower()}", Subject.CHARGE, charge.key)
        return self.by_id(charge.id)

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

    def captured_cents(self) -> int:
        """Return the sum of all charges that succeeded."""
        row = self._file.execute(
            "SELECT coalesce(sum(amount_cents), 0) FROM charges WHERE status = ?", (ChargeStatus.SUCCEEDED.value,)
        ).fetchone()
        return int(row[0])

    def charges(self) -> list[Charge]:
        """Return all charges in the order in which they were made."""
        return [self._charge_of(row) for row in self._file.execute("SELECT * FROM charges ORDER BY sequence")]

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
        self._tell(f"charge.{verdict.status.value.lower()}", Subject.CHARGE, order.key)
        return self.by_id(charge_id)

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
