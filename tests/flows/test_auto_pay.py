"""AutoPay: once per low balance, within its cap, as long as it is on (rule 16)."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, fetch_one
from api.services.audit import audit
from tests import factories
from tests.factories import charged_call, fund
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import pay
from tests.flows.top_ups import CANCEL, PAUSE, Scene, captured, scene

pytestmark = pytest.mark.rule("16")


async def advance_to(service: Service, at: datetime) -> None:
    await service.advance(at - service.ports.now())


async def test_crossing_the_threshold_charges_the_preset_amount_once(service: Service) -> None:
    ann = await scene(service, 1_100)
    await ann.set_auto_pay()

    await ann.call(10)
    assert await captured(service) == 0
    await ann.call(5)

    auto_pay = await ann.auto_pay()
    assert await ann.posted() == "34.50"
    assert auto_pay["lastPayment"] == {
        "status": "SUCCEEDED", "channel": "AUTOPAY", "declineReason": None, "amount": {"amount": "25.00"},
    }  # fmt: skip
    assert (auto_pay["state"], auto_pay["chargedThisMonth"]) == ("ON", {"amount": "25.00"})
    assert (await audit()).differences == ()


async def test_each_time_the_balance_falls_low_it_is_charged_again(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()

    for _ in range(3):
        await ann.call(255)
    await ann.call(10)

    assert await captured(service) == 7_500
    assert (await audit()).differences == ()


async def test_exactly_at_the_threshold_is_not_low(service: Service) -> None:
    ann = await scene(service, 1_100)
    await ann.set_auto_pay()

    await ann.call(10)

    assert (await ann.read())["balance"]["isLow"] is False
    assert await captured(service) == 0


async def test_twenty_calls_at_once_below_the_threshold_give_one_charge(service: Service) -> None:
    ann = await scene(service, 1_100)
    await ann.set_auto_pay()
    switch = await factories.switch_id()

    async def call(number: int) -> None:
        await charged_call(service.ports, switch, ann.opened, f"at-once-{number}", 5)
        await service.work()

    await asyncio.gather(*(call(number) for number in range(20)))
    await service.work()

    assert await captured(service) == 2_500
    assert await ann.posted() == "26.00"
    assert (await audit()).differences == ()


async def test_calls_while_a_charge_is_under_way_begin_no_second_one(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await service.processor.behave("timeout")

    await ann.call(10)
    await service.advance(timedelta(seconds=20))
    await ann.call(10)
    await service.advance(timedelta(minutes=2))
    await ann.call(10)

    assert len(await fetch("select id from payments")) == 1
    assert (await ann.read())["balance"]["incoming"] == {"amount": "25.00"}
    await service.processor.behave("ok")
    await service.advance(timedelta(minutes=15))
    await service.work()
    assert (await ann.auto_pay())["lastPayment"]["declineReason"] == "PROCESSOR_UNAVAILABLE"
    assert await captured(service) == 0


async def test_an_unknown_outcome_is_found_out_and_not_charged_twice(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await service.processor.behave("timeout_charged")

    await ann.call(10)
    assert (await ann.auto_pay())["lastPayment"]["status"] == "PROCESSING"
    await service.processor.behave("ok")
    await service.advance(timedelta(minutes=2))
    await service.work()

    assert await captured(service) == 2_500
    assert await ann.posted() == "34.50"


async def test_a_charge_whose_process_died_before_it_was_sent_is_sent_by_another(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await service.processor.behave("timeout")
    await ann.call(10)

    await service.processor.behave("ok")
    await service.advance(timedelta(seconds=16))
    await service.work()

    assert await ann.posted() == "34.50"
    assert await captured(service) == 2_500


async def test_setting_it_while_the_balance_is_low_charges_at_once(service: Service) -> None:
    ann = await scene(service, 500)

    payload = await ann.set_auto_pay()

    assert payload["errors"] == []
    assert payload["serviceAccount"]["autoPay"]["lastPayment"]["status"] == "SUCCEEDED"
    assert payload["serviceAccount"]["balance"]["isLow"] is False
    assert await captured(service) == 2_500


@pytest.mark.row("F33")
async def test_declines_are_tried_again_after_24_and_48_hours_and_then_it_stops_with_a_notice(service: Service) -> None:
    ann = await scene(service, 1_050, "tok_declined")
    await ann.set_auto_pay()
    await ann.subjects()

    async def tries() -> int:
        await service.work()
        return len(await fetch("select id from payments"))

    await ann.call(10)
    counted = [await tries()]
    for hours in (23.5, 0.6, 23.3, 0.8, 24, 48):
        await service.advance(timedelta(hours=hours))
        await ann.call(1)
        counted.append(await tries())

    assert counted == [1, 1, 2, 2, 3, 3, 3]
    ann.holder = await factories.begin_again(ann.holder)
    assert (await ann.auto_pay())["state"] == "PAYMENT_FAILED"
    assert (await ann.subjects())[:3] == [
        "AutoPay has stopped: your card was declined", "AutoPay could not charge your card",
        "AutoPay could not charge your card",
    ]  # fmt: skip
    assert await captured(service) == 0


async def test_a_failed_autopay_is_left_by_resuming_which_charges_at_once(service: Service) -> None:
    ann = await scene(service, 500)
    await service.processor.behave("decline")
    await ann.set_auto_pay()
    for _ in range(2):
        await service.advance(timedelta(hours=24))
        await service.work()
    ann.holder = await factories.begin_again(ann.holder)
    assert (await ann.auto_pay())["state"] == "PAYMENT_FAILED"
    await service.processor.behave("ok")
    await fund(service.ports, ann.opened.key, 600)
    await ann.call(20)
    assert await captured(service) == 0

    resumed = await ann.ask(PAUSE, id=ann.opened.id, paused=False)

    assert resumed["serviceAccount"]["autoPay"]["state"] == "ON"
    assert await captured(service) == 2_500


async def test_money_from_elsewhere_ends_the_tries(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await service.processor.behave("decline")
    await ann.call(10)
    await service.processor.behave("ok")
    await fund(service.ports, ann.opened.key, 1_000)

    await service.advance(timedelta(hours=25))
    await service.work()
    assert await captured(service) == 0

    await ann.call(100)
    assert await captured(service) == 2_500


async def test_a_card_that_wants_its_holder_counts_as_declined(service: Service) -> None:
    ann = await scene(service, 1_050, "tok_3ds")
    await ann.set_auto_pay()

    await ann.call(10)

    last = (await ann.auto_pay())["lastPayment"]
    assert (last["status"], last["declineReason"]) == ("FAILED", "AUTHENTICATION_REQUIRED")
    assert (await ann.read())["balance"]["incoming"] == {"amount": "0.00"}
    # Nothing waits at the processor that somebody could still let through.
    assert [charge.status.value for charge in await service.processor.charges()] == ["DECLINED"]


async def test_the_cap_of_a_month_holds_until_the_month_begins_in_central_time(service: Service) -> None:
    await advance_to(service, datetime(2027, 2, 20, tzinfo=UTC))
    ann = await scene(service, 500)
    await ann.set_auto_pay(monthlyCap="30.00")
    await ann.call(250)
    assert (await ann.auto_pay())["state"] == "CAP_REACHED"
    assert await captured(service) == 2_500

    # Midnight of 1 March in Central Standard Time is six in the morning by UTC.
    for at, cents in (
        (datetime(2027, 3, 1, 5, 59, tzinfo=UTC), 2_500),
        (datetime(2027, 3, 1, 6, 0, tzinfo=UTC), 5_000),
    ):
        await advance_to(service, at + timedelta(seconds=1))
        await service.work()
        assert await captured(service) == cents
    # Midnight of 1 April in Central Daylight Time is five in the morning.
    await ann.call(250)
    for at, cents in (
        (datetime(2027, 4, 1, 4, 59, tzinfo=UTC), 5_000),
        (datetime(2027, 4, 1, 5, 0, tzinfo=UTC), 7_500),
    ):
        await advance_to(service, at + timedelta(seconds=1))
        await service.work()
        assert await captured(service) == cents
    ann.holder = await factories.begin_again(ann.holder)
    assert (await ann.auto_pay())["state"] == "ON"


@pytest.mark.row("F32")
async def test_after_the_answer_to_cancelling_nothing_is_charged(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()

    cancelled = await ann.ask(CANCEL, id=ann.opened.id)
    await ann.call(30)

    assert cancelled["serviceAccount"]["autoPay"]["state"] == "TERMINATED"
    assert cancelled["serviceAccount"]["balance"]["isLow"] is False
    assert await captured(service) == 0
    assert codes(await ann.ask(CANCEL, id=ann.opened.id)) == []


@pytest.mark.row("F32")
@pytest.mark.parametrize("mutation", [CANCEL, PAUSE])
async def test_a_charge_that_the_processor_has_not_got_yet_is_given_up_when_autopay_is_turned_off(
    service: Service, mutation: str
) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await service.processor.behave("timeout")
    await ann.call(10)
    await service.processor.behave("ok")

    await ann.ask(mutation, id=ann.opened.id, **({"paused": True} if mutation == PAUSE else {}))
    await service.advance(timedelta(minutes=1))
    await service.work()
    await service.advance(timedelta(minutes=30))
    await service.work()

    assert await captured(service) == 0
    assert (await ann.read())["balance"]["incoming"] == {"amount": "0.00"}


@pytest.mark.row("F32")
async def test_cancelling_beside_a_charge_leaves_it_charged_and_credited_or_neither(service: Service) -> None:
    ann = await scene(service, 1_050)

    for number in range(8):
        await ann.set_auto_pay()
        await ann.call(10, works=False)
        before = await captured(service)
        await asyncio.gather(service.work(), ann.ask(CANCEL, id=ann.opened.id))
        at_the_answer = await captured(service)
        await service.advance(timedelta(minutes=20))
        await service.work()
        assert await captured(service) == at_the_answer, number
        row = await fetch_one("select posted, incoming from balances")
        assert row is not None
        assert row["incoming"] == 0
        # Down to just above the threshold again.
        if at_the_answer > before:
            await ann.call((row["posted"] - 1_050) // 10)
        else:
            await fund(service.ports, ann.opened.key, 1_050 - row["posted"])
    assert (await audit()).differences == ()


async def test_a_paused_autopay_charges_nothing_and_resuming_it_while_low_charges_at_once(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()

    await ann.ask(PAUSE, id=ann.opened.id, paused=True)
    await ann.call(10)
    assert ((await ann.auto_pay())["state"], await captured(service)) == ("PAUSED", 0)
    await ann.ask(PAUSE, id=ann.opened.id, paused=False)

    assert ((await ann.auto_pay())["state"], await captured(service)) == ("ON", 2_500)


async def test_a_card_that_has_expired_since_stops_it_with_a_notice(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await execute("update payment_methods set expiry_year = 2020")

    await ann.call(10)

    assert (await ann.auto_pay())["state"] == "PAYMENT_FAILED"
    assert (await ann.subjects())[0] == "AutoPay has stopped: your card cannot be used"
    assert len(await service.processor.charges()) == 0


async def test_the_mandate_is_kept_and_a_copy_of_it_is_mailed(service: Service) -> None:
    ann = await scene(service)

    await ann.set_auto_pay()

    (kept,) = await fetch("select kind, version, locale, channel from consents")
    assert dict(kept) == {"kind": "AUTOPAY", "version": "2026-11", "locale": "en", "channel": "WEB"}
    (mail,) = await service.mails(ann.holder.email)
    assert mail.subject == "AutoPay is set: your copy of the mandate"
    assert "# AutoPay mandate" in mail.text
    assert all(part in mail.text for part in ("$10.00", "$25.00", "4242", "2026-11"))


@pytest.mark.parametrize(
    "change, wanted",
    [
        ({"acceptMandate": False}, [("CONSENT_REQUIRED", "acceptMandate")]),
        ({"agreementVersion": "2020-01"}, [("CONSENT_REQUIRED", "agreementVersion")]),
        ({"amount": "9.99"}, [("INVALID", "amount")]),
        ({"amount": "5000.00"}, [("LIMIT_EXCEEDED", "amount")]),
        ({"threshold": "0.50", "amount": "0.50"}, [("LIMIT_EXCEEDED", "amount")]),
        ({"threshold": "0.00"}, [("INVALID", "threshold")]),
        ({"threshold": "-1.00"}, [("INVALID", "threshold")]),
        ({"threshold": "1.001"}, [("INVALID", "threshold")]),
        ({"monthlyCap": "24.99"}, [("INVALID", "monthlyCap")]),
        ({"threshold": "0.00", "amount": "0.001", "acceptMandate": False},
         [("INVALID", "threshold"), ("INVALID", "amount"), ("CONSENT_REQUIRED", "acceptMandate")]),
    ],
)  # fmt: skip
async def test_what_cannot_be_set_is_refused_with_all_faults_at_once(
    service: Service, change: dict[str, object], wanted: list[tuple[str, str]]
) -> None:
    ann = await scene(service, 500)

    refused = await ann.set_auto_pay(**change)  # type: ignore[arg-type]

    assert [(error["code"], error["path"][-1]) for error in refused["errors"]] == wanted
    assert await fetch("select id from auto_pays") == await fetch("select id from consents") == []
    assert await captured(service) == 0


async def test_it_takes_an_own_card_that_has_not_expired_and_an_own_service(service: Service) -> None:
    ann = await scene(service)
    bob = await factories.holder(service, "bob@mail.test")
    bobs = Scene(service, bob, await bob.advance_connect(), await bob.card())

    assert codes(await ann.set_auto_pay(paymentMethodId=bobs.card)) == ["NOT_FOUND"]
    assert codes(await ann.set_auto_pay(serviceAccountId=bobs.opened.id)) == ["NOT_FOUND"]
    assert codes(await ann.set_auto_pay(paymentMethodId=await ann.holder.card("tok_expired"))) == [
        "PAYMENT_METHOD_EXPIRED"
    ]
    assert codes(await ann.ask(CANCEL, id=bobs.opened.id)) == ["NOT_FOUND"]
    assert codes(await ann.ask(CANCEL, id=ann.opened.id)) == ["INVALID_STATE"]
    assert codes(await ann.ask(PAUSE, id=ann.opened.id, paused=True)) == ["INVALID_STATE"]


async def test_what_an_account_may_spend_in_a_day_holds_for_autopay_until_the_day_is_over(service: Service) -> None:
    await advance_to(service, datetime(2027, 2, 20, 18, tzinfo=UTC))
    ann = await scene(service, 1_050)
    await pay(service, ann.holder, await ann.holder.quote(ann.opened, "10.00"), ann.card)
    # Fees that leave less of the day's cap than one charge.
    await execute("update payments set total = 299000")
    await ann.set_auto_pay()

    await ann.call(110)
    assert await captured(service) == 1_000
    await service.advance(timedelta(hours=11, minutes=59))
    await service.work()
    assert await captured(service) == 1_000
    await service.advance(timedelta(minutes=2))
    await service.work()

    assert await captured(service) == 3_500


@pytest.mark.rule("38a")
async def test_after_five_declines_setting_autopay_anew_tries_no_further_card_for_an_hour(service: Service) -> None:
    ann = await scene(service, 500, "tok_declined")
    good = await ann.holder.card()

    for _ in range(6):
        assert codes(await ann.set_auto_pay()) == []
    assert len(await service.processor.charges()) == 5
    await ann.set_auto_pay(paymentMethodId=good)
    assert await captured(service) == 0
    await service.advance(timedelta(minutes=61))
    await service.work()

    assert await captured(service) == 2_500


async def test_fees_of_a_deposit_are_charged_on_top_and_count_for_the_cap(service: Service) -> None:
    await execute(
        "insert into fee_rules (id, purpose, kind, jurisdiction, label_en, label_es, fixed, per_million,"
        " effective_from, effective_until) values ($1, 'FUND_ADVANCE_CONNECT', 'FEE', null, 'Fee', 'Cargo', 300, 0,"
        " $2, null)",
        uuid7(), date(2026, 1, 1),
    )  # fmt: skip
    ann = await scene(service, 500)

    await ann.set_auto_pay(monthlyCap="27.99")
    assert ((await ann.auto_pay())["state"], await captured(service)) == ("CAP_REACHED", 0)
    await ann.set_auto_pay(monthlyCap="28.00")

    assert (await ann.auto_pay())["chargedThisMonth"] == {"amount": "28.00"}
    assert await ann.posted() == "30.00"
    assert (await audit()).differences == ()
