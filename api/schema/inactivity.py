"""Inactivity: states' rules, and how a service stands by them."""

from __future__ import annotations

from datetime import date, datetime

import strawberry

from api.domain.inactivity import Rule
from api.services.inactivity_plans import Standing


@strawberry.type(description="A state's rule that closes prepaid accounts on which nothing happens.")
class InactivityRule:
    state: str = strawberry.field(description='The state of the address on record, e.g. "NM".')
    days: int = strawberry.field(description="So many days without activity close an account.")
    effective_from: date = strawberry.field(description="Since when; days before do not count.")
    citation: str = strawberry.field(description="What the rule follows from.")

    @staticmethod
    def of(rule: Rule) -> InactivityRule:
        return InactivityRule(
            state=rule.state, days=rule.days, effective_from=rule.effective_from, citation=rule.citation
        )


@strawberry.type(
    description="When a service was last used, and what follows if it is not. Days are of US Central time."
)
class Inactivity:
    last_activity_at: datetime = strawberry.field(
        description="The last deposit, call, or `keepActive`; else when it was opened."
    )
    closes_on: date | None = strawberry.field(
        description="Null where no rule closes this account. Else the day on which it closes if nothing happens on it, "
        "never before its notice is so many days old as the law wants."
    )
    rule: InactivityRule | None = strawberry.field(
        description="The rule of the state of the address on record; null where that has none, and once it is closed."
    )
    notice_sent_at: datetime | None = strawberry.field(
        description="When the holder was told that it will close; null before, and after activity that followed it."
    )

    @staticmethod
    def of(found: Standing, today: date) -> Inactivity:
        return Inactivity(
            last_activity_at=found.last_activity_at,
            closes_on=found.closes_on(today),
            rule=InactivityRule.of(found.rule) if found.rule else None,
            notice_sent_at=found.noticed_at,
        )
