"""The processor's calls: signed, kept once, and applied by asking, so in any order and any number (rule 19)."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette

from api.adapters.database import fetch
from api.adapters.payments import ProcessorUnavailable
from api.adapters.payments_simulated import SimulatedProcessor
from api.routes.sandbox_webhooks import send_webhooks
from api.routes.webhooks_payments import payments_webhook
from api.services.audit import audit
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money import BY_KEY, balance, count, pay
from tests.flows.webhooks import SITE, WebhookDoor

pytestmark = pytest.mark.rule("19")


async def waiting(service: Service, token: str = "tok_3ds") -> Holder:
    """Begin a payment that waits for its holder."""
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await pay(service, ann, await ann.quote(opened), await ann.card(token))
    return ann


async def finished(service: Service, passed: bool = True) -> Holder:
    """Have a payment's holder act at the bank, of which only the processor knows as yet."""
    ann = await waiting(service)
    (charge,) = await service.processor.charges()
    await service.processor.finish_action(charge.id, passed)
    return ann


async def test_a_payment_ends_as_soon_as_the_processor_calls(service: Service) -> None:
    ann, door = await finished(service), WebhookDoor(service)
    *_, last = await door.calls()

    assert await door.say(last) == 200
    await service.work()

    assert (await balance(service, ann))["posted"] == "25.00"
    (event,) = await fetch("select * from processor_events")
    assert event["applied_at"] is not None
    assert "4242" not in str(dict(event))


async def test_five_calls_of_one_event_at_once_have_one_effect(service: Service) -> None:
    ann, door = await finished(service), WebhookDoor(service)
    *_, last = await door.calls()

    assert set(await asyncio.gather(*(door.say(last) for _ in range(5)))) == {200}
    await service.work()

    assert await count("processor_events") == 1
    assert (await balance(service, ann))["posted"] == "25.00"
    assert (await audit()).differences == ()


@pytest.mark.row("F14")
async def test_whatever_the_order_the_end_is_the_processors(service: Service) -> None:
    ann, door = await factories.holder(service), WebhookDoor(service)
    opened, card = await ann.advance_connect(), await ann.card("tok_3ds")

    for number, order in enumerate(itertools.permutations(range(4)), start=1):
        before = len(await door.calls())
        await pay(service, ann, await ann.quote(opened), card, str(order))
        charge = (await service.processor.charges())[-1]
        await service.processor.finish_action(charge.id, True)
        dispute = await service.processor.open_dispute(charge.key, service.ports.now())
        assert dispute is not None
        await service.processor.end_dispute(dispute.id, True)
        calls = (await door.calls())[before:]
        assert len(calls) == 4
        for place in order:
            assert await door.say(calls[place]) == 200
            await service.work()
        assert (await balance(service, ann))["posted"] == f"{25 * number}.00", order

    assert {row["status"] for row in await fetch("select status from disputes")} == {"WON"}
    assert {row["status"] for row in await fetch("select status from payments")} == {"SUCCEEDED"}
    assert await fetch("select id from processor_events where applied_at is null") == []
    assert (await audit()).differences == ()


async def test_a_call_that_overtakes_the_answer_counts_once(service: Service) -> None:
    ann, door = await factories.holder(service), WebhookDoor(service)
    opened = await ann.advance_connect()
    await service.processor.behave(next="timeout_charged")
    payload = await pay(service, ann, await ann.quote(opened), await ann.card())
    assert payload["payment"]["status"] == "PROCESSING"

    (call,) = await door.calls()
    assert await door.say(call) == 200
    await service.work()
    await service.advance(timedelta(minutes=2))
    await service.work()

    assert (await balance(service, ann))["posted"] == "25.00"
    assert (await audit()).differences == ()


async def test_news_of_a_payment_that_is_decided_make_no_work(service: Service) -> None:
    ann, door = await waiting(service, "tok_visa"), WebhookDoor(service)
    (call,) = await door.calls()
    before = await balance(service, ann)

    assert await door.say(call) == 200

    assert await fetch("select id from due_work where kind = 'processor_event'") == []
    assert await balance(service, ann) == before
    assert await fetch("select id from processor_events where applied_at is null") == []


@pytest.mark.parametrize("fault", ["body", "no signature", "signature", "old", "from the future", "not JSON"])
async def test_what_is_not_the_processors_is_refused_without_effect(service: Service, fault: str) -> None:
    ann, door = await finished(service), WebhookDoor(service)
    *_, last = await door.calls()
    headers = dict(await service.processor.signed(last))
    now = time.time()

    status = {
        "body": lambda: door.post(last.replace(b"succeeded", b"declined"), headers),
        "no signature": lambda: door.post(last, {}),
        "signature": lambda: door.post(last, {"webhook-signature": f"t={int(now)},v1={'0' * 64}"}),
        "old": lambda: door.say(last, now - 301),
        "from the future": lambda: door.say(last, now + 301),
        "not JSON": lambda: door.say(b"{"),
    }[fault]
    assert await status() == 400
    await service.work()

    assert await count("processor_events") == 0
    assert (await balance(service, ann))["posted"] == "0.00"


async def test_another_merchants_call_is_refused(service: Service, tmp_path: Path) -> None:
    await finished(service)
    door, other = WebhookDoor(service), SimulatedProcessor(tmp_path / "other.sqlite3", "https://calls.example")
    *_, last = await door.calls()

    assert await door.post(last, await other.signed(last)) == 400
    assert await count("processor_events") == 0
    await other.close()


async def test_four_minutes_late_is_in_time(service: Service) -> None:
    ann, door = await finished(service), WebhookDoor(service)
    *_, last = await door.calls()

    assert await door.say(last, time.time() - 240) == 200
    await service.work()
    assert (await balance(service, ann))["posted"] == "25.00"


async def test_a_claim_of_a_call_has_no_effect_since_the_processor_is_asked(service: Service) -> None:
    ann, door = await waiting(service), WebhookDoor(service)
    (charge,) = await service.processor.charges()
    lie = json.dumps(
        {"id": "evt_lie", "type": "charge.succeeded", "subject": "CHARGE", "reference": charge.key, "amount": 10**9}
    )

    assert await door.say(lie.encode()) == 200
    await service.work()

    seen = await balance(service, ann)
    assert (seen["posted"], seen["incoming"]) == ("0.00", "25.00")


@pytest.mark.parametrize("subject", ["CHARGE", "DISPUTE", "REFUND"])
@pytest.mark.parametrize("reference", ["01980000-0000-7000-8000-000000000001", "nothing of ours"])
async def test_what_is_not_known_is_kept_and_looked_at_for_three_days(
    service: Service, subject: str, reference: str
) -> None:
    door = WebhookDoor(service)
    body = json.dumps({"id": "evt_1", "type": "of something", "subject": subject, "reference": reference})

    assert await door.say(body.encode()) == 200
    await service.work()
    assert len(await fetch("select id from due_work where failed_at is null")) == 1
    await service.advance(timedelta(days=3, minutes=1))
    await service.work()

    assert len(await fetch("select id from due_work where failed_at is not null")) == 1
    assert len(await fetch("select id from processor_events where applied_at is null")) == 1


async def test_an_event_is_applied_once_the_processor_answers_again(service: Service) -> None:
    ann, door = await finished(service), WebhookDoor(service)
    processor = service.ports.processor

    class Away(SimulatedProcessor):
        async def inquire(self, key: str) -> None:
            raise ProcessorUnavailable("away")

    service.ports.processor = Away(service.processor.path, "https://calls.example")
    assert await door.say((await door.calls())[-1]) == 200
    await service.work()
    await service.ports.processor.close()
    service.ports.processor = processor

    await service.advance(timedelta(seconds=30))
    await service.work()
    assert (await balance(service, ann))["posted"] == "25.00"


async def test_a_holder_who_comes_back_from_the_bank_is_looked_after_at_once(service: Service) -> None:
    ann = await finished(service)

    first = await service.ask(BY_KEY, {"key": "key"}, token=ann.token)
    await service.work()
    second = await service.ask(BY_KEY, {"key": "key"}, token=ann.token)

    assert first["paymentByIdempotencyKey"]["status"] == "REQUIRES_ACTION"
    assert second["paymentByIdempotencyKey"]["status"] == "SUCCEEDED"


async def test_a_check_that_nobody_comes_back_from_ends_after_a_day(service: Service) -> None:
    ann = await waiting(service)

    for hours in (12, 13, 7):
        await service.advance(timedelta(hours=hours))
        await service.work()

    (charge,) = await service.processor.charges()
    assert charge.status.value == "DECLINED"
    ann = await factories.begin_again(ann)
    assert (await balance(service, ann))["incoming"] == "0.00"
    (payment,) = await fetch("select status, decline_reason from payments")
    assert (payment["status"], payment["decline_reason"]) == ("FAILED", "AUTHENTICATION_REQUIRED")


async def test_the_simulated_processor_calls_until_it_is_answered(service: Service) -> None:
    ann, door = await finished(service), WebhookDoor(service)
    said = []

    async def deaf(body: bytes, headers: object) -> int:
        said.append(body)
        return 503

    assert await service.processor.send_webhooks(deaf) == 2
    assert await service.processor.send_webhooks(door.post) == 0
    assert [webhook.delivered for webhook in await service.processor.webhooks()] == [False, False]
    assert said == list(await door.calls())
    assert (await balance(service, ann))["posted"] == "0.00"


async def test_in_the_sandbox_the_calls_come_by_themselves(service: Service) -> None:
    ann = await waiting(service)
    (charge,) = await service.processor.charges()
    app = Starlette(routes=[payments_webhook(service.ports)])
    service.ports.wake_worker = service.runner.wake
    sending = asyncio.create_task(send_webhooks(app, service.processor, SITE))
    working = asyncio.create_task(service.runner.run())

    async with service.watch("subscription { balanceChanged { cause } }", token=ann.token) as stream:
        await stream.next()
        await service.processor.finish_action(charge.id, True)
        assert (await stream.next())["balanceChanged"]["cause"] == "FUNDED"

    service.runner.stop()
    sending.cancel()
    await asyncio.gather(sending, working, return_exceptions=True)
