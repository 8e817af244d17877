"""The processor's calls about refunds, in every order: late, contradictory, and ahead of what they follow from."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest

from api.adapters.database import fetch, fetch_one, read_uuid
from api.services.processor_events import WORK_KIND
from api.services.refund_work import CARD_WORK
from tests import factories
from tests.flows.conftest import Service
from tests.flows.money_back import begin, fix_amount, paid
from tests.flows.test_closing_races import agreed_with_processor
from tests.flows.webhooks import WebhookDoor

FAILED, SUCCEEDED, BEGUN, CONFIRMED = range(4)


async def given_back(service: Service, number: int, *, heard: bool) -> tuple[str, str]:
    """Have the processor confirm the refund of a charge, of which only it knows; return the keys of both there.

    Where it was not even heard that the refund was taken, whoever asked for it died of it.
    """
    ann = await factories.holder(service, f"ann{number}@mail.test")
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    refund_id, _ = await begin(service.ports, ann, opened.key)
    await fix_amount(service.ports, refund_id, opened.key)
    part = await fetch_one("select * from refund_parts where refund_id = $1", refund_id)
    assert part is not None
    charge, key = (await service.processor.charges())[-1], str(read_uuid(part["id"]))
    if heard:
        await service.runner.drain(service.ports.now(), (CARD_WORK,))
    else:
        await service.processor.refund(key=key, charge=charge.id, amount_cents=2_500, at=service.ports.now())
    confirmed = await service.processor.inquire_refund(
        key, charge=charge.id, at=service.ports.now() + timedelta(days=30)
    )
    assert confirmed is not None
    assert confirmed.status.value == "SUCCEEDED"
    return charge.key, key


@pytest.mark.row("F14")
@pytest.mark.rule("19", "23")
async def test_whatever_the_order_a_charge_that_went_back_ends_as_the_processor_has_it(service: Service) -> None:
    door = WebhookDoor(service)
    for number, order in enumerate(itertools.permutations((FAILED, SUCCEEDED, BEGUN, CONFIRMED))):
        before = len(await door.calls())
        charge, part = await given_back(service, number, heard=number % 2 == 0)
        told = (await door.calls())[before:]
        assert [json.loads(call)["type"] for call in told] == ["charge.succeeded", "refund.pending", "refund.succeeded"]
        # What was true once, or never, is told as well: that the charge failed.
        wrong = {"id": f"evt_{number}", "type": "charge.declined", "subject": "CHARGE", "reference": charge}
        calls = [json.dumps(wrong).encode(), *told]

        for place in order:
            assert await door.say(calls[place]) == 200
            await service.runner.drain(service.ports.now(), (WORK_KIND,))
        await service.work()

        (payment,) = await fetch("select status from payments where id = $1", charge)
        (refund,) = await fetch(
            "select r.status from refunds r join refund_parts p on p.refund_id = r.id where p.id = $1", part
        )
        assert (payment["status"], refund["status"]) == ("REFUNDED", "COMPLETED"), order

    assert await agreed_with_processor(service) == 0
    assert await fetch("select id from processor_events where applied_at is null") == []
    assert len([entry for entry in await service.processor.log() if entry.act == "REFUND_PENDING"]) == 24
