"""The ledger's law: which accounts there are, which transfers are allowed, and what a balance shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Unit(Enum):
    """What an amount counts."""

    USD_CENT = "USD_CENT"
    STAMP = "STAMP"


class LedgerKind(Enum):
    """Kinds of ledger accounts (see docs/decisions/0002-ledger.md for who has one)."""

    PREPAID = "PREPAID"
    UNBILLED = "UNBILLED"
    BILLED = "BILLED"
    STAMPS = "STAMPS"
    DEBIT_FUNDS = "DEBIT_FUNDS"
    REFUNDS_IN_TRANSIT = "REFUNDS_IN_TRANSIT"
    CHECKS_OUTSTANDING = "CHECKS_OUTSTANDING"
    HELD_FUNDS = "HELD_FUNDS"
    UNAPPLIED_RECEIPTS = "UNAPPLIED_RECEIPTS"
    PROCESSOR_CLEARING = "PROCESSOR_CLEARING"
    PARTNER_CLEARING = "PARTNER_CLEARING"
    BANK = "BANK"
    CALL_REVENUE = "CALL_REVENUE"
    PLAN_REVENUE = "PLAN_REVENUE"
    VIDEO_REVENUE = "VIDEO_REVENUE"
    STAMP_REVENUE = "STAMP_REVENUE"
    FEE_REVENUE = "FEE_REVENUE"
    TAX_PAYABLE = "TAX_PAYABLE"
    GOODWILL_EXPENSE = "GOODWILL_EXPENSE"
    BAD_DEBT_EXPENSE = "BAD_DEBT_EXPENSE"
    CHARGEBACK_LOSS = "CHARGEBACK_LOSS"
    STAMPS_ISSUED = "STAMPS_ISSUED"


DEBIT_NORMAL_BALANCES = frozenset({LedgerKind.UNBILLED, LedgerKind.BILLED})
"""Accounts with a balance row that a debit makes larger: what is owed to the operator."""


class TransactionKind(Enum):
    """What an entry is called in the holder's list."""

    FUNDING = "FUNDING"
    CALL_CHARGE = "CALL_CHARGE"
    CREDIT = "CREDIT"
    ADJUSTMENT = "ADJUSTMENT"
    WRITE_OFF = "WRITE_OFF"
    REFUND = "REFUND"
    REFUND_REVERSAL = "REFUND_REVERSAL"
    CHARGEBACK = "CHARGEBACK"
    TRANSFER_TO_HELD_FUNDS = "TRANSFER_TO_HELD_FUNDS"
    INVOICE_PAYMENT = "INVOICE_PAYMENT"


class UpdateCause(Enum):
    """Why a balance is told again to those who watch it."""

    SNAPSHOT = "SNAPSHOT"
    CALL_STARTED = "CALL_STARTED"
    CALL_CHARGED = "CALL_CHARGED"
    CALL_RELEASED = "CALL_RELEASED"
    PAYMENT_PENDING = "PAYMENT_PENDING"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    FUNDED = "FUNDED"
    AUTOPAY = "AUTOPAY"
    TEXTPAY = "TEXTPAY"
    INVOICE_PAYMENT = "INVOICE_PAYMENT"
    REFUND = "REFUND"
    ADJUSTMENT = "ADJUSTMENT"
    CHARGEBACK = "CHARGEBACK"
    CLOSURE = "CLOSURE"


class HoldKind(Enum):
    """What a hold is for: a call under way takes from `available`, a payment under way shows as `incoming`."""

    CALL = "CALL"
    PAYMENT = "PAYMENT"


class HoldState(Enum):
    """A hold ends exactly once."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


class CallStatus(Enum):
    """Where a call stands."""

    IN_PROGRESS = "IN_PROGRESS"
    ENDED = "ENDED"
    REFUSED = "REFUSED"


K = LedgerKind
ALLOWED_TRANSFERS: frozenset[tuple[LedgerKind, LedgerKind]] = frozenset(
    {
        # Cards, AutoPay and TextPay; what a plan or visit costs is earned at once.
        (K.PROCESSOR_CLEARING, K.PREPAID),
        (K.PROCESSOR_CLEARING, K.BILLED),
        (K.PROCESSOR_CLEARING, K.DEBIT_FUNDS),
        (K.PROCESSOR_CLEARING, K.STAMP_REVENUE),
        (K.PROCESSOR_CLEARING, K.PLAN_REVENUE),
        (K.PROCESSOR_CLEARING, K.VIDEO_REVENUE),
        (K.PROCESSOR_CLEARING, K.FEE_REVENUE),
        (K.PROCESSOR_CLEARING, K.TAX_PAYABLE),
        (K.STAMPS_ISSUED, K.STAMPS),
        # Western Union, MoneyGram and mail, and what staff make of it when it found no account.
        (K.PARTNER_CLEARING, K.PREPAID),
        (K.PARTNER_CLEARING, K.BILLED),
        (K.PARTNER_CLEARING, K.DEBIT_FUNDS),
        (K.PARTNER_CLEARING, K.UNAPPLIED_RECEIPTS),
        (K.UNAPPLIED_RECEIPTS, K.PREPAID),
        (K.UNAPPLIED_RECEIPTS, K.BILLED),
        (K.UNAPPLIED_RECEIPTS, K.DEBIT_FUNDS),
        # Calls and invoices.
        (K.PREPAID, K.CALL_REVENUE),
        (K.UNBILLED, K.CALL_REVENUE),
        (K.BAD_DEBT_EXPENSE, K.CALL_REVENUE),
        (K.BILLED, K.UNBILLED),
        (K.UNBILLED, K.BILLED),
        # Credits and corrections by staff.
        (K.GOODWILL_EXPENSE, K.PREPAID),
        (K.GOODWILL_EXPENSE, K.UNBILLED),
        (K.CALL_REVENUE, K.PREPAID),
        (K.CALL_REVENUE, K.UNBILLED),
        (K.PREPAID, K.GOODWILL_EXPENSE),
        (K.UNBILLED, K.GOODWILL_EXPENSE),
        # Refunds, by way of where the money stands meanwhile, and what becomes of it.
        (K.PREPAID, K.REFUNDS_IN_TRANSIT),
        (K.BILLED, K.REFUNDS_IN_TRANSIT),
        (K.UNAPPLIED_RECEIPTS, K.REFUNDS_IN_TRANSIT),
        (K.REFUNDS_IN_TRANSIT, K.PROCESSOR_CLEARING),
        (K.PROCESSOR_CLEARING, K.REFUNDS_IN_TRANSIT),
        (K.REFUNDS_IN_TRANSIT, K.REFUNDS_IN_TRANSIT),
        (K.REFUNDS_IN_TRANSIT, K.CHECKS_OUTSTANDING),
        (K.CHECKS_OUTSTANDING, K.BANK),
        (K.CHECKS_OUTSTANDING, K.HELD_FUNDS),
        (K.REFUNDS_IN_TRANSIT, K.HELD_FUNDS),
        (K.HELD_FUNDS, K.REFUNDS_IN_TRANSIT),
        (K.HELD_FUNDS, K.BANK),
        # A refund that failed when the service was open again.
        (K.REFUNDS_IN_TRANSIT, K.PREPAID),
        (K.CHECKS_OUTSTANDING, K.PREPAID),
        (K.BAD_DEBT_EXPENSE, K.PREPAID),
        (K.BAD_DEBT_EXPENSE, K.BILLED),
        # What was written off and was recovered after all, by a chargeback that was won.
        (K.PREPAID, K.BAD_DEBT_EXPENSE),
        (K.BILLED, K.BAD_DEBT_EXPENSE),
        (K.STAMPS, K.STAMPS_ISSUED),
        # Chargebacks, and their reverse when they are won.
        (K.PREPAID, K.PROCESSOR_CLEARING),
        (K.BILLED, K.PROCESSOR_CLEARING),
        (K.CHARGEBACK_LOSS, K.PROCESSOR_CLEARING),
        (K.PROCESSOR_CLEARING, K.CHARGEBACK_LOSS),
        # One that is won after closing covers what was written off.
        (K.PREPAID, K.BAD_DEBT_EXPENSE),
    }
)
"""(debit, credit) pairs that somebody posts today; a pair that is not here is refused as a bug."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One transfer of an entry: `amount` > 0 leaves by `debit` and arrives at `credit`, so every entry sums to zero."""

    debit: tuple[LedgerKind, str]
    credit: tuple[LedgerKind, str]
    amount: int
    unit: Unit = Unit.USD_CENT

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError("a leg moves a positive amount")
        if (self.debit[0], self.credit[0]) not in ALLOWED_TRANSFERS:
            raise ValueError(f"no rule lets {self.debit[0].value} pay {self.credit[0].value}")

    def effect_on(self, account: tuple[LedgerKind, str]) -> int:
        """Return by how much the leg makes the balance of `account` larger (negative: smaller)."""
        sign = -1 if account[0] in DEBIT_NORMAL_BALANCES else 1
        return sign * ((self.amount if self.credit == account else 0) - (self.amount if self.debit == account else 0))


def available_cents(posted: int, held: int, *, owes: bool = False, credit_limit: int = 0) -> int:
    """Return what a call can use now. Prepaid: posted - held; Direct Bill (`owes`): credit limit - posted - held."""
    return credit_limit - posted - held if owes else posted - held


def charge_split(cost: int, posted: int, held: int, own_hold: int) -> tuple[int, int]:
    """Return what of a call's cost is charged and what is written off, in cents (rule 13).

    A charge takes its own hold, then what is available; other calls' holds stay whole, and nothing goes below zero.
    """
    charged = max(0, min(cost, posted - (held - own_hold)))
    return charged, cost - charged
