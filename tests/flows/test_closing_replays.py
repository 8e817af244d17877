"""One deletion, however often it is asked for, and however many ask at once (rules 18 and 21)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from api.adapters.database import execute, fetch, read_uuid
from api.services import charges
from api.services.audit import audit
from tests import factories
from tests.flows.closing import (
    DAY,
    DELETE,
    agreed,
    ask_closing,
    ask_deletion,
    by_receipt,
    close,
    delete,
    pass_time,
    preview,
)
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import count, open_service, pay, quote, record


@pytest.mark.rule("18")
async def test_the_ended_sign_in_is_answered_again_with_the_receipt_for_fifteen_minutes(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    given = agreed(await preview(service, ann.token))
    first = await ask_deletion(service, ann.token, given)

    again = await ask_deletion(service, ann.token, given)
    await service.advance(timedelta(minutes=15))
    late = await service.run(DELETE, {"input": given}, token=ann.token)

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["receiptToken"] == first["receiptToken"]
    assert again["closure"]["id"] == first["closure"]["id"]
    assert late.errors
    assert late.errors[0].extensions == {"code": "UNAUTHENTICATED"}


@pytest.mark.rule("18")
async def test_the_ended_sign_in_may_do_nothing_else(service: Service) -> None:
    ann = await factories.holder(service)
    other = await factories.begin_again(ann)
    await ann.advance_connect(500)
    given = agreed(await preview(service, ann.token))
    await ask_deletion(service, ann.token, given)

    another_key = await service.run(DELETE, {"input": given | {"idempotencyKey": "other"}}, token=ann.token)
    another_sign_in = await service.run(DELETE, {"input": given}, token=other.token)
    other_input = await ask_deletion(service, ann.token, given | {"addressRevision": 3})
    shown = await service.run("{ me { id } }", token=ann.token)

    for result in (another_key, another_sign_in):
        assert result.errors
        assert result.errors[0].extensions == {"code": "UNAUTHENTICATED"}
    assert codes(other_input) == ["IDEMPOTENCY_CONFLICT"]
    assert shown.data == {"me": None}


@pytest.mark.rule("18", "21")
async def test_ten_at_once_make_one_deletion(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    given = agreed(await preview(service, ann.token))

    payloads = await asyncio.gather(*(ask_deletion(service, ann.token, given) for _ in range(10)))
    others = await service.run(DELETE, {"input": given | {"idempotencyKey": "x"}}, token=ann.token)

    assert [payload["errors"] for payload in payloads] == [[]] * 10
    assert len({payload["receiptToken"] for payload in payloads}) == 1
    assert sorted(payload["replayed"] for payload in payloads) == [False] + [True] * 9
    assert others.errors
    assert (await count("closures"), await count("refunds")) == (1, 1)


@pytest.mark.rule("18")
async def test_closing_a_service_is_replayed_also_when_the_password_is_no_longer_fresh(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    shown = await preview(service, ann.token, opened.id)
    given = agreed(shown, serviceAccountId=opened.id)
    first = await ask_closing(service, ann.token, given)
    await service.advance(timedelta(minutes=10))

    again = await ask_closing(service, ann.token, given)

    assert (again["errors"], again["replayed"]) == ([], True)
    assert again["receiptToken"] == first["receiptToken"]


@pytest.mark.rule("21")
async def test_opening_a_service_while_deleting_never_leaves_one_open(service: Service) -> None:
    ann = await factories.holder(service)
    given = agreed(await preview(service, ann.token))

    payload, _ = await asyncio.gather(ask_deletion(service, ann.token, given), open_service(service, ann))

    statuses = await fetch("select status from service_accounts where status = 'ACTIVE'")
    open_accounts = await fetch("select id from accounts where status = 'ACTIVE'")
    assert len(statuses) == 0 or ("STALE" in codes(payload) and len(open_accounts) == 1)


@pytest.mark.rule("22")
async def test_a_record_and_a_deletion_at_once_charge_the_call_once_and_refund_the_rest(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    switch = await factories.switch_key(service)
    given = agreed(await preview(service, ann.token))

    payload, recorded = await asyncio.gather(
        ask_deletion(service, ann.token, given), record(service, switch, opened.phone, 60)
    )
    if payload["errors"]:  # The record came first.
        assert codes(payload) == ["STALE"]
        payload = await delete(service, ann, "again")
    await pass_time(service, DAY)
    (refund,) = (await by_receipt(service, payload["receiptToken"]))["refunds"]

    charged = recorded["call"]["cost"]["amount"] if recorded["call"] else "0.00"
    assert Decimal(refund["amount"]["amount"]) + Decimal(charged) == Decimal("5.00")
    assert (await audit()).differences == ()


@pytest.mark.rule("21")
async def test_a_charge_under_way_joins_the_refund(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    card = await ann.card()
    quoted = (await quote(service, ann, opened))["quote"]["id"]
    await service.processor.behave(next="timeout_charged")
    paid = await pay(service, ann, quoted, card)
    receipt = (await delete(service, ann))["receiptToken"]

    await pass_time(service, timedelta(minutes=2))
    await pass_time(service, DAY)

    assert paid["payment"]["status"] == "PROCESSING"
    refunds = (await by_receipt(service, receipt))["refunds"]
    assert sum(Decimal(refund["amount"]["amount"]) for refund in refunds) == Decimal("30.00")
    assert (await audit()).differences == ()


@pytest.mark.rule("21")
async def test_a_charge_that_lands_once_the_amount_is_fixed_is_a_refund_of_its_own(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    await service.processor.behave(next="timeout_charged")
    paid = await pay(service, ann, await ann.quote(opened), await ann.card())
    receipt = (await delete(service, ann))["receiptToken"]
    (payment,) = await fetch("select id from payments")
    # The processor is asked late, e.g. after an outage of ours.
    await execute("update due_work set due_at = $1 where kind = 'payment'", service.ports.now() + 2 * DAY)
    await pass_time(service, DAY)
    before = await by_receipt(service, receipt)

    await charges.ask_now(service.ports, read_uuid(payment["id"]))
    await service.work()

    after = await by_receipt(service, receipt)
    assert paid["payment"]["status"] == "PROCESSING"
    assert (before["status"], [refund["amount"]["amount"] for refund in before["refunds"]]) == ("REFUNDING", ["5.00"])
    assert [(each["method"], each["amount"]["amount"]) for each in after["refunds"]] == [
        ("CHECK", "5.00"), ("CARD", "25.00"),
    ]  # fmt: skip
    assert (await audit()).differences == ()


@pytest.mark.rule("21")
async def test_a_payment_that_waits_at_the_banks_page_is_ended(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    paid = await pay(service, ann, await ann.quote(opened), await ann.card("tok_3ds"))

    await delete(service, ann)
    await service.work()

    assert paid["payment"]["status"] == "REQUIRES_ACTION"
    (payment,) = await fetch("select status from payments")
    assert payment["status"] == "FAILED"
    assert await service.processor.captured_cents() == 0


@pytest.mark.rule("27")
async def test_no_card_is_charged_for_a_service_that_was_closed_meanwhile(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    card, quoted = await ann.card(), await ann.quote(opened)
    await close(service, ann, opened.id)

    payload = await pay(service, ann, quoted, card)

    assert codes(payload) == ["ACCOUNT_CLOSED"]
    assert await count("payments") == 0
