"""A month that is being charged covers no visits yet: should the charge fail, nobody would have paid (rule 28)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch, read_time
from tests.flows.conftest import Service
from tests.flows.test_payments import HeldUp
from tests.flows.unsubscribing import CANCEL, act, begin
from tests.flows.visits import Scene, anew, at, scene, schedule, with_plan

pytestmark = pytest.mark.rule("28", "30")


class CancelledMeanwhile(HeldUp):
    """Lets the holder cancel, and schedule a visit of the next month, while the renewal is charged; then declines."""

    def __init__(self, service: Service, who: Scene, flow_id: str) -> None:
        super().__init__(service)
        self._who, self._flow_id = who, flow_id
        self.scheduled: dict[str, Any] = {}

    async def charge(self, **order: Any) -> Any:
        done = await act(self._service, self._who.holder.token, "completeCancellation", self._flow_id)
        assert done["errors"] == []
        self.scheduled = await schedule(self._service, self._who, at(self._service, days=14))
        await self._service.processor.behave(next="decline")
        return await self._processor.charge(**order)


async def test_a_plan_cancelled_as_it_renews_covers_no_visits_of_the_month_that_is_not_paid(service: Service) -> None:
    who = await scene(service)
    plan_id = await with_plan(service, who)
    (row,) = await fetch("select period_end from plan_subscriptions")
    await service.advance(read_time(row["period_end"]) - timedelta(minutes=5) - service.ports.now())
    await service.work()
    who = await anew(who)
    flow_id = await begin(service, who.holder, plan_id, *CANCEL[:2])
    await service.advance(timedelta(minutes=6))
    service.ports.processor = held = CancelledMeanwhile(service, who, flow_id)
    await service.work()

    assert [(error["code"], error["path"]) for error in held.scheduled["errors"]] == [
        ("INVALID", ["input", "scheduledFor"]),
    ]  # fmt: skip
