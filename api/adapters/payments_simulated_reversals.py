"""What the simulated processor takes back of a charge: refunds, and chargebacks by the card's bank."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from api.adapters.business_days import is_business_day
from api.adapters.payments import (
    Charge,
    ChargeStatus,
    Dispute,
    DisputeStatus,
    Movement,
    MovementKind,
    ProcessorConflict,
    Refund,
    RefundStatus,
    Subject,
)
from api.adapters.payments_simulated_books import Books
from api.domain.days import day_of, start_of
from api.domain.refund_data import refund_data
from api.domain.refunds import add_business_days

REFUSING_TOKENS = ("tok_refund_refused",)


class Reversals(Books):
    """The whole books: cards and charges, and what was taken back of them."""

    def refund(self, key: str, charge_id: str, amount_cents: int, at: datetime) -> Refund:
        """Refund once per key; more than is left, an unknown charge, or a bank that does not take it is REFUSED."""
        with self._writing():
            known = self._refund_row(key)
            if known is not None:
                if (known["charge"], known["amount_cents"]) != (charge_id, amount_cents):
                    raise ProcessorConflict("the key stands for another refund")
                return self._confirmed(known, at)
            charge = self.by_id(charge_id)
            if charge is None:
                raise ProcessorConflict("there is no such charge")
            refuses = self.behaviour().refund == "refuse" or self._token_of(charge_id) in REFUSING_TOKENS
            status = RefundStatus.PENDING
            if refuses or charge.status is not ChargeStatus.SUCCEEDED or amount_cents > self.left_of(charge):
                status = RefundStatus.REFUSED
            refund_id = "re_" + secrets.token_urlsafe(18)
            self._file.execute(
                "INSERT INTO refunds (key, id, charge, amount_cents, status, at, confirms_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, refund_id, charge_id, amount_cents, status.value, at.isoformat(), _confirms_at(at).isoformat()),
            )  # fmt: skip
            self._note(f"REFUND_{status.value}", refund_id, amount_cents)
            self._tell(f"refund.{status.value.lower()}", Subject.REFUND, key)
            return Refund(key, refund_id, charge_id, status, amount_cents)

    def refund_by_key(self, key: str, at: datetime) -> Refund | None:
        """Return the refund of our key as it stands at a moment of product time."""
        with self._writing():
            row = self._refund_row(key)
            return self._confirmed(row, at) if row else None

    def left_of(self, charge: Charge) -> int:
        """Return what of a charge was neither refunded nor charged back."""
        (refunded,) = self._file.execute(
            "SELECT coalesce(sum(amount_cents), 0) FROM refunds WHERE charge = ? AND status <> 'REFUSED'", (charge.id,)
        ).fetchone()
        (disputed,) = self._file.execute(
            "SELECT coalesce(sum(amount_cents), 0) FROM disputes WHERE charge = ? AND status <> 'WON'", (charge.id,)
        ).fetchone()
        return charge.amount_cents - int(refunded) - int(disputed)

    def open_dispute(self, key: str, at: datetime, amount_cents: int | None) -> Dispute | None:
        """Have the bank take a charge back, all that is left or a part; None where there is nothing to take back.

        Each call is a chargeback of its own.
        """
        with self._writing():
            charge = self.by_key(key)
            if charge is None or charge.status is not ChargeStatus.SUCCEEDED:
                return None
            amount = self.left_of(charge) if amount_cents is None else amount_cents
            if not 0 < amount <= self.left_of(charge):
                return None
            dispute_id = "dp_" + secrets.token_urlsafe(18)
            self._file.execute(
                "INSERT INTO disputes (id, charge, amount_cents, status, at) VALUES (?, ?, ?, ?, ?)",
                (dispute_id, charge.id, amount, DisputeStatus.OPEN.value, at.isoformat()),
            )
            self._note("DISPUTE_OPEN", dispute_id, amount)
            self._tell("dispute.open", Subject.DISPUTE, dispute_id)
            return self.dispute(dispute_id)

    def end_dispute(self, dispute_id: str, status: DisputeStatus) -> Dispute | None:
        """End a chargeback; the first end counts. None where there is no such chargeback."""
        with self._writing():
            dispute = self.dispute(dispute_id)
            if dispute is None or dispute.status is not DisputeStatus.OPEN:
                return dispute
            self._file.execute("UPDATE disputes SET status = ? WHERE id = ?", (status.value, dispute_id))
            self._note(f"DISPUTE_{status.value}", dispute_id, dispute.amount_cents)
            self._tell(f"dispute.{status.value.lower()}", Subject.DISPUTE, dispute_id)
            return self.dispute(dispute_id)

    def dispute(self, dispute_id: str) -> Dispute | None:
        """Return a chargeback as it stands."""
        row = self._file.execute(
            "SELECT disputes.*, charges.key FROM disputes JOIN charges ON charges.id = disputes.charge"
            " WHERE disputes.id = ?",
            (dispute_id,),
        ).fetchone()
        return None if row is None else _dispute_of(row)

    def disputes_of(self, key: str) -> Sequence[Dispute]:
        """Return the chargebacks of a charge by our key, oldest first."""
        rows = self._file.execute(
            "SELECT disputes.*, charges.key FROM disputes JOIN charges ON charges.id = disputes.charge"
            " WHERE charges.key = ? ORDER BY disputes.sequence",
            (key,),
        )
        return [_dispute_of(row) for row in rows]

    def movements(self, since: datetime, until: datetime, at_most: int) -> Sequence[Movement]:
        """Return the money that moved within a time of product time."""
        span = (since.isoformat(), until.isoformat(), at_most)
        queries = (
            (MovementKind.CHARGE, 1, "SELECT key, amount_cents, at FROM charges WHERE status = 'SUCCEEDED'"),
            (MovementKind.REFUND, -1, "SELECT key, amount_cents, at FROM refunds WHERE status <> 'REFUSED'"),
            (MovementKind.DISPUTE, -1, "SELECT id, amount_cents, at FROM disputes WHERE status <> 'WON'"),
        )
        return [
            Movement(kind, key, sign * amount, datetime.fromisoformat(at))
            for kind, sign, query in queries
            for key, amount, at in self._file.execute(f"{query} AND at >= ? AND at < ? LIMIT ?", span)
        ]

    def _refund_row(self, key: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._file.execute("SELECT * FROM refunds WHERE key = ?", (key,)).fetchone()
        return row

    def _confirmed(self, row: sqlite3.Row, at: datetime) -> Refund:
        status = RefundStatus(row["status"])
        if status is RefundStatus.PENDING and datetime.fromisoformat(row["confirms_at"]) <= at:
            status = RefundStatus.SUCCEEDED
            self._file.execute("UPDATE refunds SET status = ? WHERE key = ?", (status.value, row["key"]))
            self._note("REFUND_SUCCEEDED", row["id"], row["amount_cents"])
            self._tell("refund.succeeded", Subject.REFUND, row["key"])
        return Refund(row["key"], row["id"], row["charge"], status, row["amount_cents"])

    def _token_of(self, charge_id: str) -> str:
        row = self._file.execute(
            "SELECT cards.token FROM charges JOIN cards ON cards.id = charges.card WHERE charges.id = ?", (charge_id,)
        ).fetchone()
        return str(row["token"])


def _confirms_at(at: datetime) -> datetime:
    """Return when a refund is confirmed, by product time; until then it is PENDING.

    That is as the last day of its promise begins. A refund is asked for on the day before its amount is fixed and it
    comes here, so the business days count from the day before this one.
    """
    most = refund_data().card_business_days[1]
    return start_of(add_business_days(day_of(at) - timedelta(days=1), most, is_business_day))


def _dispute_of(row: sqlite3.Row) -> Dispute:
    status, opened_at = DisputeStatus(row["status"]), datetime.fromisoformat(row["at"])
    return Dispute(row["id"], row["key"], row["amount_cents"], status, opened_at)
