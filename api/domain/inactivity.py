"""Inactivity: accounts that a state's rule closes when nothing happens on them (rule 26)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """A state's rule: `days` without activity, counted from `effective_from` at the earliest."""

    state: str
    days: int
    effective_from: date
    citation: str
    disposition_days: int | None = None


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
