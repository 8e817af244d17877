"""Closings: which consequences are listed, where one stands, and when inactivity closes an account."""

from __future__ import annotations

from dataclasses import astuple
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.closures import (
    CLOSURE_MOVES,
    Affected,
    ClosureStatus,
    Consequence,
    ForbiddenClosureMove,
    Open,
    advance,
    consequences,
    hold_is_over,
    status_of,
)
from api.domain.inactivity import Act, Rule, closes_on, due, expected_on, notice_due_on, shipped_rules
from api.domain.refunds import days_window

C = Consequence
S = ClosureStatus
NEW_MEXICO = Rule("NM", 180, date(2023, 5, 1), "NMAC")
days = st.dates(date(2022, 1, 1), date(2040, 12, 31))


@pytest.mark.rule("20")
@pytest.mark.parametrize(
    ("change", "added"),
    [
        ({}, ()),
        ({"has_advance_connect": True}, (C.LAST_24H_CALLS_DEDUCTED,)),
        ({"has_direct_bill": True}, (C.FINAL_INVOICE_MAY_FOLLOW,)),
        ({"has_debit": True}, (C.DEBIT_NOT_REFUNDABLE,)),
        ({"has_auto_or_text_pay": True}, (C.AUTOPAY_TEXTPAY_TERMINATED,)),
        ({"stamps": 1}, (C.STAMPS_FORFEITED,)),
        ({"video_sessions": 1}, (C.VIDEO_SESSIONS_VOIDED,)),
        ({"subscriptions": 1}, (C.VIDEO_SUBSCRIPTIONS_CANCELLED,)),
    ],
)
@pytest.mark.parametrize("is_deletion", [True, False])
def test_each_consequence_that_applies_is_listed_and_no_other(
    change: dict[str, object], added: tuple[Consequence, ...], is_deletion: bool
) -> None:
    always = {C.SERVICES_STOP_NOW, *((C.EMAIL_NEVER_REUSABLE,) if is_deletion else ())}
    assert set(consequences(Affected(is_deletion=is_deletion, **change))) == always | set(added)  # type: ignore[arg-type]


def test_consequences_come_in_the_order_in_which_they_are_declared() -> None:
    every = consequences(
        Affected(
            is_deletion=True,
            has_advance_connect=True,
            has_direct_bill=True,
            has_debit=True,
            has_auto_or_text_pay=True,
            stamps=5,
            video_sessions=1,
            subscriptions=1,
        )
    )
    assert every == tuple(Consequence)


@pytest.mark.rule("21")
@pytest.mark.parametrize(
    ("calls", "hold", "refunds", "invoices"), product((True, False), (True, False), (0, 2), (0, 1))
)
def test_what_is_still_open_decides_where_a_closing_stands(
    calls: bool, hold: bool, refunds: int, invoices: int
) -> None:
    still = Open(settles_calls=calls, holds_direct_bill=hold, refunds=refunds, unpaid_invoices=invoices)
    expected = (
        S.SETTLING_CALLS
        if calls
        else S.DIRECT_BILL_HOLD
        if hold
        else S.REFUNDING
        if refunds
        else S.AWAITING_FINAL_PAYMENT
        if invoices
        else S.COMPLETED
    )
    assert status_of(still) is expected


@pytest.mark.rule("24")
@pytest.mark.parametrize(
    ("day", "is_quiet", "is_over"),
    [
        (6, True, False), (6, False, False), (7, True, True), (7, False, False), (9, True, True), (9, False, False),
        (10, True, True), (10, False, True), (11, False, True),
    ],
)  # fmt: skip
def test_the_hold_ends_from_day_seven_on_when_it_is_quiet_and_on_day_ten_in_any_case(
    day: int, is_quiet: bool, is_over: bool
) -> None:
    asked = date(2028, 2, 25)
    window = days_window(asked, 7, 10)
    assert hold_is_over(asked + timedelta(days=day), *astuple(window), is_quiet=is_quiet) is is_over


@pytest.mark.parametrize(("old", "new"), list(product(S, S)))
def test_a_closing_never_goes_back_except_to_refund_what_was_overpaid(old: ClosureStatus, new: ClosureStatus) -> None:
    onward = [S.SETTLING_CALLS, S.DIRECT_BILL_HOLD, S.REFUNDING, S.AWAITING_FINAL_PAYMENT, S.COMPLETED]
    is_onward = old in onward and new in onward and onward.index(new) > onward.index(old)
    is_special = (old, new) in {(S.AWAITING_FINAL_PAYMENT, S.REFUNDING), (S.DIRECT_BILL_HOLD, S.WITHDRAWN)}
    if old is new:
        assert not advance(old, new)
    elif is_onward or is_special:
        assert advance(old, new)
    else:
        with pytest.raises(ForbiddenClosureMove):
            advance(old, new)
    assert CLOSURE_MOVES[S.COMPLETED] == CLOSURE_MOVES[S.WITHDRAWN] == frozenset()


@pytest.mark.row("F27")
@pytest.mark.rule("26")
@pytest.mark.parametrize(
    ("last", "noticed", "closes", "why"),
    [
        (date(2026, 1, 10), None, date(2026, 7, 9), "180 days"),
        (date(2026, 1, 10), date(2026, 6, 9), date(2026, 7, 9), "the notice went out in time"),
        (date(2026, 1, 10), date(2026, 7, 1), date(2026, 7, 31), "a late notice still leaves 30 days"),
        (date(2020, 1, 1), None, date(2023, 10, 28), "days before the rule was in force do not count"),
        (date(2027, 9, 1), None, date(2028, 2, 28), "across a year's end"),
        (date(2027, 9, 3), None, date(2028, 3, 1), "across a leap day"),
    ],
)
def test_new_mexico_closes_after_180_days(last: date, noticed: date | None, closes: date, why: str) -> None:
    assert closes_on(NEW_MEXICO, last, noticed, 30) == closes, why


@pytest.mark.row("F27")
@pytest.mark.rule("26")
@given(days, st.one_of(st.none(), days))
def test_nobody_is_closed_without_thirty_days_of_notice(last: date, noticed: date | None) -> None:
    closes = closes_on(NEW_MEXICO, last, noticed, 30)
    assert closes >= max(last, NEW_MEXICO.effective_from) + timedelta(days=180)
    if noticed is not None:
        assert closes >= noticed + timedelta(days=30)
    assert notice_due_on(NEW_MEXICO, last, 30) == closes_on(NEW_MEXICO, last, None, 30) - timedelta(days=30)


@given(days, days)
def test_without_a_notice_only_that_is_due_however_late_it_is(last: date, today: date) -> None:
    told_on = notice_due_on(NEW_MEXICO, last, 30)
    found = due(NEW_MEXICO, last, None, 30, today)

    assert (found.act, found.on) == ((Act.NOTICE, today) if told_on <= today else (Act.WAIT, told_on))


@given(days, st.integers(0, 400), st.integers(0, 400))
def test_a_closing_is_due_on_its_day_and_not_before(last: date, told_after: int, later: int) -> None:
    told = last + timedelta(days=told_after)
    today = told + timedelta(days=later)
    closes = closes_on(NEW_MEXICO, last, told, 30)
    found = due(NEW_MEXICO, last, told, 30, today)

    assert (found.act, found.on) == ((Act.CLOSE, today) if closes <= today else (Act.WAIT, closes))


@given(days, days)
def test_the_day_that_is_shown_is_the_one_on_which_it_closes_if_nothing_happens(last: date, today: date) -> None:
    shown = expected_on(NEW_MEXICO, last, None, 30, today)
    told = max(today, notice_due_on(NEW_MEXICO, last, 30))

    assert shown == closes_on(NEW_MEXICO, last, told, 30)


@pytest.mark.rule("26")
def test_new_mexicos_rule_ships_with_180_days_since_may_2023() -> None:
    (rule,) = shipped_rules()

    assert (rule.state, rule.days, rule.effective_from) == ("NM", 180, date(2023, 5, 1))
    assert rule.citation
