"""When a service was last used, which state's rule counts for it, and the due work that looks at it (rule 26).

Nothing of this is written while calls and deposits go on: what happened last is read where it is kept, and work that
falls due too early looks again later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, execute, fetch, fetch_one, read_date, read_time, read_uuid
from api.domain import inactivity
from api.domain.accounts import AccountStatus
from api.domain.closing_data import closing_data
from api.domain.days import day_of, start_of
from api.domain.inactivity import Due, Rule
from api.domain.service_accounts import ServiceStatus
from api.services import due_work

WORK_KIND = "inactivity"
"""Looks whether a service's notice or closing has come; the key is the service."""
RULES_MAX = 500
_COUNTRY = "US"
_FACTS = """
select s.id, s.account_id, s.status, s.opened_at, a.status as account_status, a.state, a.country, k.kept_at,
 k.noticed_at,
 (select e.posted_at from journal_entries e where e.balance_id = b.id and e.kind = 'FUNDING'
   order by e.sequence desc limit 1) as deposited_at,
 (select coalesce(c.ended_at, c.started_at) from calls c where c.service_account_id = s.id and c.status <> 'REFUSED'
   order by c.started_at desc limit 1) as called_at
from service_accounts s join accounts a on a.id = s.account_id join balances b on b.service_account_id = s.id
 left join activeness k on k.service_account_id = s.id
where s.id = $1 and s.product = 'ADVANCE_CONNECT'
"""


class Standing(NamedTuple):
    """How a service stands. `rule` is None where none closes it; `noticed_at` is None unless a notice counts."""

    account_id: UUID
    last_activity_at: datetime
    rule: Rule | None
    noticed_at: datetime | None

    def due(self, today: date) -> Due | None:
        """Return what is to be done today, None where no rule counts."""
        if self.rule is None:
            return None
        return inactivity.due(self.rule, self._active_on, self._noticed_on, _notice_days(), today)

    def closes_on(self, today: date) -> date | None:
        """Return the day on which the service closes if nothing happens on it, None where no rule counts."""
        if self.rule is None:
            return None
        return inactivity.expected_on(self.rule, self._active_on, self._noticed_on, _notice_days(), today)

    @property
    def _active_on(self) -> date:
        return day_of(self.last_activity_at)

    @property
    def _noticed_on(self) -> date | None:
        return day_of(self.noticed_at) if self.noticed_at else None


async def standing_of(service_account_id: UUID, now: datetime) -> Standing | None:
    """Return how an AdvanceConnect service stands, None for any other; two statements.

    Activity is the opening, a deposit that came in, a call that was not refused, and the holder asking to keep it. A
    notice counts until there is activity after it. No rule counts for a service that is closed or being closed.
    """
    row = await fetch_one(_FACTS, service_account_id)
    if row is None:
        return None
    acts = [row[name] for name in ("opened_at", "deposited_at", "called_at", "kept_at")]
    last = max(read_time(at) for at in acts if at is not None)
    noticed_at = read_time(row["noticed_at"]) if row["noticed_at"] else None
    is_open = (row["status"], row["account_status"]) == (ServiceStatus.ACTIVE.value, AccountStatus.ACTIVE.value)
    rule = await _rule_for(row["state"], day_of(now)) if is_open and row["country"] == _COUNTRY else None
    is_noticed = rule is not None and noticed_at is not None and noticed_at > last
    return Standing(read_uuid(row["account_id"]), last, rule, noticed_at if is_noticed else None)


async def plan(service_account_id: UUID, now: datetime) -> None:
    """Have a service looked at when something is due, within the transaction under way; a repeat changes nothing.

    To be called when it is opened, when the address on record changes its state, and monthly, for rules that an
    operator has edited.
    """
    found = await standing_of(service_account_id, now)
    due = found.due(day_of(now)) if found else None
    if due is None:
        return
    at = max(now, start_of(due.on))
    await due_work.enqueue(WORK_KIND, str(service_account_id), at)
    await due_work.hasten(WORK_KIND, str(service_account_id), at)


async def plan_anew(account_id: UUID, now: datetime) -> None:
    """Plan for a holder's services after the address on record has moved to another state, whose rule now counts.

    To be called under the account's lock. A notice by the old state's rule counts no more.
    """
    rows = await fetch(
        "select id from service_accounts where account_id = $1 and product = 'ADVANCE_CONNECT' and status = 'ACTIVE'"
        " order by id limit 200",
        account_id,
    )
    for row in rows:
        service_id = read_uuid(row["id"])
        await execute("update activeness set noticed_at = null where service_account_id = $1", service_id)
        await plan(service_id, now)


async def rules() -> Sequence[Rule]:
    """Return all states' rules, also those that are not in force yet, by state and date."""
    rows = await fetch(f"select * from inactivity_rules order by state, effective_from limit {RULES_MAX}")
    return [_rule(row) for row in rows]


async def _rule_for(state: str, on: date) -> Rule | None:
    """Return a state's rule that is in force on a day."""
    row = await fetch_one(
        "select * from inactivity_rules where state = $1 and effective_from <= $2 order by effective_from desc limit 1",
        state, on,
    )  # fmt: skip
    return _rule(row) if row else None


def _rule(row: Row) -> Rule:
    return Rule(row["state"], row["days"], read_date(row["effective_from"]), row["citation"], row["disposition_days"])


def _notice_days() -> int:
    return closing_data().inactivity_notice_days
