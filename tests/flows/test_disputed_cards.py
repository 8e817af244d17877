"""A card whose bank took a payment back is charged no more while nobody is there (rules 16, 17)."""

from __future__ import annotations

import pytest

from api.adapters.payments import Dispute
from api.services import chargebacks
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.top_ups import PAUSE, Scene, captured, scene


async def disputed(service: Service, ann: Scene) -> Dispute:
    """Have the bank take the last charge back; then do what is due."""
    found = await service.processor.open_dispute((await service.processor.charges())[-1].key, service.ports.now(), None)
    assert found is not None
    assert await chargebacks.follow(service.ports, found.id)
    await ann.settle()
    return found


@pytest.mark.rule("16")
async def test_autopay_charges_no_card_that_was_disputed_and_says_that_it_stopped(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await ann.call(10)
    assert await captured(service) == 2_500

    await disputed(service, ann)
    await ann.call(1)

    assert await captured(service) == 2_500
    assert (await ann.auto_pay())["state"] == "PAYMENT_FAILED"
    assert sum("AutoPay has stopped" in subject for subject in await ann.subjects()) == 1


@pytest.mark.rule("16")
async def test_resuming_or_setting_autopay_anew_does_not_charge_a_disputed_card(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await ann.call(10)
    found = await disputed(service, ann)

    await ann.ask(PAUSE, id=ann.opened.id, paused=False)
    refused = await ann.set_auto_pay()

    assert codes(refused) == ["INVALID"]
    assert refused["errors"][0]["path"] == ["input", "paymentMethodId"]
    assert await captured(service) == 2_500
    await service.processor.end_dispute(found.id, True)
    assert await chargebacks.follow(service.ports, found.id)
    assert codes(await ann.set_auto_pay()) == []


@pytest.mark.rule("16")
async def test_another_card_takes_over_from_a_disputed_one(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await ann.call(10)
    await disputed(service, ann)

    other = await ann.holder.card("tok_mastercard")
    assert codes(await ann.set_auto_pay(paymentMethodId=other)) == []

    assert await captured(service) == 5_000
    assert (await ann.auto_pay())["state"] == "ON"


@pytest.mark.rule("17")
async def test_a_yes_charges_no_card_that_was_disputed(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_text_pay()
    await ann.call(10)
    await ann.reply("Yes", "one")
    await disputed(service, ann)

    await ann.reply("Yes", "two")

    assert await captured(service) == 2_500
    assert (await ann.text_pay())["state"] == "PAYMENT_FAILED"
