"""Low-balance alerts, and the threshold that makes a balance low (rule 16)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.adapters.database import fetch
from tests import factories
from tests.factories import charged_call, fund
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import BALANCE
from tests.flows.top_ups import CANCEL, SET_ALERT, Scene, scene

pytestmark = pytest.mark.rule("16")
CHANGED = f"subscription {{ balanceChanged {{ cause balance {{ {BALANCE} }} }} }}"
PREFER = """mutation($channels: [NotificationChannel!]!) {
  setNotificationPreference(topic: LOW_BALANCE, channels: $channels) { errors { code } } }"""


async def set_alert(here: Scene, threshold: str | None) -> dict[str, Any]:
    return await here.ask(SET_ALERT, id=here.opened.id, threshold=threshold)


async def test_each_crossing_is_mailed_once(service: Service) -> None:
    ann = await scene(service, 1_050)
    payload = await set_alert(ann, "10.00")
    assert payload["serviceAccount"] == {"lowBalanceAlert": {"amount": "10.00"}, "balance": {"isLow": False}}

    for _ in range(4):
        await ann.call(2)
    assert await ann.subjects() == ["Your balance is low: $9.90"]
    await fund(service.ports, ann.opened.key, 200)
    await ann.call(50)

    assert await ann.subjects() == ["Your balance is low: $6.70", "Your balance is low: $9.90"]


async def test_twenty_calls_at_once_are_told_once(service: Service) -> None:
    ann = await scene(service, 1_050)
    await set_alert(ann, "10.00")
    switch = await factories.switch_id()

    async def call(number: int) -> None:
        await charged_call(service.ports, switch, ann.opened, f"at-once-{number}", 2)
        await service.work()

    await asyncio.gather(*(call(number) for number in range(20)))

    assert len(await ann.subjects()) == 1


async def test_it_goes_by_the_channels_that_the_holder_prefers(service: Service) -> None:
    ann = await scene(service, 1_050)
    await set_alert(ann, "10.00")
    await ann.ask(PREFER, channels=["SMS"])

    await ann.call(10)

    assert await ann.subjects() == []
    (text,) = await ann.texts("+12145550123")
    assert all(part in text for part in ("Example Calls", "$9.50", "$10.00", "STOP"))


async def test_a_balance_that_is_low_already_when_the_alert_is_set_is_not_told_of(service: Service) -> None:
    ann = await scene(service, 500)

    payload = await set_alert(ann, "10.00")
    await ann.call(1)

    assert payload["serviceAccount"]["balance"] == {"isLow": True}
    assert await ann.subjects() == []


async def test_the_highest_threshold_makes_the_balance_low_and_without_any_nothing_is(service: Service) -> None:
    ann = await scene(service, 2_000)

    async def is_low() -> bool:
        found: bool = (await ann.read())["balance"]["isLow"]
        return found

    assert not await is_low()
    await set_alert(ann, "15.00")
    await ann.set_auto_pay(threshold="19.00", amount="25.00", monthlyCap="25.00")
    await ann.set_text_pay(threshold="5.00")
    assert (await fetch("select low_below from balances"))[0]["low_below"] == 1_500
    await set_alert(ann, "30.00")
    assert await is_low()
    await set_alert(ann, None)
    assert (await fetch("select low_below from balances"))[0]["low_below"] == 500
    await ann.set_auto_pay(threshold="7.00")
    await ann.ask(CANCEL, id=ann.opened.id)
    assert (await fetch("select low_below from balances"))[0]["low_below"] is None
    assert not await is_low()


async def test_a_changed_threshold_is_told_to_watchers(service: Service) -> None:
    ann = await scene(service, 500)

    async with service.watch(CHANGED, token=ann.holder.token) as stream:
        first = (await stream.next())["balanceChanged"]["balance"]
        await set_alert(ann, "10.00")
        second = (await stream.next())["balanceChanged"]
        await set_alert(ann, "10.00")
        await set_alert(ann, None)
        third = (await stream.next())["balanceChanged"]

    assert (first["isLow"], second["balance"]["isLow"], third["balance"]["isLow"]) == (False, True, False)
    assert second["cause"] == "SNAPSHOT"
    assert third["balance"]["revision"] == first["revision"] + 2


async def test_each_mechanism_acts_at_its_own_threshold(service: Service) -> None:
    ann = await scene(service, 2_050)
    await set_alert(ann, "20.00")
    await ann.set_auto_pay(threshold="10.00")

    await ann.call(10)
    assert await service.processor.captured_cents() == 0
    assert (await ann.subjects())[0] == "Your balance is low: $19.50"
    await ann.call(100)

    assert await service.processor.captured_cents() == 2_500


async def test_while_nothing_is_low_no_work_falls_due(service: Service) -> None:
    ann = await scene(service, 2_000)
    await ann.call(10, works=False)
    assert await fetch("select kind from due_work where kind <> 'card_expiry'") == []

    await set_alert(ann, "10.00")
    await ann.call(10, works=False)
    assert await fetch("select kind from due_work where kind <> 'card_expiry'") == []
    await ann.call(100, works=False)

    assert [row["kind"] for row in await fetch("select kind from due_work where kind <> 'card_expiry'")] == [
        "low_balance"
    ]


async def test_thresholds_that_cannot_be_are_refused_as_are_strangers_services(service: Service) -> None:
    ann, bob = await scene(service), await factories.holder(service, "bob@mail.test")
    theirs = await bob.advance_connect()

    for threshold in ("0.00", "-5.00", "1.005"):
        refused = await set_alert(ann, threshold)
        assert [(error["code"], error["path"]) for error in refused["errors"]] == [("INVALID", ["threshold"])]
    assert codes(await set_alert(ann, "1000.01")) == ["LIMIT_EXCEEDED"]
    assert codes(await ann.ask(SET_ALERT, id=theirs.id, threshold="5.00")) == ["NOT_FOUND"]
