"""What meets while a service closes: calls, AutoPay, refunds, chargebacks and deletions at once (rules 21 to 23).

RACES has each race run so many times; `make hammer` does two hundred.
"""

from __future__ import annotations

import asyncio
import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from api.adapters.database import execute, fetch, read_uuid
from api.services import card_refunds, chargebacks, closure_begins, due_work
from api.services.audit import audit
from api.services.refund_work import CARD_WORK
from tests import factories
from tests.factories import Holder, Opened
from tests.flows import closing
from tests.flows.closing import DAY, by_receipt, ledger_of, pass_time
from tests.flows.conftest import Service
from tests.flows.money import authorize, record
from tests.flows.money_back import begin, differences, fix_amount, paid, refunds
from tests.flows.test_chargebacks import dispute, end, spent, sums
from tests.flows.test_chargebacks import paid as paid_by_one
from tests.flows.top_ups import Scene

RACES = int(os.environ.get("RACES") or 2)
FROM, TO = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


async def agreed_with_processor(service: Service) -> int:
    """Return what is left at the processor of all that it captured, which is what the books say of it."""
    left = sum(movement.cents for movement in await service.processor.movements(FROM, TO))
    # What factories deposit is of no processor.
    own = await fetch("select coalesce(sum(l.amount), 0) as n from legs l join ledger_accounts a on a.id = l.debit_id"
                      " where a.key = 'tests'")  # fmt: skip
    assert -await ledger_of("PROCESSOR_CLEARING") - int(own[0]["n"]) == left
    assert (await audit()).differences == ()
    return left


async def some(service: Service, number: int) -> tuple[Holder, Opened]:
    """Return a holder of a race, with a service."""
    ann = await factories.holder(service, f"race{number}@mail.test")
    return ann, await ann.advance_connect()


@pytest.mark.row("F34")
@pytest.mark.rule("13", "22")
async def test_a_call_that_races_the_fixing_of_a_refund_is_charged_or_refunded(service: Service) -> None:
    switch = await factories.switch_key(service)
    for number in range(RACES):
        ann, opened = await some(service, number)
        await paid(service, ann, opened, "25.00", await ann.card())
        call = f"call {number}"
        await authorize(service, switch, opened.phone, call)
        refund_id, _ = await begin(service.ports, ann, opened.key)

        _, recorded, further = await asyncio.gather(
            fix_amount(service.ports, refund_id, opened.key),
            record(service, switch, opened.phone, 600, call),
            authorize(service, switch, opened.phone, f"late {number}"),
        )
        await fix_amount(service.ports, refund_id, opened.key)

        (refund,) = await refunds(service, ann)
        charged = sum(row["cost"] or 0 for row in await fetch(
            "select cost from calls where service_account_id = $1", opened.key))  # fmt: skip
        assert Decimal(refund["amount"]) * 100 + charged == 2_500, (recorded, further)
        assert await differences() == ()
        await execute("update account_phones set live_phone = null where service_account_id = $1", opened.key)


@pytest.mark.row("F37", "I6")
@pytest.mark.rule("23")
async def test_two_closings_that_count_on_one_charge_give_it_back_once(service: Service) -> None:
    for number in range(RACES):
        ann, opened = await some(service, number)
        await paid(service, ann, opened, "25.00", await ann.card())
        given = closing.agreed(await closing.preview(service, ann.token))
        one = closing.agreed(await closing.preview(service, ann.token, opened.id), "one", serviceAccountId=opened.id)

        deleted, closed = await asyncio.gather(
            closing.ask_deletion(service, ann.token, given),
            closing.ask_closing(service, ann.token, one),
            return_exceptions=True,
        )
        await pass_time(service, 10 * DAY)

        found = await fetch("select amount, status from refunds where account_id = $1", ann.account_id)
        assert [(row["amount"], row["status"]) for row in found] == [(2_500, "COMPLETED")], (deleted, closed)
        assert await agreed_with_processor(service) == 0


@pytest.mark.row("F38")
@pytest.mark.rule("23")
async def test_a_refund_and_a_chargeback_at_once_leave_books_that_the_processor_confirms(service: Service) -> None:
    order = random.Random("F38")
    for number in range(RACES):
        ann, opened = await some(service, number)
        await paid(service, ann, opened, "25.00", await ann.card())
        key = (await service.processor.charges())[-1].key
        refund_id, _ = await begin(service.ports, ann, opened.key)

        async def take_back(key: str = key) -> None:
            found = await service.processor.open_dispute(key, service.ports.now())
            if found is not None:
                await chargebacks.follow(service.ports, found.id)

        async def give_back(refund_id: object = refund_id, opened: Opened = opened) -> None:
            await fix_amount(service.ports, read_uuid(refund_id), opened.key)
            await service.work()

        doing = [take_back, give_back]
        order.shuffle(doing)
        await asyncio.gather(*(do() for do in doing))
        await service.work()

        assert await agreed_with_processor(service) == 0


@pytest.mark.row("F38")
@pytest.mark.rule("23")
@pytest.mark.parametrize("won", [False, True])
async def test_a_chargeback_before_the_processor_has_the_refund_pays_the_holder_once(
    service: Service, won: bool
) -> None:
    ann, opened = await some(service, 0)
    await paid(service, ann, opened, "25.00", await ann.card())
    receipt = (await closing.close(service, ann, opened.id))["receiptToken"]
    await service.advance(DAY)
    # The amount is fixed, and nobody has asked the processor yet.
    await service.runner.drain(service.ports.now(), (closure_begins.CALLS_WORK,))

    found = await dispute(service, (await service.processor.charges())[-1].key)
    await service.work()

    assert await agreed_with_processor(service) == 0
    assert await ledger_of("CHARGEBACK_LOSS") == 0
    (refund,) = (await by_receipt(service, receipt))["refunds"]
    assert refund["status"] == "REROUTED"
    for _ in range(2):
        await end(service, found, won)
    await pass_time(service, 30 * DAY)
    again = (await by_receipt(service, receipt))["refunds"][1:]
    assert [(each["status"], each["amount"]["amount"]) for each in again] == [("COMPLETED", "25.00")] * won
    assert await ledger_of("CHARGEBACK_LOSS") == 0
    # What was won is at the processor; the holder has it by check.
    assert await agreed_with_processor(service) == 2_500 * won


@pytest.mark.row("F30")
@pytest.mark.rule("23")
async def test_refund_work_that_was_taken_over_gives_nothing_back_twice(service: Service) -> None:
    for number in range(RACES):
        ann, opened = await some(service, number)
        await paid(service, ann, opened, "25.00", await ann.card())
        refund_id, _ = await begin(service.ports, ann, opened.key)
        await fix_amount(service.ports, refund_id, opened.key)
        late = await due_work.claim_next(service.ports, (CARD_WORK,), service.ports.now())
        await execute("update due_work set leased_until = $1 where kind = $2", FROM, CARD_WORK)
        taken = await due_work.claim_next(service.ports, (CARD_WORK,), service.ports.now())
        assert late is not None
        assert taken is not None

        await asyncio.gather(
            card_refunds.ask_processor(service.ports, late),
            card_refunds.ask_processor(service.ports, taken),
            return_exceptions=True,
        )
        await pass_time(service, 10 * DAY)

        assert await agreed_with_processor(service) == 0
        assert len([entry for entry in await service.processor.log() if entry.act == "REFUND_PENDING"]) == number + 1
        assert [refund["status"] for refund in await refunds(service, ann)] == ["COMPLETED"]


@pytest.mark.row("F39")
@pytest.mark.rule("21", "23")
async def test_a_refund_finds_its_card_although_card_and_account_are_gone(service: Service) -> None:
    ann, opened = await some(service, 0)
    card = await ann.card()
    await paid(service, ann, opened, "25.00", card)
    await service.ask("mutation($id: ID!) { removePaymentMethod(id: $id) { errors { code } } }", {"id": card},
                      token=ann.token)  # fmt: skip
    receipt = (await closing.delete(service, ann))["receiptToken"]

    await pass_time(service, 10 * DAY)

    shown = await by_receipt(service, receipt)
    assert shown["status"] == "COMPLETED"
    assert [(each["method"], each["status"]) for each in shown["refunds"]] == [("CARD", "COMPLETED")]
    assert await agreed_with_processor(service) == 0


@pytest.mark.row("F31")
@pytest.mark.rule("16", "21")
async def test_autopay_that_races_a_deletion_charges_nothing_or_gives_it_back(service: Service) -> None:
    await factories.switch_key(service)
    for number in range(RACES):
        ann, opened = await some(service, number)
        await factories.fund(service.ports, opened.key, 1_000)
        scene = Scene(service, ann, opened, await ann.card())
        await scene.set_auto_pay("5.00", "25.00")
        scene.calls = number * 10
        given = closing.agreed(await closing.preview(service, ann.token), f"delete {number}")

        payload, _ = await asyncio.gather(
            closing.ask_deletion(service, ann.token, given), scene.call(60, works=number % 2 == 0)
        )
        if payload["errors"]:
            payload = await closing.delete(service, ann, f"again {number}")
        deleted_at = service.ports.now()
        await service.work()
        await pass_time(service, 10 * DAY)

        late = await fetch(
            "select id from payments where account_id = $1 and created_at > $2", ann.account_id, deleted_at
        )
        assert [row["id"] for row in late] == []
        assert (await by_receipt(service, payload["receiptToken"]))["refunds"]
        balances = await fetch("select posted, held, incoming from balances where account_id = $1", ann.account_id)
        assert [(row["posted"], row["held"], row["incoming"]) for row in balances] == [(0, 0, 0)]
        # Whatever was charged went back to its card.
        assert await agreed_with_processor(service) == 0


@pytest.mark.parametrize(("minutes", "back"), [(0, 2_500), (100, 1_500)])
@pytest.mark.row("F38")
@pytest.mark.rule("23", "27")
async def test_what_a_won_dispute_brings_back_to_a_closed_service_goes_to_its_holder(
    service: Service, minutes: int, back: int
) -> None:
    ann, opened, key = await paid_by_one(service)
    if minutes:
        await spent(service, opened, minutes)
    found = await dispute(service, key)
    receipt = (await closing.close(service, ann, opened.id))["receiptToken"]
    await closing.pass_time(service, timedelta(hours=24))

    for _ in range(2):
        await end(service, found, True)

    refunds = (await closing.by_receipt(service, receipt))["refunds"]
    assert [(each["status"], each["amount"]["amount"]) for each in refunds] == [
        ("NOTHING_DUE", "0.00"), ("CALCULATED", f"{back // 100}.00"),
    ]  # fmt: skip
    assert refunds[1]["method"] == "CARD"
    assert "BAD_DEBT_EXPENSE" not in await sums()
    assert [row["posted"] for row in await fetch("select posted from balances")] == [0]
    assert (await audit()).differences == ()
