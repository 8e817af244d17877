"""What must come of money going in, being spent and going back, in plain Python: nothing of the service is used here.

Amounts are cents. One rate, ten cents a minute; no fees. A refund is expected by its method and amount; where it
stands follows from the time that has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RATE = 10
UNDER_WAY = frozenset({"CALCULATED", "SUBMITTED", "ISSUED"})


@dataclass(eq=False)
class Card:
    """A card; one that refuses takes no refund."""

    id: str
    refuses: bool
    payments: list[Payment] = field(default_factory=list)

    @property
    def is_disputed(self) -> bool:
        """Tell whether a bank took back a payment by it and has not lost."""
        return any(payment.disputed for payment in self.payments)


@dataclass(eq=False)
class Payment:
    """Money that came in: by a card, or by a partner (None). `left` is what is still to give back of it."""

    key: str
    card: Card | None
    amount: int
    left: int
    service: Wallet
    disputed: bool = False


@dataclass(eq=False)
class Dispute:
    """What a bank took back, and how much of that the holder's balance gave."""

    id: str
    payment: Payment
    amount: int
    from_balance: int


@dataclass(eq=False)
class Call:
    """A call that was authorised."""

    id: str
    hold: int
    began: datetime
    held_until: datetime
    recorded: bool = False


@dataclass(eq=False)
class Refund:
    """Money on its way back. `ends` is when it is over at the latest, `stays` until when it is not."""

    method: str
    amount: int
    stays: datetime
    ends: datetime
    final: str = "COMPLETED"
    held: bool = False

    def allows(self, status: str, now: datetime) -> bool:
        """Tell whether it may stand there by now."""
        if self.held or now >= self.ends:
            return status == self.final
        return status in UNDER_WAY or (status == self.final and now >= self.stays)


@dataclass(eq=False)
class Wallet:
    """An AdvanceConnect service."""

    id: str
    number: str
    phone: str
    posted: int = 0
    lost: int = 0
    written_off: int = 0
    status: str = "ACTIVE"
    calls: dict[str, Call] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    top_up: tuple[Card, int, int] | None = None
    armed: bool = False
    stopped: bool = False
    requested: datetime | None = None
    receipt: str = ""
    over: bool = False

    @property
    def held(self) -> int:
        """What calls hold."""
        return sum(call.hold for call in self.calls.values())

    def move(self, cents: int) -> None:
        """Post; a balance that reached its threshold may fall low anew."""
        self.posted += cents
        self.armed = self.armed or (self.top_up is not None and self.posted >= self.top_up[1])

    def pay(self, key: str, card: Card | None, cents: int) -> Payment:
        """Take a payment."""
        payment = Payment(key, card, cents, cents if card else 0, self)
        self.payments.append(payment)
        if card:
            card.payments.append(payment)
        self.move(cents)
        return payment

    def wants_top_up(self) -> int:
        """Return what AutoPay charges now, 0 for nothing; it is then not asked again before the balance recovers."""
        is_on = self.status == "ACTIVE" and self.top_up is not None and self.armed and not self.stopped
        if self.top_up is None or not is_on or self.posted >= self.top_up[1]:
            return 0
        if self.top_up[0].is_disputed:
            # It may be resumed, so that its card stays in use.
            self.stopped = True
            return 0
        self.armed = False
        return self.top_up[2]

    def authorize(self, call_id: str, now: datetime) -> int:
        """Hold for at most sixty minutes; return the seconds allowed."""
        if self.status != "ACTIVE" or self.posted - self.held < RATE:
            return 0
        minutes = min(60, (self.posted - self.held) // RATE)
        self.calls[call_id] = Call(call_id, minutes * RATE, now, now + DAY)
        return minutes * 60

    def record(self, call_id: str, seconds: int, now: datetime) -> int:
        """Charge a call, once; return its cost."""
        call = self.calls[call_id]
        cost = -(-seconds // 60) * RATE
        others = self.held - call.hold
        charged = max(0, min(cost, self.posted - others))
        if self.status == "CLOSED" or (self.requested and now > self.requested + DAY):
            charged = 0
        call.hold, call.recorded = 0, True
        if charged:
            self.move(-charged)
        self.lost += cost - charged
        return charged

    def close(self, now: datetime) -> None:
        """Begin to close: the way back is that of the last funding that no bank took back."""
        self.status, self.requested, self.top_up = "CLOSING", now, None

    def take_back(self, dispute_id: str, payment: Payment) -> Dispute:
        """Have a bank take back all that is left of a payment."""
        amount, payment.left, payment.disputed = payment.left, 0, True
        taken = amount if self.status != "CLOSED" else 0
        if taken:
            self.move(-taken)
        return Dispute(dispute_id, payment, amount, taken)

    def win(self, dispute: Dispute, now: datetime) -> None:
        """Have a dispute won: exactly what was taken comes back, and goes on to the holder of a closed service."""
        dispute.payment.left, dispute.payment.disputed = dispute.amount, False
        if not dispute.from_balance:
            return
        self.move(dispute.from_balance)
        if self.status == "CLOSED":
            recovered = min(self.posted, self.written_off)
            self.written_off -= recovered
            self.posted -= recovered
            self._fix(now, now)

    def hold(self, cents: int, now: datetime) -> None:
        """Have a check of this much come back."""
        refund = next(r for r in self.refunds if (r.method, r.amount) == ("CHECK", cents) and r.allows("ISSUED", now))
        refund.held, refund.final = True, "HELD"

    def pass_time(self, now: datetime) -> None:
        """Expire holds, and fix the amount of a closing whose day is over."""
        if self.requested and self.status == "CLOSING" and now >= self.requested + DAY:
            for call in self.calls.values():
                call.hold = 0
            self.status = "CLOSED"
            self._fix(self.requested + DAY, self.requested)
        for call in self.calls.values():
            if now >= call.held_until:
                call.hold = 0

    def _fix(self, at: datetime, asked: datetime) -> None:
        due, self.posted = self.posted, 0
        if due <= 0:
            self.written_off += -due
            self.refunds.append(Refund("", 0, at, at, "NOTHING_DUE"))
            return
        counted = [payment for payment in self.payments if not payment.disputed]
        rest, card = due, counted[-1].card if counted else None
        if card:
            for payment in reversed(card.payments):
                if not payment.disputed and payment.left > 0 and rest:
                    part = min(rest, payment.left)
                    rest -= part
                    payment.left -= 0 if card.refuses else part
        if card and rest < due:
            by_card = due - rest
            if card.refuses:
                self.refunds.append(Refund("CARD", by_card, at, at, "REROUTED"))
                self.refunds.append(check(by_card, at))
            else:
                self.refunds.append(Refund("CARD", by_card, at + 12 * HOUR, at + 9 * DAY))
        if rest:
            self.refunds.append(check(rest, asked))


def check(amount: int, asked: datetime) -> Refund:
    """Return a check that was asked for then."""
    return Refund("CHECK", amount, asked + 20 * DAY, asked + 22 * DAY)


def dollars(cents: int) -> str:
    """Return an amount as the API writes it."""
    return f"{cents // 100}.{cents % 100:02d}"


def cents_of(amount: Mapping[str, str]) -> int:
    """Return an amount of the API's in cents."""
    return round(float(amount["amount"]) * 100)
