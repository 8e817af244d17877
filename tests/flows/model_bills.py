"""What must come of Direct Bill, in plain Python: calls, months, invoices, the hold of a closing and its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tests.flows.model import DAY, RATE, Refund, check

LIMIT = 15_000
DUE_DAYS, WRITE_OFF_DAYS = 20, 180
HOLD_DAYS = (7, 10)
CENTRAL = ZoneInfo("America/Chicago")


@dataclass(eq=False)
class Invoice:
    """What was billed at once, and what is still due of it."""

    total: int
    due: int
    last_day: date
    status: str

    def settle(self, cents: int) -> int:
        """Take a payment; return what is left of it."""
        part = min(self.due, cents)
        self.due -= part
        self.status = self.status if self.due else "PAID"
        return cents - part


@dataclass(eq=False)
class Bill:
    """A Direct Bill service. `since` is when its phone was put on it last."""

    id: str
    number: str
    phone: str
    since: datetime
    unbilled: int = 0
    credit: int = 0
    lost: int = 0
    written_off: int = 0
    status: str = "ACTIVE"
    invoices: list[Invoice] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    reported: datetime | None = None
    requested: datetime | None = None
    written_off_on: date | None = None
    receipt: str = ""
    closure_id: str = ""
    over: bool = False
    held: int = 0

    @property
    def unpaid(self) -> list[Invoice]:
        """The invoices on which something is due, oldest first."""
        return [invoice for invoice in self.invoices if invoice.status in ("OPEN", "PAST_DUE")]

    @property
    def posted(self) -> int:
        """What is owed."""
        return self.unbilled + sum(invoice.due for invoice in self.invoices) - self.credit

    def call(self, seconds: int, now: datetime) -> int:
        """Charge a call within the credit limit; return its cost."""
        cost = -(-seconds // 60) * RATE
        charged = 0 if self.status == "CLOSED" else max(0, min(cost, LIMIT - self.posted))
        self.unbilled += charged
        self.lost += cost - charged
        self.reported = now
        return charged

    def pay(self, cents: int, now: datetime, first: Invoice | None = None) -> None:
        """Take a payment: the invoice named, then the oldest; what is left is a credit, given back where closed."""
        for invoice in [first] * (first is not None) + self.unpaid:
            cents = invoice.settle(cents)
        self.credit += cents
        if self.status == "CLOSED" and self.credit:
            self._give_back(now)

    def void(self, invoice: Invoice) -> None:
        """Void an invoice: what is due is unbilled again, or nobody's where no invoice follows."""
        if self.status == "CLOSED":
            self.written_off += invoice.due
        else:
            self.unbilled += invoice.due
        invoice.due, invoice.status = 0, "VOID"

    def close(self, now: datetime, receipt: str, closure_id: str) -> None:
        """Begin to close: held for late calls."""
        self.status, self.requested, self.receipt, self.closure_id = "CLOSING", now, receipt, closure_id

    def withdraw(self, now: datetime) -> None:
        """Take the closing back."""
        self.status, self.requested, self.since = "ACTIVE", None, now

    def pass_time(self, before: datetime, now: datetime) -> None:
        """Do what each Central midnight between two instants brings."""
        day = before.astimezone(CENTRAL).date()
        while day < now.astimezone(CENTRAL).date():
            day += DAY
            self._begin_day(day, datetime.combine(day, time(), CENTRAL))

    def _begin_day(self, day: date, at: datetime) -> None:
        for invoice in self.unpaid:
            if day > invoice.last_day:
                invoice.status = "PAST_DUE"
        if day == self.written_off_on:
            self.written_off += sum(invoice.due for invoice in self.unpaid)
            for invoice in self.unpaid:
                invoice.due, invoice.status = 0, "VOID"
        if day.day == 1 and self.status == "ACTIVE":
            self._issue(day)
        if self.status == "CLOSING" and self.requested is not None:
            waited = (day - self.requested.astimezone(CENTRAL).date()).days
            is_quiet = self.reported is None or self.reported <= at - DAY
            if waited >= HOLD_DAYS[1] or (waited >= HOLD_DAYS[0] and is_quiet):
                self._end_hold(day)

    def _issue(self, day: date) -> None:
        if self.unbilled <= 0:
            return
        invoice = Invoice(self.unbilled, self.unbilled, day + timedelta(days=DUE_DAYS), "OPEN")
        self.unbilled, self.credit = 0, invoice.settle(self.credit)
        self.invoices.append(invoice)

    def _end_hold(self, day: date) -> None:
        assert self.requested is not None
        self._issue(day)
        for invoice in self.unpaid:
            self.credit = invoice.settle(self.credit)
        self.status = "CLOSED"
        if self.credit:
            self._give_back(self.requested)
        if self.unpaid:
            last_day = max(invoice.last_day for invoice in self.unpaid)
            self.written_off_on = last_day + timedelta(days=1 + WRITE_OFF_DAYS)

    def _give_back(self, asked: datetime) -> None:
        self.refunds.append(check(self.credit, asked))
        self.credit = 0
