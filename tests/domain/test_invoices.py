"""The law of invoices, statements, printed numbers and CSV."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.csv_text import Plain, csv_line
from api.domain.external_payments import is_printed_number, plain_number
from api.domain.invoices import Due, credit_left, invoice_terms, pay_invoices
from api.domain.service_accounts import printed_number
from api.domain.statements import months_to_state, sums

KEYS = [UUID(int=n) for n in range(8)]
UNPAID = st.lists(st.integers(1, 500), max_size=8).map(lambda dues: [Due(KEYS[n], due) for n, due in enumerate(dues)])


@pytest.mark.rule("24")
@given(st.integers(0, 3_000), UNPAID, st.sampled_from([None, *KEYS]))
def test_a_payment_is_spread_without_loss_and_overpays_no_invoice(
    amount: int, unpaid: list[Due], first: UUID | None
) -> None:
    paying = pay_invoices(amount, unpaid, first)

    dues = {one.id: one.due for one in unpaid}
    assert sum(part.due for part in paying.parts) + paying.left == amount
    assert all(0 < part.due <= dues[part.id] for part in paying.parts)
    assert paying.left == max(0, amount - sum(dues.values()))
    if first in dues and amount:
        assert paying.parts[0] == Due(first, min(amount, dues[first]))


@pytest.mark.parametrize(
    "billed, due, credit", [(0, 0, 0), (-300, 0, 300), (500, 500, 0), (700, 500, 0), (200, 500, 300)]
)
def test_what_was_paid_beyond_all_invoices_is_a_credit(billed: int, due: int, credit: int) -> None:
    assert credit_left(billed, due) == credit


@pytest.mark.row("F27")
@pytest.mark.rule("24")
@pytest.mark.parametrize(
    "issued, last", [(date(2027, 2, 1), date(2027, 2, 21)), (date(2028, 2, 29), date(2028, 3, 20)),
                     (date(2026, 12, 31), date(2027, 1, 20))],
)  # fmt: skip
def test_an_invoice_is_due_twenty_days_from_its_statement_date(issued: date, last: date) -> None:
    assert invoice_terms().due_date(issued) == last


@given(st.integers(-1_000, 1_000), st.integers(0, 1_000), st.integers(0, 1_000), st.booleans())
def test_a_months_sums_add_up(opening: int, up: int, down: int, owes: bool) -> None:
    month = sums(opening, up, down, owes=owes)

    sign = -1 if owes else 1
    assert month.closing == opening + up - down == month.opening + sign * (month.deposits - month.charges)


@pytest.mark.parametrize(
    "last, opened, closed, wanted",
    [
        (None, date(2027, 1, 15), None, [1, 2, 3]),
        (None, date(2027, 3, 31), None, [3]),
        (None, date(2027, 4, 1), None, []),
        (date(2027, 2, 1), date(2020, 1, 1), None, [3]),
        (date(2027, 3, 1), date(2020, 1, 1), None, []),
        (date(2027, 1, 1), date(2020, 1, 1), date(2027, 2, 1), [2]),
        (None, date(2020, 1, 1), None, [1, 2, 3]),
    ],
)
def test_the_months_to_state_follow_the_last_one_while_the_service_was_open(
    last: date | None, opened: date, closed: date | None, wanted: list[int]
) -> None:
    found = months_to_state(date(2027, 3, 1), last=last, opened=opened, closed=closed, before_max=2)

    assert list(found) == [date(2027, month, 1) for month in wanted]


@given(st.text("123456789", min_size=10, max_size=10), st.integers(0, 9), st.integers(1, 9))
def test_a_mistyped_digit_is_no_printed_number(digits: str, place: int, by: int) -> None:
    number = printed_number(digits)
    mistyped = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]

    assert is_printed_number(plain_number(f" {number[:3]}-{number[3:]}\u00a0"))
    assert not is_printed_number(mistyped)


@pytest.mark.parametrize("text", ["", "12345", "12345678901", "١٢٣٤٥٦٧٨٩٠", "abcdefghij", "123456789x"])
def test_what_is_not_ten_digits_is_no_printed_number(text: str) -> None:
    assert not is_printed_number(text)


@pytest.mark.parametrize(
    "cell, written",
    [
        ("plain", "plain"), ("=1+1", "'=1+1"), ("+1505", "'+1505"), ("-x", "'-x"), ("@a", "'@a"), ("\tx", "'\tx"),
        (Plain("-0.56"), "-0.56"), ('a "b", c', '"a ""b"", c"'), ("a\nb", '"a\nb"'), ("\r=", "\"'\r=\""), ("", ""),
    ],
)  # fmt: skip
def test_a_cell_is_quoted_where_needed_and_never_a_formula(cell: str, written: str) -> None:
    assert csv_line([cell, "x"]) == f"{written},x\r\n"
