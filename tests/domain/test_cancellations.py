"""Unsubscribing: every sequence of up to eight actions, against what the rule says in other words."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from api.domain.cancellations import (
    BEGUN,
    CANCELLATION_MOVES,
    CancellationAction,
    CancellationOutcome,
    CancellationStep,
    OutOfOrder,
    State,
    advance,
    allowed_actions,
    state_at,
)

A, Ends, S = CancellationAction, CancellationOutcome, CancellationStep
ACTIONS_MAX = 8
DAY = timedelta(hours=24)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Model(NamedTuple):
    """The rule told anew, by what the holder has done rather than by a table."""

    has_reason: bool = False
    was_warned: bool = False
    ended: CancellationOutcome | None = None

    def allows(self, action: CancellationAction) -> bool:
        """Tell whether the holder may do this now, or has just done it."""
        if self.ended:
            return {Ends.CANCELLED: A.COMPLETE, Ends.STAYED: A.STAY}[self.ended] is action
        return {
            A.CHOOSE_REASON: not self.was_warned,
            A.CONFIRM: self.has_reason,
            A.COMPLETE: self.was_warned,
            A.STAY: True,
        }[action]

    def after(self, action: CancellationAction) -> Model:
        """Return what has been done once this was tried: what is refused changes nothing."""
        if not self.allows(action):
            return self
        return Model(
            self.has_reason or action is A.CHOOSE_REASON,
            self.was_warned or action is A.CONFIRM,
            {A.COMPLETE: Ends.CANCELLED, A.STAY: Ends.STAYED}.get(action, self.ended),
        )

    @property
    def state(self) -> State:
        """Where this has led."""
        if self.ended:
            return (S.DONE, self.ended)
        return (S.FINAL_WARNING if self.was_warned else S.CONFIRM if self.has_reason else S.CHOOSE_REASON, None)


def refusal_of(state: State, action: CancellationAction) -> OutOfOrder:
    """Return how an action that is not offered is refused."""
    with pytest.raises(OutOfOrder) as refused:
        advance(state, action)
    return refused.value


@pytest.mark.rule("29")
def test_every_sequence_of_eight_actions_ends_where_the_rule_says() -> None:
    walked = 0

    def walk(state: State, model: Model, left: int) -> None:
        nonlocal walked
        walked += 1
        assert state == model.state
        for action in A if left else ():
            after = model.after(action)
            if model.allows(action):
                assert advance(state, action) == after.state
            else:
                assert refusal_of(state, action).allowed == allowed_actions(state)
            walk(after.state, after, left - 1)

    walk(BEGUN, Model(), ACTIONS_MAX)
    assert walked == sum(len(A) ** length for length in range(ACTIONS_MAX + 1))


@pytest.mark.rule("29")
def test_one_can_stay_enrolled_from_every_open_step() -> None:
    for state in CANCELLATION_MOVES:
        if state[0] is not S.DONE:
            assert A.STAY in allowed_actions(state)
            assert advance(state, A.STAY) == (S.DONE, Ends.STAYED)


@pytest.mark.rule("29")
def test_nothing_is_cancelled_without_a_reason_and_a_warning() -> None:
    paths: dict[State, tuple[CancellationAction, ...]] = {BEGUN: ()}
    todo = deque([BEGUN])
    while todo:
        state = todo.popleft()
        for action, after in CANCELLATION_MOVES[state].items():
            if after not in paths:
                paths[after] = (*paths[state], action)
                todo.append(after)
    assert paths[(S.DONE, Ends.CANCELLED)] == (A.CHOOSE_REASON, A.CONFIRM, A.COMPLETE)


@pytest.mark.rule("29")
@pytest.mark.parametrize("state", list(CANCELLATION_MOVES))
def test_each_step_twice_is_harmless(state: State) -> None:
    for action in CANCELLATION_MOVES[state]:
        after = advance(state, action)
        assert advance(after, action) == after


@pytest.mark.rule("29")
@pytest.mark.parametrize("state", list(CANCELLATION_MOVES))
def test_a_flow_left_alone_for_a_day_is_abandoned(state: State) -> None:
    just_before = state_at(state, NOW - DAY + timedelta(seconds=1), NOW, DAY)
    at_once = state_at(state, NOW - DAY, NOW, DAY)
    assert just_before == state
    assert at_once == (state if state[0] is S.DONE else (S.DONE, Ends.ABANDONED))
