"""Fees and taxes: each line is rounded once, half up, and what comes to nothing has none (rule 14)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.charge_lines import ChargeRule, Line, LineKind, lines_of, principal_of, total_of
from api.domain.incarcerated_people import name_key, number_key
from api.domain.payment_data import payment_limits, spending_caps
from api.domain.payments import PaymentPurpose

LABEL = {"en": "Fee", "es": "Cargo"}


@pytest.mark.rule("14")
@given(st.integers(1, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_share_is_rounded_half_up_once(principal: int, fixed: int, per_million: int) -> None:
    share = Fraction(principal * per_million, 1_000_000)

    charged = ChargeRule(LineKind.FEE, LABEL, fixed, per_million, None).amount_on(principal) - fixed

    assert charged - Fraction(1, 2) <= share < charged + Fraction(1, 2)


def test_a_fee_and_a_tax_come_after_the_principal_and_nothing_has_no_line() -> None:
    rules = [
        ChargeRule(LineKind.FEE, LABEL, 300, 0, None),
        ChargeRule(LineKind.FEE, LABEL, 0, 100, None),
        ChargeRule(LineKind.TAX, LABEL, 0, 82_500, "TX"),
    ]

    lines = lines_of(Line("payments.line_deposit", 2_500), rules)

    assert [(line.kind.value, line.amount, line.jurisdiction) for line in lines] == [
        ("PRINCIPAL", 2_500, None),
        ("FEE", 300, None),
        ("TAX", 206, "TX"),
    ]
    assert (principal_of(lines), total_of(lines)) == (2_500, 3_006)
    assert [Line.of(line.kept()) for line in lines] == lines


@pytest.mark.rule("14")
@pytest.mark.parametrize("purpose", [PaymentPurpose.FUND_ADVANCE_CONNECT, PaymentPurpose.FUND_DEBIT])
def test_a_deposit_of_fifty_dollars_is_always_possible(purpose: PaymentPurpose) -> None:
    smallest, largest = payment_limits().bounds_of(purpose)

    assert smallest <= 5_000 <= largest
    assert 5_000 <= spending_caps().per_day <= spending_caps().per_month


@pytest.mark.parametrize(
    "typed, key",
    [
        ("O'Neil", "oneil"), (" o’neil ", "oneil"), ("PEÑA", "pena"), ("De La Cruz-Ruiz", "delacruzruiz"), ("ß", "ss"),
        ("1 2", ""),
    ],
)  # fmt: skip
def test_a_last_name_is_compared_by_its_letters(typed: str, key: str) -> None:
    assert name_key(typed) == key


@pytest.mark.parametrize("typed, key", [(" nm-20418 ", "NM20418"), ("A 100", "A100"), ("--", "")])
def test_a_number_is_compared_without_spaces_and_hyphens(typed: str, key: str) -> None:
    assert number_key(typed) == key
