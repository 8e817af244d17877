"""Holders with plans of calls, as the tests of them begin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from api.adapters.database import fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.service_accounts import Product
from api.services.subscription_states import change, lock_subscription
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.direct_bill import direct_bill
from tests.flows.money import authorize, record
from tests.flows.paying import Place, place, plan, quote_for, subscribe

LEFT = "{ me { subscriptions { includedCallsLeft } } }"
MONTH = timedelta(days=31)


class Scene(NamedTuple):
    """A holder with a phone, subscribed to a plan of calls from a facility, and the key of the switch."""

    service: Service
    ann: Holder
    opened: Opened
    where: Place
    key: str

    async def left(self) -> int | None:
        """Return how many calls the holder is shown to have left."""
        # The clock may have passed the end of the sign-in.
        token = (await factories.begin_again(self.ann)).token
        (found,) = (await self.service.ask(LEFT, token=token))["me"]["subscriptions"]
        calls: int | None = found["includedCallsLeft"]
        return calls

    async def ask(self, call_id: str = "call", **more: Any) -> dict[str, Any]:
        """Ask for a call from the facility."""
        more = {"facilityId": self.where.id} | more
        return await authorize(self.service, self.key, self.opened.phone, call_id, **more)

    async def report(self, seconds: int = 300, call_id: str = "call", **more: Any) -> dict[str, Any]:
        """Report a call from the facility, begun now."""
        more = {"facilityId": self.where.id} | more
        return await record(self.service, self.key, self.opened.phone, seconds, call_id, **more)

    async def roll_over(self, calls: int) -> None:
        """Begin the plan's next period, as a renewal does."""
        await _roll_over(self.service.ports, calls)


@transactional
async def _roll_over(ports: Ports, calls: int) -> None:
    found = await fetch_one("select id from plan_subscriptions")
    assert found is not None
    row = await lock_subscription(read_uuid(found["id"]))
    assert row is not None
    now = ports.now()
    until = now + MONTH
    await change(
        ports, row, period_start=now, period_end=until, access_until=until, renews_at=until, included_calls_left=calls
    )


async def scene(
    service: Service, calls: int | None = 2, cents: int = 0, by: Product = Product.ADVANCE_CONNECT
) -> Scene:
    """Subscribe a holder with so much in a service that nobody has called yet."""
    ann, where = await factories.holder(service), await place()
    opened = await ann.advance_connect(cents) if by is Product.ADVANCE_CONNECT else await direct_bill(service, ann)
    quoted = await quote_for(service, ann, "SUBSCRIPTION", planId=await plan(where, 1_500, by, calls))
    await subscribe(service, ann, quoted["quote"]["id"], await ann.card())
    return Scene(service, ann, opened, where, await factories.switch_key(service))


def cost(answer: dict[str, Any]) -> str:
    """Return what a call that was reported without faults has cost."""
    assert answer["errors"] == []
    amount: str = answer["call"]["cost"]["amount"]
    return amount
