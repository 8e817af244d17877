"""Inactivity: accounts that a state's rule closes when nothing happens on them (rule 26)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Rule:
    """A state's rule: `days` without activity, counted from `effective_from` at the earliest."""

    state: str
    days: int
    effective_from: date
    citation: str
    disposition_days: int | None = None


class Act(Enum):
    """What is to be done about an account without activity."""

    WAIT = "WAIT"
    NOTICE = "NOTICE"
    CLOSE = "CLOSE"


@dataclass(frozen=True, slots=True)
class Due:
    """What is due today, or, to WAIT, the day on which something is."""

    act: Act
    on: date


def closes_on(rule: Rule, last_activity_on: date, noticed_on: date | None, notice_days: int) -> date:
    """Return the day on which an account closes: the later of the rule's days and of the notice's.

    Days without activity before the rule was in force do not count. Without a notice yet, the notice is counted from
    the day on which it is due.
    """
    inactive = max(last_activity_on, rule.effective_from) + timedelta(days=rule.days)
    if noticed_on is None:
        return inactive
    return max(inactive, noticed_on + timedelta(days=notice_days))


def notice_due_on(rule: Rule, last_activity_on: date, notice_days: int) -> date:
    """Return the day on which the holder is told that the account will close."""
    return closes_on(rule, last_activity_on, None, notice_days) - timedelta(days=notice_days)


def expected_on(rule: Rule, last_activity_on: date, noticed_on: date | None, notice_days: int, today: date) -> date:
    """Return the day on which an account closes if nothing happens on it: a notice that is late is given today."""
    if noticed_on is None and notice_due_on(rule, last_activity_on, notice_days) <= today:
        noticed_on = today
    return closes_on(rule, last_activity_on, noticed_on, notice_days)


def due(rule: Rule, last_activity_on: date, noticed_on: date | None, notice_days: int, today: date) -> Due:
    """Return what is to be done today: a closing never comes without a notice before it, however late both are."""
    if noticed_on is None:
        on, act = notice_due_on(rule, last_activity_on, notice_days), Act.NOTICE
    else:
        on, act = closes_on(rule, last_activity_on, noticed_on, notice_days), Act.CLOSE
    return Due(act, today) if on <= today else Due(Act.WAIT, on)


@cache
def shipped_rules() -> Sequence[Rule]:
    """Return the rules that a new database begins with, read once."""
    data = tomllib.loads((files("api") / "data" / "inactivity_rules.toml").read_text("utf-8"))
    return tuple(Rule(**row) for row in data["rule"])
