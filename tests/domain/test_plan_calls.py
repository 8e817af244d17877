"""Which calls a plan includes: one by one until none is left, while it lasts (rule 28)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.plan_calls import CallingPlan, plan_that_includes
from api.domain.plans import SubscriptionStatus, months_after

pytestmark = pytest.mark.rule("28")
S = SubscriptionStatus
BEGAN = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENDS = months_after(BEGAN, 1, "America/Denver")
INSTANT = timedelta(microseconds=1)
PLAN = CallingPlan(
    subscription_id=UUID(int=1), started_at=BEGAN, status=S.ACTIVE, period_start=BEGAN, access_until=ENDS,
    unlimited=False, calls_left=2,
)  # fmt: skip
times = st.datetimes(datetime(2026, 10, 1), datetime(2027, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def plans(draw: Callable[[st.SearchStrategy[int]], int]) -> CallingPlan:
    """Return any subscription, also one that has rolled over, ended or is used up."""
    periods = draw(st.integers(0, 3))
    return CallingPlan(
        subscription_id=UUID(int=draw(st.integers(1, 9))),
        started_at=BEGAN,
        status=tuple(S)[draw(st.integers(0, len(S) - 1))],
        period_start=months_after(BEGAN, periods, "America/Denver"),
        access_until=BEGAN + timedelta(days=draw(st.integers(-30, 120))),
        unlimited=bool(draw(st.integers(0, 1))),
        calls_left=(None, 0, 1, 40)[draw(st.integers(0, 3))],
    )


@pytest.mark.parametrize(
    "status, at_the_end, after",
    [
        (S.ACTIVE, True, True),
        (S.PAST_DUE, True, True),
        (S.CANCEL_SCHEDULED, False, False),
        (S.ENDED, False, False),
        (S.CANCELLED_BY_CLOSURE, False, False),
    ],
)
def test_a_plan_lasts_to_the_end_that_was_set_or_until_its_renewal_has_failed_for_good(
    status: SubscriptionStatus, at_the_end: bool, after: bool
) -> None:
    plan = replace(PLAN, status=status)

    assert [plan.lasts(at) for at in (BEGAN - INSTANT, BEGAN, ENDS - INSTANT)] == [False, True, True]
    assert (plan.lasts(ENDS), plan.lasts(ENDS + timedelta(days=5))) == (at_the_end, after)


@pytest.mark.parametrize(
    "unlimited, left, included",
    [(False, None, False), (False, 0, False), (False, 1, True), (True, None, True), (True, 0, True)],
)
def test_calls_are_included_as_long_as_some_are_left_or_none_is_counted(
    unlimited: bool, left: int | None, included: bool
) -> None:
    assert replace(PLAN, unlimited=unlimited, calls_left=left).includes_call(BEGAN) is included


@given(plans(), times)
def test_no_call_is_included_from_outside_of_its_plan_or_when_none_is_left(plan: CallingPlan, at: datetime) -> None:
    if plan.includes_call(at):
        assert at >= plan.period_start
        assert plan.unlimited or plan.calls_left
        assert plan.status in (S.ACTIVE, S.PAST_DUE) or at < plan.access_until
    else:
        # More of it would not help: what is missing is time, or calls.
        more = replace(plan, unlimited=True)
        assert not plan.lasts(at) or more.includes_call(at)


@given(st.lists(plans(), max_size=5), times)
def test_a_call_is_within_a_plan_if_any_includes_it_and_takes_no_counted_one_needlessly(
    several: list[CallingPlan], at: datetime
) -> None:
    found = plan_that_includes(several, at)

    assert (found is not None) == any(plan.includes_call(at) for plan in several)
    if found is not None and not found.unlimited:
        assert found.includes_call(at)
        assert not any(plan.unlimited and plan.includes_call(at) for plan in several)


@given(st.integers(0, 20), st.integers(0, 40))
def test_of_so_many_calls_as_many_are_included_as_the_plan_has(included: int, calls: int) -> None:
    plan, taken = replace(PLAN, calls_left=included), 0
    for _ in range(calls):
        found = plan_that_includes([plan], BEGAN)
        if found is not None:
            taken += 1
            plan = replace(plan, calls_left=(plan.calls_left or 0) - 1)

    assert taken == min(included, calls)


@pytest.mark.parametrize("at, rolled", [(BEGAN - INSTANT, False), (BEGAN, True), (ENDS - INSTANT, True), (ENDS, False)])
def test_a_call_of_an_earlier_period_is_known_as_such(at: datetime, rolled: bool) -> None:
    assert replace(PLAN, period_start=ENDS).rolled_over(at) is rolled
    assert not replace(PLAN, period_start=ENDS, unlimited=True).rolled_over(at)
