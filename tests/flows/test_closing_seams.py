"""Where closing meets charges, chargebacks and partners' payments: nothing is charged after, nothing is stranded."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch
from api.services import chargebacks
from api.services.audit import audit
from api.services.inbound_texts import take_text
from tests import factories
from tests.flows.closing import DAY, agreed, ask_deletion, by_receipt, close, delete, ledger_of, pass_time, preview
from tests.flows.conftest import Service
from tests.flows.direct_bill import external, number_of, partner
from tests.flows.money import pay, record
from tests.flows.top_ups import MOBILE, captured, scene

WEEKS = timedelta(days=30)


async def payments() -> list[str]:
    return [row["status"] for row in await fetch("select status from payments order by id")]


async def given_back(service: Service, receipt: str) -> list[tuple[str, str, str]]:
    """Return each refund of a receipt: method, amount, status."""
    found = (await by_receipt(service, receipt))["refunds"]
    return [(each["method"], each["amount"]["amount"], each["status"]) for each in found]


@pytest.mark.rule("16", "21")
async def test_a_charge_of_autopay_that_is_not_sent_yet_is_never_made_once_the_account_is_deleted(
    service: Service,
) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await service.processor.behave("timeout")
    await ann.call(10)
    await service.processor.behave("ok")

    receipt = (await delete(service, ann.holder))["receiptToken"]
    at_once = (await payments(), await captured(service))
    await pass_time(service, WEEKS)

    assert at_once == (["FAILED"], 0)
    assert await captured(service) == 0
    assert await given_back(service, receipt) == [("CHECK", "9.50", "COMPLETED")]
    assert (await audit()).differences == ()


@pytest.mark.rule("16", "21")
@pytest.mark.parametrize("behaviour", ["ok", "timeout_charged"])
async def test_what_autopay_has_charged_before_is_refunded_with_the_rest(service: Service, behaviour: str) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await service.processor.behave(behaviour)
    await ann.call(10)
    await service.processor.behave("ok")

    receipt = (await delete(service, ann.holder))["receiptToken"]
    await pass_time(service, WEEKS)

    assert await captured(service) == 2_500
    assert sorted(await given_back(service, receipt)) == [
        ("CARD", "25.00", "COMPLETED"), ("CHECK", "9.50", "COMPLETED"),
    ]  # fmt: skip
    assert await ledger_of("REFUNDS_IN_TRANSIT") == 0
    assert (await audit()).differences == ()


@pytest.mark.rule("16", "21")
async def test_autopay_and_deletion_at_once_charge_nothing_or_give_it_back(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_auto_pay()
    await ann.call(10, works=False)
    shown = agreed(await preview(service, ann.holder.token))

    payload, _ = await asyncio.gather(ask_deletion(service, ann.holder.token, shown), service.work())
    if payload["errors"]:
        assert [error["code"] for error in payload["errors"]] == ["STALE"]
        payload = await delete(service, ann.holder, "again")
    charged = await captured(service)
    await pass_time(service, WEEKS)

    assert await captured(service) == charged
    expected = {("CHECK", "9.50", "COMPLETED")} | ({("CARD", "25.00", "COMPLETED")} if charged else set())
    assert set(await given_back(service, payload["receiptToken"])) == expected
    assert not {"PROCESSING", "REQUIRES_ACTION"} & set(await payments())
    assert (await audit()).differences == ()


@pytest.mark.rule("17", "21")
async def test_a_yes_that_was_not_charged_yet_charges_nothing_after_the_deletion(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.set_text_pay()
    await ann.call(10)
    await take_text(service.ports, "yes-1", MOBILE, "YES")
    before = await payments()

    receipt = (await delete(service, ann.holder))["receiptToken"]
    await pass_time(service, WEEKS)

    assert (before, await payments(), await captured(service)) == (["PROCESSING"], ["FAILED"], 0)
    assert await given_back(service, receipt) == [("CHECK", "9.50", "COMPLETED")]


@pytest.mark.rule("23")
async def test_a_first_card_payment_that_lands_in_the_window_sends_the_refund_to_that_card(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await service.processor.behave(next="timeout_charged")
    await pay(service, ann, await ann.quote(opened), await ann.card())
    payload = await delete(service, ann)

    begun = payload["closure"]["refunds"][0]["method"]
    await pass_time(service, WEEKS)

    assert begun == "CHECK"
    assert await given_back(service, payload["receiptToken"]) == [("CARD", "25.00", "COMPLETED")]
    assert (await audit()).differences == ()


@pytest.mark.rule("23")
@pytest.mark.parametrize(
    ("minutes", "first", "second"),
    [(0, ("CHECK", "0.00", "NOTHING_DUE"), "25.00"), (100, ("CHECK", "0.00", "NOTHING_DUE"), "15.00")],
)
async def test_a_chargeback_that_is_won_after_the_closing_is_refunded_less_what_was_written_off(
    service: Service, minutes: int, first: Any, second: str
) -> None:
    ann, switch = await factories.holder(service), await factories.switch_key(service)
    opened = await ann.advance_connect()
    await pay(service, ann, await ann.quote(opened), await ann.card())
    if minutes:
        await record(service, switch, opened.phone, minutes * 60)
    key = (await service.processor.charges())[-1].key
    found = await service.processor.open_dispute(key, service.ports.now(), None)
    assert found is not None
    await chargebacks.follow(service.ports, found.id)
    receipt = (await close(service, ann, opened.id))["receiptToken"]
    await pass_time(service, DAY)
    over = (await by_receipt(service, receipt))["status"]

    await service.processor.end_dispute(found.id, True)
    for _ in range(2):
        await chargebacks.follow(service.ports, found.id)
    await pass_time(service, WEEKS)

    assert over == "COMPLETED"
    assert await given_back(service, receipt) == [first, ("CARD", second, "COMPLETED")]
    assert [row["posted"] for row in await fetch("select posted from balances")] == [0]
    assert (await ledger_of("REFUNDS_IN_TRANSIT"), await ledger_of("BAD_DEBT_EXPENSE")) == (0, 0)
    assert (await audit()).differences == ()


@pytest.mark.rule("15", "21")
@pytest.mark.parametrize("wait", [timedelta(minutes=1), WEEKS])
async def test_a_partner_s_payment_to_a_service_that_is_being_closed_or_is_closed_waits_for_staff(
    service: Service, wait: timedelta
) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    agent, number = await partner(service), await number_of(opened.key)
    receipt = (await close(service, ann, opened.id))["receiptToken"]
    await pass_time(service, wait)

    paid = await external(service, agent, number, "10.00", paidAt=service.ports.now().isoformat())

    assert (paid["errors"], paid["applied"]) == ([], False)
    assert await ledger_of("UNAPPLIED_RECEIPTS") == 1_000
    await pass_time(service, WEEKS)
    assert [amount for _, amount, _ in await given_back(service, receipt)] == ["5.00"]
    assert (await audit()).differences == ()
