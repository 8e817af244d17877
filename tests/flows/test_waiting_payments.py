"""A payment that nobody came back to from the bank's page gives way to a new one of the same invoice or plan."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.adapters.payments import Charge, ProcessorUnavailable
from api.adapters.payments_simulated import SimulatedProcessor
from api.services.audit import audit
from tests import factories
from tests.flows.conftest import Service
from tests.flows.direct_bill import invoiced, invoices, pay_link
from tests.flows.getting_in import codes
from tests.flows.money import pay
from tests.flows.paying import place, plan, quote_for, subscribe

pytestmark = pytest.mark.rule("14")
WHILE = timedelta(minutes=11)


async def pay_invoice(service: Service, ann: factories.Holder, token: str = "tok_visa", key: str = "key") -> Any:
    (invoice,) = await invoices(service, ann)
    quoted = await quote_for(service, ann, "PAY_INVOICE", invoiceId=invoice["id"])
    return await pay(service, ann, quoted["quote"]["id"], await ann.card(token), key)


async def statuses(service: Service) -> list[str]:
    return [charge.status.value for charge in await service.processor.charges()]


async def test_an_invoice_is_paid_anew_by_account_and_by_link_after_ten_minutes(service: Service) -> None:
    ann, _, link, _ = await invoiced(service)
    await pay_link(service, link, "1.00", "tok_3ds")
    at_once = await pay_invoice(service, ann, "tok_3ds", "at once")
    await service.advance(WHILE)

    anew = await pay_invoice(service, ann, "tok_3ds", "anew")
    again = await pay_invoice(service, ann, "tok_visa", "again")
    await service.advance(WHILE)
    by_link = await pay_link(service, link, "1.00", key="link")

    assert codes(at_once) == codes(again) == ["STALE"]
    assert (codes(anew), anew["payment"]["status"]) == ([], "REQUIRES_ACTION")
    assert (codes(by_link), by_link["invoice"]["status"]) == ([], "PAID")
    assert await statuses(service) == ["DECLINED", "DECLINED", "SUCCEEDED"]
    assert (await audit()).differences == ()


async def test_a_replay_ends_nothing_that_waits(service: Service) -> None:
    ann, _, link, _ = await invoiced(service)
    (invoice,) = await invoices(service, ann)
    quoted = (await quote_for(service, ann, "PAY_INVOICE", invoiceId=invoice["id"]))["quote"]["id"]
    card = await ann.card("tok_3ds")
    await pay(service, ann, quoted, card)
    await service.advance(WHILE)

    replays = [await pay(service, ann, quoted, card), await pay(service, ann, quoted, card, "another key")]

    assert [one["payment"]["status"] for one in replays] == ["REQUIRES_ACTION"] * 2
    assert await statuses(service) == ["REQUIRES_ACTION"]
    assert codes(await pay_link(service, link, "2.00")) == ["INVALID_STATE"]


async def test_what_succeeded_at_the_bank_meanwhile_is_not_paid_twice(service: Service) -> None:
    ann, _, link, _ = await invoiced(service)
    await pay_invoice(service, ann, "tok_3ds")
    (charge,) = await service.processor.charges()
    await service.processor.finish_action(charge.id, True)
    await service.advance(WHILE)

    refused = await pay_link(service, link, "1.00")

    assert codes(refused) == ["INVALID_STATE"]
    assert (await invoices(service, ann))[0]["status"] == "PAID"
    assert await service.processor.captured_cents() == 100
    assert (await audit()).differences == ()


async def test_while_the_processor_does_not_answer_nothing_new_is_charged(service: Service) -> None:
    ann, *_ = await invoiced(service)
    await pay_invoice(service, ann, "tok_3ds")
    await service.advance(WHILE)
    processor = service.ports.processor

    class Away(SimulatedProcessor):
        async def cancel(self, key: str) -> Charge | None:
            raise ProcessorUnavailable("away")

    service.ports.processor = Away(service.processor.path, "https://calls.example")
    refused = await pay_invoice(service, ann, key="anew")
    await service.ports.processor.close()
    service.ports.processor = processor

    assert codes(refused) == ["UNAVAILABLE"]
    assert await statuses(service) == ["REQUIRES_ACTION"]


@pytest.mark.rule("28")
async def test_a_plan_is_quoted_and_subscribed_to_anew_after_ten_minutes(service: Service) -> None:
    ann, where = await factories.holder(service), await place()
    first, other = await plan(where), await plan(where, 500)
    quoted = await quote_for(service, ann, "SUBSCRIPTION", planId=first)
    await subscribe(service, ann, quoted["quote"]["id"], await ann.card("tok_3ds"))
    await service.advance(WHILE)

    quoted = await quote_for(service, ann, "SUBSCRIPTION", planId=other)
    done = await subscribe(service, ann, quoted["quote"]["id"], await ann.card(), "anew")

    assert (codes(done), done["subscription"]["status"]) == ([], "ACTIVE")
    assert await statuses(service) == ["DECLINED", "SUCCEEDED"]
    assert (await audit()).differences == ()
