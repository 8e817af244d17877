"""Money: whole US cents as `int` inside, `Decimal` dollars at the edge, never `float`."""

from __future__ import annotations

import re
from decimal import Decimal

# A leading zero, a bare point, an exponent, an underscore or a digit of another script all have readings that two
# parsers may disagree about, so an amount is written in one way only.
PLAIN_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,4})?")
_WHOLE_END = 10**12
_RATE_PLACES = 4


def plain_decimal(value: object) -> Decimal:
    """Read a decimal number that came from outside.

    Takes a string of at most 12 digits before the point and 4 after it ("-0.50"), or a whole number of at most
    12 digits. "-0" is read as zero. Raises ValueError for all else: floats and Decimals too, since what they hold
    need not be what was written.
    """
    if isinstance(value, str) and PLAIN_DECIMAL.fullmatch(value):
        number = Decimal(value)
        return number if number else number.copy_abs()
    if isinstance(value, int) and not isinstance(value, bool) and -_WHOLE_END < value < _WHOLE_END:
        return Decimal(value)
    raise ValueError("not a plain decimal number")


def _scaled(amount: Decimal, places: int) -> int:
    """Return `amount` in units of 10**-places, exactly; ValueError where it is written with more places."""
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or abs(amount) >= _WHOLE_END:
        raise ValueError("not an amount within range")
    if exponent < -places:
        raise ValueError(f"more than {places} decimal places")
    numerator, denominator = amount.as_integer_ratio()
    return numerator * int(10**places) // denominator


def cents_of(amount: Decimal) -> int:
    """Return dollars as cents; ValueError where `amount` is written with more than two places, even zeros."""
    return _scaled(amount, 2)


def dollars(cents: int) -> Decimal:
    """Return cents as dollars, always with two places."""
    whole, rest = divmod(abs(cents), 100)
    return Decimal(f"{'-' if cents < 0 else ''}{whole}.{rest:02d}")


def _ten_thousandths(rate_per_minute: Decimal) -> int:
    rate = _scaled(rate_per_minute, _RATE_PLACES)
    if rate < 0:
        raise ValueError("a rate is not negative")
    return rate


def call_cost_cents(rate_per_minute: Decimal, duration_seconds: int) -> int:
    """Return the price of a call: each started minute counts, rounded once to the cent, half up (rule 13).

    The rate is in dollars with up to four places. Raises ValueError for a negative rate or duration.
    """
    if duration_seconds < 0:
        raise ValueError("a duration is not negative")
    started_minutes = -(-duration_seconds // 60)
    return (_ten_thousandths(rate_per_minute) * started_minutes + 50) // 100


def affordable_seconds(rate_per_minute: Decimal, amount_cents: int, minutes_max: int) -> int:
    """Return for how long `amount_cents` pays, in whole minutes but given in seconds, at most `minutes_max` (rule 13).

    What is returned never costs more than the amount, and one minute more would (or the cap is reached). The
    rounding of `call_cost_cents` is the caller's to gain: what rounds down to the amount is still affordable.
    A free call lasts until the cap, whatever the amount; else an amount below zero pays for nothing.
    """
    rate = _ten_thousandths(rate_per_minute)
    if rate == 0:
        return minutes_max * 60
    if amount_cents < 0:
        return 0
    # The largest m for which (rate * m + 50) // 100 <= amount.
    return min((amount_cents * 100 + 49) // rate, minutes_max) * 60


def hold_cents(rate_per_minute: Decimal, available_cents: int, minutes: int) -> int:
    """Return what to hold for a call: the price of `minutes`, at most what is available, never negative (rule 13)."""
    return min(call_cost_cents(rate_per_minute, minutes * 60), max(available_cents, 0))


def format_money(cents: int, locale: str) -> str:
    """Return dollars for people to read: "$1,234.50", "-$5.00".

    `locale` changes nothing yet: Spanish as written in the United States groups and points as English does
    (CLDR, es-US). Callers pass it all the same, so that a third language is a change in one place.
    """
    return f"{'-' if cents < 0 else ''}${dollars(abs(cents)):,.2f}"
