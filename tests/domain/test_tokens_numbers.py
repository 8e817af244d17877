"""Tokens and numbers: nobody can tell the next one from those before it, nor from whom it is for (rules 6, 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from api.adapters.secrets import Secrets
from api.auth.numbers import DIGITS, Number
from api.auth.tokens import new_token

COUNT = 4_000
CRITICAL = 33.72
"""Chi-square with nine degrees of freedom: a uniform digit passes it once in 10,000. The numbers here are fixed."""


def ports(key: str = "a key for tests only") -> Any:
    """Return what numbers are made with."""
    return SimpleNamespace(secrets=Secrets(key))


def numbers() -> list[str]:
    """Return the numbers of so many resets whose ids follow one another."""
    made_with = ports()
    return [Number("password-reset", (f"{n:08}",)).digits(made_with) for n in range(COUNT)]


def chi_square(digits: Iterable[int]) -> float:
    """Return how far the counts of ten digits are from being equal."""
    counts = Counter(digits)
    expected = sum(counts.values()) / 10
    return sum((counts[digit] - expected) ** 2 / expected for digit in range(10))


@pytest.mark.row("S23")
@pytest.mark.rule("6")
@pytest.mark.parametrize("place", range(DIGITS))
def test_each_digit_of_a_mailed_number_is_as_likely_as_any_other(place: int) -> None:
    assert chi_square(int(number[place]) for number in numbers()) < CRITICAL


@pytest.mark.row("S23")
@pytest.mark.rule("6")
@pytest.mark.parametrize("place", range(DIGITS))
def test_a_mailed_number_says_nothing_of_the_next_one(place: int) -> None:
    made = numbers()

    assert chi_square((int(b[place]) - int(a[place])) % 10 for a, b in pairwise(made)) < CRITICAL


@pytest.mark.row("S23")
@pytest.mark.rule("6")
def test_mailed_numbers_hardly_ever_repeat() -> None:
    # 4,000 of a hundred million: a twelfth of a pair is to be expected.
    assert len(set(numbers())) >= COUNT - 2


@pytest.mark.row("S23", "R9")
@pytest.mark.rule("6")
def test_a_number_depends_on_its_purpose_its_row_and_the_secret_key() -> None:
    made = {
        Number("password-reset", ("1",)).digits(ports()),
        Number("password-reset", ("2",)).digits(ports()),
        Number("closing", ("1",)).digits(ports()),
        Number("password-reset", ("1",)).digits(ports("another key for tests")),
    }

    assert len(made) == 4
    assert Number("password-reset", ("1",)).digits(ports()) in made


@pytest.mark.row("R17")
@pytest.mark.rule("6")
def test_what_is_kept_of_a_number_cannot_be_compared_without_the_secret_key() -> None:
    number = Number("password-reset", ("1",))
    digits = number.digits(ports())

    kept = number.kept(ports(), digits)

    assert kept == number.kept(ports(), digits)
    assert kept != number.kept(ports("another key for tests"), digits)
    assert kept != Number("password-reset", ("2",)).kept(ports(), digits)


@pytest.mark.row("L11")
@pytest.mark.rule("9")
def test_ten_thousand_tokens_are_long_and_have_nothing_in_common() -> None:
    tokens = [new_token() for _ in range(10_000)]

    assert len(set(tokens)) == len(tokens)
    # Six bits a character: 43 of them hold 256.
    assert {len(token) for token in tokens} == {43}
    assert all(len({token[place] for token in tokens}) == 64 for place in range(42))
