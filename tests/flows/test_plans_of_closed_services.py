"""A plan whose first month is being paid while its service is closed does not outlive it (rules 25 and 28)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch
from api.domain.service_accounts import Product
from api.services.audit import audit
from tests import factories
from tests.factories import Holder
from tests.flows.closing import close
from tests.flows.conftest import Service
from tests.flows.paying import opened, place, plan, service_id, subscribe
from tests.flows.test_payments import HeldUp
from tests.flows.test_subscribing import quoted_plan

pytestmark = pytest.mark.rule("25", "28")


class ClosedMeanwhile(HeldUp):
    """Lets the holder close the service while the first request stands still."""

    def __init__(self, service: Service, holder: Holder, closed: str) -> None:
        super().__init__(service)
        self._holder, self._closed = holder, closed

    async def charge(self, **order: Any) -> Any:
        self._service.ports.processor = self._processor
        await close(self._service, self._holder, self._closed)
        return await self._processor.charge(**order)


async def pass_months(service: Service) -> None:
    for _ in range(3):
        await service.advance(timedelta(days=32))
        await service.work()


@pytest.mark.parametrize("is_another_open", [False, True])
async def test_a_month_paid_while_its_service_is_closed_ends_with_it(service: Service, is_another_open: bool) -> None:
    ann = await factories.holder(service)
    closed = service_id(await opened(ann, Product.VIDEO_CONNECT))
    if is_another_open:
        # Of another product: its plans are others.
        await opened(ann, Product.EMESSAGING)
    quoted, card = await quoted_plan(service, ann, await plan(await place())), await ann.card()
    service.ports.processor = ClosedMeanwhile(service, ann, closed)

    assert (await subscribe(service, ann, quoted, card))["payment"]["status"] == "SUCCEEDED"
    await pass_months(service)

    rows = await fetch("select status, renews_at, live_key from plan_subscriptions")
    assert [(row["status"], row["renews_at"], row["live_key"]) for row in rows] == [
        ("CANCELLED_BY_CLOSURE", None, None)
    ]
    assert await service.processor.captured_cents() == 2_999
    assert (await audit()).differences == ()


async def test_a_check_by_the_bank_that_waits_for_a_closed_services_plan_is_ended(service: Service) -> None:
    ann = await factories.holder(service)
    closed = service_id(await opened(ann, Product.VIDEO_CONNECT))
    quoted, card = await quoted_plan(service, ann, await plan(await place())), await ann.card("tok_3ds")
    waiting = await subscribe(service, ann, quoted, card)

    await close(service, ann, closed)
    await service.work()

    rows = await fetch("select status from payments")
    assert (waiting["payment"]["status"], [row["status"] for row in rows]) == ("REQUIRES_ACTION", ["FAILED"])
    assert await service.processor.captured_cents() == 0


async def test_a_plan_that_is_begun_after_a_service_was_closed_is_kept(service: Service) -> None:
    ann = await factories.holder(service)
    closed = service_id(await opened(ann, Product.VIDEO_CONNECT))
    await close(service, ann, closed)
    await service.advance(timedelta(minutes=1))
    await opened(ann, Product.VIDEO_CONNECT)

    quoted = await quoted_plan(service, ann, await plan(await place()))
    done = await subscribe(service, ann, quoted, await ann.card())

    assert done["subscription"]["status"] == "ACTIVE"
