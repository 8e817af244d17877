"""Money is read, rounded and written in one way."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.ledger import charge_split
from api.domain.money import (
    affordable_seconds,
    call_cost_cents,
    cents_of,
    dollars,
    format_money,
    hold_cents,
    plain_decimal,
)

RATES = st.integers(0, 99_999).map(lambda n: Decimal(n) / 10_000)
LARGE_RATES = st.integers(0, 10**16 - 1).map(lambda n: Decimal(f"{n // 10_000}.{n % 10_000:04d}"))
CAP_MINUTES = 60


@pytest.mark.parametrize(
    "written, number",
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("5", "5"),
        ("-5", "-5"),
        ("0.5", "0.5"),
        ("29.99", "29.99"),
        ("0.0001", "0.0001"),
        ("1.2300", "1.2300"),
        ("999999999999.9999", "999999999999.9999"),
        ("-999999999999.9999", "-999999999999.9999"),
        (0, "0"),
        (-25, "-25"),
        (999_999_999_999, "999999999999"),
    ],
)
def test_a_plain_decimal_is_read_as_written(written: object, number: str) -> None:
    assert str(plain_decimal(written)) == number


REFUSED_NUMBERS = [
    *("", " ", "-", ".", "+1", ".5", "5.", "-.5", "--1", "1 ", " 1", "1\n", "\t1", "1\x00", "1.2.3", "1,5", "1,000"),
    *("00", "01", "-01", "00.5", "1e3", "1E3", "1e-3", "1_000", "0x10", "0b1", "NaN", "nan", "sNaN", "Infinity"),
    *("inf", "-inf", "$5", "5 USD", "1.00000", "0.12345", "1000000000000", "-1000000000000", "1" * 100_000),
    *("\u0665", "\uff15", "\u00b2", "1\u202e", "\u22125", "\u00bd", "5\u00a0", "\ud800"),
    *(1.0, 0.1, float("nan"), float("inf"), True, False, None, b"5", ["5"], {"5": 5}, 5j),
    *(Decimal("5"), Decimal("NaN"), Fraction(1, 2), 10**12, -(10**12), 10**400),
]


@pytest.mark.row("F41")
@pytest.mark.parametrize("written", REFUSED_NUMBERS)
def test_anything_but_a_plain_decimal_is_refused(written: object) -> None:
    with pytest.raises(ValueError) as caught:
        plain_decimal(written)
    assert len(str(caught.value)) < 80


@given(st.text(max_size=12))
def test_no_text_is_read_as_another_number_than_it_shows(text: str) -> None:
    try:
        number = plain_decimal(text)
    except ValueError:
        return
    assert text.isascii()
    assert format(number, "f") == (text.removeprefix("-") if not number else text)


@given(st.integers(-(10**13), 10**13))
def test_cents_survive_the_way_to_dollars_and_back(cents: int) -> None:
    amount = dollars(cents)
    assert amount.as_tuple().exponent == -2
    assert amount * 100 == cents
    assert cents_of(amount) == cents


@pytest.mark.parametrize(
    "cents, amount", [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-100, "-1.00"), (123450, "1234.50")]
)
def test_dollars_have_two_places(cents: int, amount: str) -> None:
    assert str(dollars(cents)) == amount


def test_dollars_of_more_digits_than_the_decimal_context_holds_are_exact() -> None:
    assert str(dollars(10**40 + 1)) == "1" + "0" * 37 + "0.01"


@pytest.mark.parametrize(
    "amount, cents", [("5", 500), ("5.1", 510), ("5.12", 512), ("-0.05", -5), ("-0.00", 0), ("1E+3", 100_000)]
)
def test_an_amount_with_up_to_two_places_is_cents(amount: str, cents: int) -> None:
    assert cents_of(Decimal(amount)) == cents


@pytest.mark.parametrize(
    "amount", ["0.001", "5.120", "1.2345", "NaN", "sNaN", "Infinity", "-Infinity", "1E+12", "1E+999999"]
)
def test_an_amount_with_more_places_or_out_of_range_is_refused(amount: str) -> None:
    with pytest.raises(ValueError):
        cents_of(Decimal(amount))


@pytest.mark.rule("13")
@pytest.mark.parametrize(
    "rate, seconds, cents",
    [
        ("0.21", 0, 0),
        ("0.21", 1, 21),
        ("0.21", 59, 21),
        ("0.21", 60, 21),
        ("0.21", 61, 42),
        ("0.21", 3600, 1260),
        ("0.005", 60, 1),
        ("0.0049", 60, 0),
        ("0.0050", 180, 2),
        ("0.0150", 60, 2),
        ("0.0250", 60, 3),
        ("0.1234", 120, 25),
        ("0", 3600, 0),
    ],
)
def test_a_call_is_charged_by_started_minute_and_rounded_half_up(rate: str, seconds: int, cents: int) -> None:
    assert call_cost_cents(Decimal(rate), seconds) == cents


@pytest.mark.row("F42")
@pytest.mark.rule("13")
@given(LARGE_RATES, st.integers(0, 10**7))
def test_the_cost_of_a_call_is_rounded_once_as_fractions_say(rate: Decimal, seconds: int) -> None:
    exact_cents = Fraction(rate) * ceil(Fraction(seconds, 60)) * 100
    assert call_cost_cents(rate, seconds) == floor(exact_cents + Fraction(1, 2))


@pytest.mark.row("F42")
@pytest.mark.rule("13")
def test_ten_thousand_ratings_differ_from_exact_fractions_by_nothing_and_their_parts_are_the_whole() -> None:
    pick = random.Random("ratings")
    for _ in range(10_000):
        rate = Decimal(pick.randrange(0, 1_000_000)) / 10_000
        seconds = pick.choice((pick.randrange(0, 120), pick.randrange(0, 90_000), 60 * pick.randrange(0, 1_440)))
        cost = call_cost_cents(rate, seconds)
        assert cost == floor(Fraction(rate) * ceil(Fraction(seconds, 60)) * 100 + Fraction(1, 2))
        own, others = pick.randrange(0, 5_000), pick.randrange(0, 5_000)
        posted = own + others + pick.randrange(0, 5_000)
        charged, lost = charge_split(cost, posted, own + others, own)
        assert charged + lost == cost
        assert 0 <= charged <= posted - others


@pytest.mark.parametrize("rate, seconds", [("-0.01", 60), ("0.01", -1), ("0.00001", 60), ("NaN", 60)])
def test_a_negative_or_malformed_rate_or_duration_is_refused(rate: str, seconds: int) -> None:
    with pytest.raises(ValueError):
        call_cost_cents(Decimal(rate), seconds)


@pytest.mark.rule("13")
@given(RATES, st.integers(0, 100_000), st.integers(0, 600))
def test_the_seconds_allowed_are_paid_for_and_one_minute_more_would_not_be(rate: Decimal, cents: int, cap: int) -> None:
    seconds = affordable_seconds(rate, cents, cap)
    assert seconds % 60 == 0
    assert 0 <= seconds <= cap * 60
    assert call_cost_cents(rate, seconds) <= cents
    assert seconds == cap * 60 or call_cost_cents(rate, seconds + 60) > cents


@pytest.mark.rule("13")
@pytest.mark.parametrize(
    "rate, cents, seconds",
    [
        ("0.21", 0, 0),
        ("0.21", 20, 0),
        ("0.21", 21, 60),
        ("0.21", 41, 60),
        ("0.21", 42, 120),
        ("0.21", 1260, 3600),
        ("0.21", 1_000_000, 3600),
        ("0.0001", 0, 49 * 60),
        ("0", 0, 3600),
        ("0", -500, 3600),
        ("0.21", -1, 0),
    ],
)
def test_whole_minutes_are_allowed_up_to_the_cap(rate: str, cents: int, seconds: int) -> None:
    assert affordable_seconds(Decimal(rate), cents, CAP_MINUTES) == seconds


@pytest.mark.rule("13")
@given(RATES, st.integers(-10_000, 100_000), st.integers(0, 120))
def test_a_hold_is_the_price_of_the_minutes_but_never_more_than_is_available(
    rate: Decimal, available: int, minutes: int
) -> None:
    held = hold_cents(rate, available, minutes)
    price = call_cost_cents(rate, minutes * 60)
    assert held == max(0, min(price, available))


@pytest.mark.rule("13")
@given(RATES, st.integers(0, 100_000))
def test_a_hold_covers_the_seconds_that_are_allowed(rate: Decimal, available: int) -> None:
    seconds = affordable_seconds(rate, available, CAP_MINUTES)
    assert call_cost_cents(rate, seconds) <= hold_cents(rate, available, CAP_MINUTES)


@pytest.mark.rule("37")
@pytest.mark.parametrize("locale", ["en", "es"])
@pytest.mark.parametrize(
    "cents, text",
    [
        (0, "$0.00"),
        (5, "$0.05"),
        (-500, "-$5.00"),
        (-1, "-$0.01"),
        (123_450, "$1,234.50"),
        (-123_450, "-$1,234.50"),
        (99_999, "$999.99"),
        (100_000, "$1,000.00"),
        (123_456_789_012, "$1,234,567,890.12"),
    ],
)
def test_money_is_written_as_in_the_united_states_in_both_languages(cents: int, text: str, locale: str) -> None:
    assert format_money(cents, locale) == text
