"""Unsubscribing, step by step: a reason, a warning, and a way back from everywhere (rule 29)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum


class CancellationStep(Enum):
    """What the holder is asked for next."""

    CHOOSE_REASON = "CHOOSE_REASON"
    CONFIRM = "CONFIRM"
    FINAL_WARNING = "FINAL_WARNING"
    DONE = "DONE"


class CancellationOutcome(Enum):
    """How it ended."""

    CANCELLED = "CANCELLED"
    STAYED = "STAYED"
    ABANDONED = "ABANDONED"


class CancellationAction(Enum):
    """What a holder can do; the values are the mutations' names."""

    CHOOSE_REASON = "chooseCancellationReason"
    CONFIRM = "confirmUnsubscribe"
    COMPLETE = "completeCancellation"
    STAY = "stayEnrolled"


State = tuple[CancellationStep, CancellationOutcome | None]
"""A step, and how it ended once the step is DONE."""

A, Ends, S = CancellationAction, CancellationOutcome, CancellationStep
BEGUN: State = (S.CHOOSE_REASON, None)
ABANDONED: State = (S.DONE, Ends.ABANDONED)

# Choosing another reason is possible until the warning is shown; after that one goes on or stays.
CANCELLATION_MOVES: Mapping[State, Mapping[CancellationAction, State]] = {
    (S.CHOOSE_REASON, None): {A.CHOOSE_REASON: (S.CONFIRM, None), A.STAY: (S.DONE, Ends.STAYED)},
    (S.CONFIRM, None): {
        A.CHOOSE_REASON: (S.CONFIRM, None),
        A.CONFIRM: (S.FINAL_WARNING, None),
        A.STAY: (S.DONE, Ends.STAYED),
    },
    (S.FINAL_WARNING, None): {
        A.CONFIRM: (S.FINAL_WARNING, None),
        A.COMPLETE: (S.DONE, Ends.CANCELLED),
        A.STAY: (S.DONE, Ends.STAYED),
    },
    # The same step twice is harmless.
    (S.DONE, Ends.CANCELLED): {A.COMPLETE: (S.DONE, Ends.CANCELLED)},
    (S.DONE, Ends.STAYED): {A.STAY: (S.DONE, Ends.STAYED)},
    ABANDONED: {},
}


class Ending(Enum):
    """How a plan ends that is cancelled now."""

    PERIOD_END = "period_end"
    AT_ONCE = "at_once"
    RENEWING = "renewing"


def ending_of(paid_until: datetime, renewed_until: datetime | None, now: datetime) -> tuple[Ending, datetime]:
    """Return how a plan ends that is cancelled now, and until when it can be used.

    What is paid can be used. Where that is over it ends at once, unless its renewal is being charged already, to last
    until `renewed_until` (None: no charge is under way): that came first, and is used if it is paid.
    """
    if renewed_until is not None:
        return Ending.RENEWING, renewed_until
    return (Ending.PERIOD_END, paid_until) if now < paid_until else (Ending.AT_ONCE, now)


class OutOfOrder(ValueError):
    """An action that the step does not offer; `allowed` are those that it does, and nothing changed."""

    def __init__(self, state: State, action: CancellationAction) -> None:
        super().__init__(f"{action.value} is not offered at {state[0].value}")
        self.state = state
        self.allowed = allowed_actions(state)


def allowed_actions(state: State) -> tuple[CancellationAction, ...]:
    """Return what leads on from a state, in the order of the flow; nothing once it is done."""
    if state[0] is S.DONE:
        return ()
    return tuple(action for action in A if action in CANCELLATION_MOVES[state])


def advance(state: State, action: CancellationAction) -> State:
    """Return where an action leads; the same step twice leads to where it led. Raises OutOfOrder."""
    moves = CANCELLATION_MOVES[state]
    if action not in moves:
        raise OutOfOrder(state, action)
    return moves[action]


def state_at(state: State, changed_at: datetime, now: datetime, abandoned_after: timedelta) -> State:
    """Return the state as it is now: one that was left alone for so long is abandoned, even if nobody noticed yet."""
    if state[0] is not S.DONE and now - changed_at >= abandoned_after:
        return ABANDONED
    return state
