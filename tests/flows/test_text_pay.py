"""TextPay: an offer by text when low, paid once by a Yes; STOP and HELP before anything else (rule 17)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.adapters.database import fetch, transactional
from api.domain.days import day_of, start_of
from api.services.audit import audit
from api.services.inbound_texts import prune, take_text
from api.services.sms import is_stopped
from tests import factories
from tests.factories import charged_call, fund
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.paying import fee
from tests.flows.top_ups import CANCEL_TEXT_PAY, MOBILE, Scene, captured, scene

pytestmark = pytest.mark.rule("17")


async def offered(service: Service, token: str = "tok_visa") -> Scene:
    """Return a scene in which an offer waits for an answer."""
    ann = await scene(service, 1_050, token)
    assert codes(await ann.set_text_pay()) == []
    await ann.call(10)
    assert (await ann.text_pay())["state"] == "AWAITING_REPLY"
    return ann


async def test_a_low_balance_is_texted_with_operator_amount_and_how_to_answer(service: Service) -> None:
    ann = await offered(service)

    (text,) = await ann.texts()

    assert all(part in text for part in ("Example Calls", "$9.50", "$25.00", "Yes", "24 hours", "STOP", "HELP", "4242"))
    assert (await ann.text_pay())["offerExpiresAt"] is not None
    assert await captured(service) == 0


async def test_yes_funds_the_preset_amount_and_says_so(service: Service) -> None:
    ann = await offered(service)

    await ann.reply(" ¡SÍ! ", "one")

    assert await captured(service) == 2_500
    assert await ann.posted() == "34.50"
    assert "$25.00" in (await ann.texts())[0]
    assert "$34.50" in (await ann.texts())[0]
    text_pay = await ann.text_pay()
    assert (text_pay["state"], text_pay["offerExpiresAt"]) == ("ON", None)
    assert [row["channel"] for row in await fetch("select channel from payments")] == ["TEXTPAY"]
    assert (await audit()).differences == ()


async def test_a_second_yes_charges_nothing_and_says_so(service: Service) -> None:
    ann = await offered(service)
    await ann.reply("Yes", "one")

    await ann.reply("Yes", "two")

    assert await captured(service) == 2_500
    assert "already" in (await ann.texts())[0]


async def test_ten_answers_at_once_some_of_them_repeats_charge_once(service: Service) -> None:
    ann = await offered(service)

    async def reply(number: int) -> None:
        await take_text(service.ports, f"text-{number // 2}", MOBILE, "yes!")
        await service.work()

    await asyncio.gather(*(reply(number) for number in range(10)))
    await service.work()

    assert await captured(service) == 2_500
    # The outcome, an answer to each of the four others, and the offer.
    assert len(await ann.texts()) == 6
    assert (await audit()).differences == ()


async def test_twenty_calls_at_once_below_the_threshold_give_one_offer(service: Service) -> None:
    ann = await scene(service, 1_100)
    await ann.set_text_pay()
    switch = await factories.switch_id()

    async def call(number: int) -> None:
        await charged_call(service.ports, switch, ann.opened, f"at-once-{number}", 5)
        await service.work()

    await asyncio.gather(*(call(number) for number in range(20)))

    assert len(await ann.texts()) == 1
    assert len(await fetch("select id from text_offers")) == 1


async def test_an_offer_lasts_24_hours_and_the_next_low_balance_gives_another(service: Service) -> None:
    ann = await offered(service)

    await service.advance(timedelta(hours=24, seconds=1))
    await ann.reply("Yes", "late")
    assert await captured(service) == 0
    assert "no open offer" in (await ann.texts())[0]
    await ann.call(1)
    assert len(await fetch("select id from text_offers")) == 1
    await fund(service.ports, ann.opened.key, 100)
    await ann.call(10)

    assert [row["state"] for row in await fetch("select state from text_offers order by id")] == ["EXPIRED", "OPEN"]
    await ann.reply("Yes", "in time")
    assert await captured(service) == 2_500


async def test_an_expired_offer_is_not_paid_even_before_its_end_was_noted(service: Service) -> None:
    ann = await offered(service)
    await service.advance(timedelta(hours=24))

    await take_text(service.ports, "late", MOBILE, "Yes")
    await service.work()

    assert await captured(service) == 0
    ann.holder = await factories.begin_again(ann.holder)
    assert (await ann.text_pay())["state"] == "ON"


async def test_a_yes_without_an_offer_is_answered_and_charges_nothing(service: Service) -> None:
    ann = await scene(service)
    await ann.set_text_pay()

    await ann.reply("Yes", "one")

    assert len(await ann.texts()) == 1
    assert "no open offer" in (await ann.texts())[0]
    assert await captured(service) == 0


async def test_what_is_not_clearly_a_yes_charges_nothing(service: Service) -> None:
    ann = await offered(service)

    await ann.reply("yes please, but not today", "one")

    assert await captured(service) == 0
    assert "did not understand" in (await ann.texts())[0]
    assert (await ann.text_pay())["state"] == "AWAITING_REPLY"


async def test_help_is_answered_also_while_an_offer_is_open(service: Service) -> None:
    ann = await offered(service)

    await ann.reply("Ayuda", "one")

    assert "972-734-1111" in (await ann.texts())[0]
    assert (await ann.text_pay())["state"] == "AWAITING_REPLY"


async def test_stop_ends_texting_at_once_with_no_further_text_and_tells_by_mail(service: Service) -> None:
    ann = await offered(service)

    await ann.reply("please stop", "one")
    for number, text in enumerate(("Yes", "HELP", "hello")):
        await ann.reply(text, f"after-{number}")
    await fund(service.ports, ann.opened.key, 1_000)
    await ann.call(150)

    assert len(await ann.texts()) == 1
    assert await captured(service) == 0
    text_pay = await ann.text_pay()
    assert (text_pay["state"], text_pay["offerExpiresAt"]) == ("TERMINATED", None)
    assert (await ann.subjects())[0] == "TextPay has ended"
    assert (await ann.read())["balance"]["isLow"] is False


async def test_stop_outlives_the_account_and_keeps_no_number(service: Service) -> None:
    ann = await offered(service)
    await ann.reply("STOP", "one")

    rows = await fetch("select * from stopped_phones")

    assert len(rows) == 1
    assert not any(MOBILE[1:] in str(value) for value in rows[0].values())
    assert set(rows[0].keys()) == {"id", "phone_hash", "stopped_at"}
    bob = await factories.holder(service, "bob@mail.test")
    bobs = Scene(service, bob, await bob.advance_connect(), await bob.card())
    refused = await bobs.set_text_pay()
    assert [(error["code"], error["path"]) for error in refused["errors"]] == [("INVALID", ["input", "phone"])]


async def test_start_opens_a_phone_again_but_brings_no_textpay_back(service: Service) -> None:
    ann = await offered(service)
    await ann.reply("STOP", "one")
    assert await is_stopped(service.ports, MOBILE)

    await ann.reply("start", "two")

    assert not await is_stopped(service.ports, MOBILE)
    assert "again" in (await ann.texts())[0]
    assert (await ann.text_pay())["state"] == "TERMINATED"
    assert codes(await ann.set_text_pay()) == []
    assert len(await fetch("select id from text_offers")) == 2


async def test_a_declined_yes_is_texted_and_the_next_crossing_is_offered_again(service: Service) -> None:
    ann = await offered(service, "tok_declined")

    await ann.reply("Yes", "one")

    assert (await ann.text_pay())["state"] == "PAYMENT_FAILED"
    assert "declined" in (await ann.texts())[0]
    await ann.call(1)
    assert len(await fetch("select id from text_offers")) == 1
    await fund(service.ports, ann.opened.key, 500)
    await ann.call(50)
    assert (await ann.text_pay())["state"] == "AWAITING_REPLY"


async def test_a_yes_whose_outcome_is_unknown_is_charged_once(service: Service) -> None:
    ann = await offered(service)
    await service.processor.behave("timeout_charged")

    await ann.reply("Yes", "one")
    await ann.reply("Yes", "two")
    await service.processor.behave("ok")
    await service.advance(timedelta(minutes=2))
    await service.work()

    assert await captured(service) == 2_500
    assert await ann.posted() == "34.50"


async def test_an_amount_that_leaves_the_balance_low_is_offered_again_after_each_yes(service: Service) -> None:
    ann = await scene(service, 100)
    await ann.set_text_pay(threshold="10.00", amount="5.00")

    await ann.reply("Yes", "one")
    assert (await ann.text_pay())["state"] == "AWAITING_REPLY"
    await ann.reply("Yes", "two")

    assert await ann.posted() == "11.00"
    assert (await ann.text_pay())["state"] == "ON"


async def test_setting_one_of_autopay_and_textpay_ends_the_other(service: Service) -> None:
    ann = await offered(service)

    auto = (await ann.set_auto_pay(threshold="5.00"))["serviceAccount"]
    assert (auto["autoPay"]["state"], auto["textPay"]["state"]) == ("ON", "TERMINATED")
    await ann.reply("Yes", "after")
    assert await captured(service) == 0
    text = (await ann.set_text_pay())["serviceAccount"]

    assert (text["autoPay"]["state"], text["textPay"]["state"]) == ("TERMINATED", "AWAITING_REPLY")


async def test_after_cancelling_a_yes_charges_nothing(service: Service) -> None:
    ann = await offered(service)

    cancelled = await ann.ask(CANCEL_TEXT_PAY, id=ann.opened.id)
    await ann.reply("Yes", "one")

    assert cancelled["serviceAccount"]["textPay"]["state"] == "TERMINATED"
    assert await captured(service) == 0
    assert codes(await ann.ask(CANCEL_TEXT_PAY, id=ann.opened.id)) == []


async def test_one_mobile_carries_one_textpay(service: Service) -> None:
    ann, bob = await scene(service), await factories.holder(service, "bob@mail.test")
    bobs = Scene(service, bob, await bob.advance_connect(), await bob.card())

    assert codes(await ann.set_text_pay()) == []
    taken = await bobs.set_text_pay()
    assert [(error["code"], error["path"]) for error in taken["errors"]] == [("INVALID", ["input", "phone"])]
    await ann.ask(CANCEL_TEXT_PAY, id=ann.opened.id)

    assert codes(await bobs.set_text_pay()) == []


async def test_textpay_wants_mandate_and_texts_agreed_to_and_a_phone(service: Service) -> None:
    ann = await scene(service)

    refused = await ann.set_text_pay(acceptMandate=False, acceptSms=False, agreementVersion="1", phone="12")

    assert [(error["code"], error["path"][-1]) for error in refused["errors"]] == [
        ("INVALID", "phone"), ("CONSENT_REQUIRED", "acceptMandate"), ("CONSENT_REQUIRED", "acceptSms"),
        ("CONSENT_REQUIRED", "agreementVersion"),
    ]  # fmt: skip
    assert await fetch("select id from text_pays") == []


async def test_a_stranger_is_answered_a_few_times_a_day_and_no_more(service: Service) -> None:
    ann = await scene(service)

    for number in range(6):
        await ann.reply("Yes", f"text-{number}", "+15055550199")

    assert len(await ann.texts("+15055550199")) == 3


async def test_answers_are_in_the_holders_language(service: Service) -> None:
    ann = await factories.holder(service, locale="es")
    await factories.switch_key(service)
    here = Scene(service, ann, await ann.advance_connect(500), await ann.card())

    await here.set_text_pay()
    await here.reply("YES", "one")

    paid, offer = await here.texts()
    assert "Responda Sí (o Yes)" in offer
    assert "se cobraron $25.00" in paid


async def test_texts_that_came_in_are_forgotten_after_a_month(service: Service) -> None:
    ann = await scene(service)
    await ann.reply("Yes", "one")

    async def forget(ports: object) -> int:
        return await prune(service.ports.now())

    assert await transactional(forget)(service.ports) == 0  # type: ignore[type-var]
    await service.advance(timedelta(days=31))
    assert await transactional(forget)(service.ports) == 1  # type: ignore[type-var]


@pytest.mark.rule("14")
async def test_a_yes_is_charged_what_the_offer_said_though_fees_begin_in_between(service: Service) -> None:
    ann = await offered(service)
    tomorrow = day_of(service.ports.now()) + timedelta(days=1)
    await fee("FUND_ADVANCE_CONNECT", fixed=300, since=tomorrow)
    await service.advance(start_of(tomorrow) + timedelta(minutes=1) - service.ports.now())

    await ann.reply("Yes", "one")

    assert await captured(service) == 2_500
    assert await ann.posted() == "34.50"
