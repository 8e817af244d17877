"""Refunds: the table of moves, windows by business days and weeks, and how an amount is spread over charges."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.adapters.business_days import is_business_day
from api.domain.days import day_of, start_of
from api.domain.payments import PaymentChannel
from api.domain.refund_data import refund_data
from api.domain.refunds import (
    FINAL,
    REFUND_MOVES,
    Charge,
    ForbiddenRefundMove,
    RefundMethod,
    RefundStatus,
    Window,
    add_business_days,
    advance,
    card_window,
    days_window,
    method_after,
    spread,
)

S = RefundStatus
ALLOWED = {
    (S.SETTLING, S.CALCULATED),
    (S.SETTLING, S.NOTHING_DUE),
    (S.CALCULATED, S.SUBMITTED),
    (S.SUBMITTED, S.ISSUED),
    (S.SUBMITTED, S.REROUTED),
    (S.SUBMITTED, S.HELD),
    (S.ISSUED, S.COMPLETED),
    (S.ISSUED, S.REROUTED),
    (S.ISSUED, S.HELD),
}
days = st.dates(date(2023, 1, 1), date(2040, 12, 31))


@pytest.mark.row("I6")
@pytest.mark.rule("23")
@pytest.mark.parametrize(("old", "new"), list(product(S, S)))
def test_a_refund_takes_only_the_steps_of_its_table(old: RefundStatus, new: RefundStatus) -> None:
    if old is new:
        assert not advance(old, new)
    elif (old, new) in ALLOWED:
        assert advance(old, new)
    else:
        with pytest.raises(ForbiddenRefundMove):
            advance(old, new)


def test_every_state_leads_to_a_final_one() -> None:
    reached = {S.SETTLING}
    for _ in S:
        reached |= {new for old in reached for new in REFUND_MOVES[old]}
    assert reached == set(S)
    assert {S.COMPLETED, S.REROUTED, S.HELD, S.NOTHING_DUE} == FINAL


@pytest.mark.rule("23")
@pytest.mark.parametrize(
    ("channel", "method"),
    [
        (PaymentChannel.CARD_ONLINE, RefundMethod.CARD),
        (PaymentChannel.AUTOPAY, RefundMethod.CARD),
        (PaymentChannel.TEXTPAY, RefundMethod.CARD),
        (PaymentChannel.WESTERN_UNION, RefundMethod.CHECK),
        (PaymentChannel.MONEYGRAM, RefundMethod.CHECK),
        (PaymentChannel.MAIL, RefundMethod.CHECK),
        (None, RefundMethod.CHECK),
    ],
)
def test_a_refund_follows_the_channel_last_used(channel: PaymentChannel | None, method: RefundMethod) -> None:
    assert method_after(channel) is method


@pytest.mark.row("F27")
@pytest.mark.rule("23")
@pytest.mark.parametrize(
    ("asked_on", "earliest", "latest", "why"),
    [
        (date(2026, 11, 23), date(2026, 11, 25), date(2026, 11, 27), "Thanksgiving lies between"),
        (date(2026, 11, 20), date(2026, 11, 24), date(2026, 11, 25), "a weekend lies between"),
        (date(2026, 11, 21), date(2026, 11, 24), date(2026, 11, 25), "asked on a Saturday"),
        (date(2026, 12, 31), date(2027, 1, 5), date(2027, 1, 6), "New Year and a weekend lie between"),
        (date(2026, 7, 1), date(2026, 7, 6), date(2026, 7, 7), "Independence Day is kept on Friday the third"),
        (date(2028, 2, 28), date(2028, 3, 1), date(2028, 3, 2), "a leap day counts"),
        (date(2027, 12, 30), date(2028, 1, 4), date(2028, 1, 5), "New Year of a Saturday is kept on 31 December"),
    ],
)
def test_a_card_refund_is_promised_within_business_days(asked_on: date, earliest: date, latest: date, why: str) -> None:
    assert card_window(asked_on, 2, 3, is_business_day) == Window(earliest, latest), why


@given(days, st.integers(1, 10))
def test_the_nth_business_day_has_n_business_days_up_to_it(day: date, count: int) -> None:
    found = add_business_days(day, count, is_business_day)
    assert is_business_day(found)
    assert sum(is_business_day(day + timedelta(days=n)) for n in range(1, (found - day).days + 1)) == count


@pytest.mark.rule("23")
@given(days)
def test_no_promise_falls_on_a_weekend(day: date) -> None:
    window = card_window(day, 2, 3, is_business_day)
    assert day < window.earliest < window.latest
    assert window.earliest.weekday() < 5
    assert window.latest.weekday() < 5


@pytest.mark.row("F27")
@pytest.mark.rule("23", "24")
@given(days)
def test_weeks_are_calendar_days(day: date) -> None:
    window = days_window(day, 14, 21)
    assert (window.earliest - day, window.latest - day) == (timedelta(days=14), timedelta(days=21))


@pytest.mark.rule("23")
@given(st.integers(0, 10_000), st.lists(st.integers(0, 4_000), max_size=6))
def test_an_amount_is_spread_over_charges_and_nothing_is_lost(amount: int, lefts: list[int]) -> None:
    charges = [Charge(UUID(int=n), left) for n, left in enumerate(lefts)]
    parts, rest = spread(amount, charges)
    assert sum(part.left for part in parts) + rest == amount
    left_of = {charge.payment_id: charge.left for charge in charges}
    assert all(0 < part.left <= left_of[part.payment_id] for part in parts)
    assert rest == max(0, amount - sum(lefts))
    # Newest first: no later charge is touched before an earlier one is used up.
    assert [part.payment_id for part in parts] == [c.payment_id for c in charges if c.left][: len(parts)]
    assert all(part.left == left_of[part.payment_id] for part in parts[:-1])


@pytest.mark.rule("23")
def test_the_shipped_windows_are_those_of_the_rule() -> None:
    data = refund_data()

    assert (data.card_business_days, data.check_days, data.check_stale_days) == ((2, 3), (14, 21), 180)


@pytest.mark.row("F27")
@given(
    st.integers(0, 18 * 365 * 24 * 3600).map(
        lambda seconds: datetime(2023, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    )
)
def test_a_day_of_central_time_begins_and_ends_within_itself(at: datetime) -> None:
    day = day_of(at)

    assert start_of(day) <= at < start_of(day + timedelta(days=1))


@pytest.mark.row("F27")
@pytest.mark.rule("20", "23")
@given(days)
def test_a_window_asked_for_on_any_day_has_its_days_in_order_and_ends_on_a_business_day(day: date) -> None:
    card = card_window(day, *refund_data().card_business_days, is_business_day)

    assert day < card.earliest < card.latest
    assert is_business_day(card.earliest)
    assert is_business_day(card.latest)
    assert (card.latest - day).days <= 7
