"""Service accounts: the five products, their states, and the numbers printed for partners."""

from enum import Enum


class Product(Enum):
    """What a family can pay for."""

    ADVANCE_CONNECT = "ADVANCE_CONNECT"
    DIRECT_BILL = "DIRECT_BILL"
    DEBIT = "DEBIT"
    EMESSAGING = "EMESSAGING"
    VIDEO_CONNECT = "VIDEO_CONNECT"


class ServiceStatus(Enum):
    """Where a service account stands."""

    ACTIVE = "ACTIVE"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"


HAS_PHONES = frozenset({Product.ADVANCE_CONNECT, Product.DIRECT_BILL})
"""Products of calling: theirs are phones, and balances of money that their holder sees and watches."""

REFUNDABLE = frozenset({Product.ADVANCE_CONNECT, Product.DIRECT_BILL})
"""Deposits to a person in custody, stamps and video are not refundable (rule 25)."""

NUMBER_DIGITS = 10


def check_digit(digits: str) -> str:
    """Return the Luhn digit that makes a mistyped account number not be somebody else's."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def printed_number(random_digits: str) -> str:
    """Return an account number as printed on statements and given to partners: ten digits, the last one a check."""
    body = random_digits[: NUMBER_DIGITS - 1]
    return body + check_digit(body)
