"""Closings: which consequences are listed, where one stands, and when inactivity closes an account."""

from __future__ import annotations

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
    status_of,
)
from api.domain.inactivity import Rule, closes_on, notice_due_on

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
