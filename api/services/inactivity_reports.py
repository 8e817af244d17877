"""What compliance reports: services that states' rules have closed, and what is held for holders (rules 26 and 39)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import fetch
from api.domain.days import start_of
from api.services.pages import Page, PageRequest, newest_first

STATES_MAX = 200
_REFUNDS = "select coalesce(sum(r.amount), 0) from refunds r where r.closure_id = c.id"
_HELD = "select coalesce(sum(h.amount), 0) from held_funds h where h.closure_id = c.id"
# What was rerouted, or is claimed, is in another refund of the same closing already.
_AMOUNT = f"({_REFUNDS} and r.status <> 'REROUTED' and r.origin not like 'held:%')"
_PAID = f"({_REFUNDS} and r.status = 'COMPLETED')"
_HELD_NOW = f"({_HELD} and h.state = 'HELD')"
_DISPOSED = f"({_HELD} and h.state = 'DISPOSED')"
_CLOSED = "c.kind = 'INACTIVITY' and c.requested_at >= $1 and c.requested_at < $2"


class StateTotals(NamedTuple):
    """A state's sums, in cents. The first five are of services closed in the period; the last two of all closings."""

    state: str
    closed: int = 0
    amount: int = 0
    paid_out: int = 0
    held: int = 0
    disposed: int = 0
    all_held_count: int = 0
    all_held: int = 0


async def totals(since: date, until: date) -> Sequence[StateTotals]:
    """Return the sums by state of what was closed from `since` to `until`, both Central days included; two statements.

    What is held, of whatever cause, is as of now and by the state of the address on record when it was asked for.
    """
    found: dict[str, StateTotals] = {}
    closed = await fetch(
        f"select c.rule_state as state, count(*) as closed, sum({_AMOUNT}) as amount, sum({_PAID}) as paid_out,"
        f" sum({_HELD_NOW}) as held, sum({_DISPOSED}) as disposed from closures c where {_CLOSED}"
        f" group by c.rule_state limit {STATES_MAX}",
        start_of(since), start_of(until + timedelta(days=1)),
    )  # fmt: skip
    for row in closed:
        sums = [int(row[name]) for name in ("closed", "amount", "paid_out", "held", "disposed")]
        found[row["state"]] = StateTotals(row["state"], *sums)
    held = await fetch(
        "select residence as state, count(*) as count, sum(amount) as amount from held_funds where state = 'HELD'"
        f" group by residence limit {STATES_MAX}"
    )
    for row in held:
        one = found.get(row["state"], StateTotals(row["state"]))
        found[row["state"]] = one._replace(all_held_count=int(row["count"]), all_held=int(row["amount"]))
    return [found[state] for state in sorted(found)]


async def closings_page(since: date, until: date, request: PageRequest) -> Page:
    """Return the services that states' rules closed in the period, newest first, each with its sums; one statement."""
    return await newest_first(
        "select * from (select c.id, c.rule_state, c.requested_at, s.number, k.noticed_at,"
        f" {_AMOUNT} as amount, {_PAID} as paid_out, {_HELD_NOW} as held, {_DISPOSED} as disposed from closures c"
        " join closed_services x on x.closure_id = c.id join service_accounts s on s.id = x.service_account_id"
        f" left join activeness k on k.service_account_id = s.id where {_CLOSED}) closed where amount >= 0",
        [start_of(since), start_of(until + timedelta(days=1))],
        [("id", UUID)],
        request,
    )
