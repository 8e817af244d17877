"""Payments that partners and staff report: which channels, how printed numbers are read, and what bounds them."""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files

from api.domain.payments import PaymentChannel, PaymentPurpose
from api.domain.service_accounts import NUMBER_DIGITS, Product, check_digit

EXTERNAL_CHANNELS = frozenset({PaymentChannel.WESTERN_UNION, PaymentChannel.MONEYGRAM, PaymentChannel.MAIL})
PURPOSES = {
    Product.ADVANCE_CONNECT: PaymentPurpose.FUND_ADVANCE_CONNECT,
    Product.DIRECT_BILL: PaymentPurpose.PAY_INVOICE,
    Product.DEBIT: PaymentPurpose.FUND_DEBIT,
}
"""What money that comes for a product's printed number is for; the other products take none by number."""
REFERENCE_LENGTH_MAX = 80
NUMBER_LENGTH_MAX = 40
_BETWEEN = " -.\u00a0\u2010\u2011\u2013"


@dataclass(frozen=True, slots=True)
class ExternalLimits:
    """Amounts in cents; `clock_skew` is how far a partner's clock may be ahead."""

    amount_max: int
    clock_skew: timedelta
    paid_ago_max: timedelta
    adjustment_max: int


@cache
def external_limits() -> ExternalLimits:
    """Return the bounds that ship, read once from `data/external_payments.toml`."""
    data = tomllib.loads((files("api") / "data" / "external_payments.toml").read_text("utf-8"))
    external = data["external"]
    return ExternalLimits(
        external["amount_max"],
        timedelta(minutes=external["clock_skew_minutes"]),
        timedelta(days=external["paid_days_max"]),
        data["adjustments"]["amount_max"],
    )


def plain_number(written: str) -> str:
    """Return an account number as somebody wrote it, without spaces, dashes and points; as much of it as is kept.

    Nothing is refused for its number: what is none of ours waits for staff, who see what was written.
    """
    kept = "".join(character for character in written if character.isprintable() and character not in _BETWEEN)
    return kept[:NUMBER_LENGTH_MAX]


def plain_reference(written: str) -> str:
    """Return a control number as it is told from others: in capitals and common digits, without spaces, dashes and
    points, since a partner and staff write the same one differently; as it was written where nothing else is in it."""
    kept = "".join(character for character in unicodedata.normalize("NFKC", written) if character not in _BETWEEN)
    return kept.upper() or written


def is_printed_number(plain: str) -> bool:
    """Tell whether it can be one of ours: ten digits, the last one their check."""
    return len(plain) == NUMBER_DIGITS and plain.isascii() and plain.isdigit() and check_digit(plain[:-1]) == plain[-1]
