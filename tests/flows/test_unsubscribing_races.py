"""A plan that is cancelled at the very instant at which it renews: charged or cancelled, never both (rules 28 to 30).

RACES has the race run so many times; `make hammer` does two hundred.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api.adapters.database import Row, fetch, read_time
from api.adapters.payments_simulated_file import ChargeBehaviour
from api.domain.ids import NodeKind, global_id
from api.services import due_work, renewals
from api.services.audit import audit
from api.services.subscription_states import RENEWAL_WORK
from tests import factories
from tests.flows.closing import ledger_of
from tests.flows.conftest import Service
from tests.flows.renewing import Scene, begun
from tests.flows.test_payments import HeldUp
from tests.flows.unsubscribing import CANCEL, act, begin, cancel

pytestmark = pytest.mark.rule("28", "29", "30")
RACES = int(os.environ.get("RACES") or 4)
BEHAVIOURS: tuple[ChargeBehaviour, ...] = ("ok", "timeout_charged", "timeout", "decline")
"""How the processor behaves, in turn."""
PRICE = 2_999


async def at_the_instant(service: Service, count: int) -> dict[str, Scene]:
    """Return so many holders' plans by their keys, all due to renew by now, with nothing done about it yet."""
    scenes = [await begun(service, email=f"race{number}@mail.test") for number in range(count)]
    # They began one after the other: none may have renewed before the last is due.
    first, last = await scenes[0].ends(), await scenes[-1].ends()
    await scenes[0].until(first - timedelta(minutes=1))
    await service.advance(last - service.ports.now() + timedelta(seconds=1))
    found = {}
    for scene in scenes:
        (row,) = await fetch("select id from plan_subscriptions where account_id = $1", scene.holder.account_id)
        scene.holder = await factories.begin_again(scene.holder)
        found[str(UUID(str(row["id"])))] = scene
    return found


async def race(service: Service, claim: due_work.Claim, scene: Scene, pick: random.Random) -> None:
    """Renew a plan and complete its cancellation at once, one of them a little ahead."""
    one = global_id(NodeKind.SUBSCRIPTION, UUID(claim.key))
    flow_id = await begin(service, scene.holder, one, *CANCEL[:2])

    async def renew() -> None:
        with contextlib.suppress(due_work.Fenced):
            await renewals.look(service.ports, claim)

    async def complete() -> None:
        payload = await act(service, scene.holder.token, "completeCancellation", flow_id)
        assert payload["errors"] == []
        assert payload["subscription"]["renewsAt"] is None

    async def later(do: Any, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await do()

    await asyncio.gather(*(later(do, pick.randrange(120)) for do in pick.sample((renew, complete), 2)))


async def settle(service: Service) -> None:
    """Let what the processor left open be asked for."""
    for _ in range(4):
        await service.advance(timedelta(minutes=11))
        await service.work()


async def plan_of(scene: Scene) -> Row:
    (row,) = await fetch("select * from plan_subscriptions where account_id = $1", scene.holder.account_id)
    return row


@pytest.mark.row("F50")
async def test_a_plan_cancelled_as_it_renews_is_charged_or_cancelled_and_never_both(service: Service) -> None:
    scenes, pick = await at_the_instant(service, RACES), random.Random("F50")
    waiting, now = dict(scenes), service.ports.now()

    while claim := await due_work.claim_next(service.ports, (RENEWAL_WORK,), now):
        if claim.key in waiting:
            await service.processor.behave(next=BEHAVIOURS[len(waiting) % len(BEHAVIOURS)])
            await race(service, claim, waiting.pop(claim.key), pick)
        else:
            # One whose renewal failed after it was cancelled ends.
            await renewals.look(service.ports, claim)
    await service.processor.behave(next="ok")
    await settle(service)

    ways: Counter[str] = Counter()
    for scene in scenes.values():
        row = await plan_of(scene)
        paid = await fetch("select status from payments where subscription_id = $1 and status <> 'FAILED'", row["id"])
        if paid:
            # The renewal came first: what it paid is used, and there is no other.
            assert [each["status"] for each in paid] == ["SUCCEEDED"]
            assert (row["status"], row["months"], row["renews_at"]) == ("CANCEL_SCHEDULED", 2, None)
            assert read_time(row["access_until"]) == read_time(row["period_end"]) > now
        else:
            assert (row["status"], row["months"], row["renews_at"]) == ("ENDED", 1, None)
        ways["charged" if paid else "cancelled"] += 1
    assert ways["charged"] + ways["cancelled"] == RACES
    assert await service.processor.captured_cents() == PRICE * (RACES + ways["charged"])
    print(f"F50: {dict(ways)}")

    await service.advance(timedelta(days=40))
    await settle(service)

    assert {(await plan_of(scene))["status"] for scene in scenes.values()} == {"ENDED"}
    assert await service.processor.captured_cents() == PRICE * (RACES + ways["charged"])
    assert await ledger_of("PLAN_REVENUE") == PRICE * (RACES + ways["charged"])
    assert (await audit()).differences == ()


class CancelledMeanwhile(HeldUp):
    """Gives the charge up and lets the holder cancel while the request stands still, then charges after all."""

    def __init__(self, service: Service, scene: Scene) -> None:
        super().__init__(service)
        self._scene = scene

    async def charge(self, **order: Any) -> Any:
        service = self._service
        service.ports.processor = self._processor
        await service.advance(timedelta(minutes=11))
        await service.work()
        one = (await self._scene.read())["id"]
        await cancel(service, self._scene.holder, one)
        return await self._processor.charge(**order)


@pytest.mark.row("F50")
async def test_a_charge_that_turns_up_after_the_plan_was_cancelled_buys_a_month_that_does_not_renew(
    service: Service,
) -> None:
    scene = await begun(service)
    await scene.stand_before()
    late = CancelledMeanwhile(service, scene)
    # Nobody can promise for this one that the key is given up.
    late._processor.abandon = late._processor.inquire  # type: ignore[method-assign]
    service.ports.processor = late
    await service.work()
    await settle(service)

    found = await fetch("select status, renews_at, months from plan_subscriptions order by id")
    assert [(row["status"], row["renews_at"]) for row in found] == [("ENDED", None), ("CANCEL_SCHEDULED", None)]
    await service.advance(timedelta(days=40))
    await settle(service)
    assert await service.processor.captured_cents() == 2 * PRICE
    assert (await audit()).differences == ()
