"""Chargebacks of payments whose service is closed: what went back by the bank goes back by nobody else (rule 23)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch
from api.adapters.payments import Dispute, ProcessorUnavailable
from api.adapters.payments_simulated import SimulatedProcessor
from api.domain.days import day_of
from api.services import chargebacks
from api.services.reconciliation import reconcile
from tests import factories
from tests.factories import Opened
from tests.flows.closing import DAY, by_receipt, delete, ledger_of, pass_time
from tests.flows.conftest import Service
from tests.flows.money_back import begin, differences, fix_amount, paid, refunds, statuses

pytestmark = pytest.mark.rule("23")


async def dispute(service: Service, cents: int | None = None) -> Dispute:
    """Have the card's bank take back the last charge, and follow it as the processor's news would."""
    key = (await service.processor.charges())[-1].key
    found = await service.processor.open_dispute(key, service.ports.now(), cents)
    assert found is not None
    assert await chargebacks.follow(service.ports, found.id)
    return found


async def win(service: Service, found: Dispute) -> None:
    await service.processor.end_dispute(found.id, True)
    assert await chargebacks.follow(service.ports, found.id)


async def amounts(service: Service, receipt: str) -> list[tuple[Any, ...]]:
    found = (await by_receipt(service, receipt))["refunds"]
    return [(each["status"], each["method"], each["amount"]["amount"]) for each in found]


@pytest.mark.parametrize(
    ("cents", "after"),
    [(None, [("REROUTED", "25.00")]), (1_000, [("REROUTED", "15.00"), ("COMPLETED", "15.00")])],
    ids=["whole", "part"],
)
async def test_what_the_bank_took_back_while_it_was_fixed_does_not_go_out_by_check_too(
    service: Service, cents: int | None, after: list[tuple[str, str]]
) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    refund_id, _ = await begin(service.ports, ann, opened.key)
    await fix_amount(service.ports, refund_id, opened.key)

    found = await dispute(service, cents)
    await service.work()
    assert (await reconcile(service.ports, day_of(service.ports.now()))).differences == ()
    await pass_time(service, timedelta(days=40))

    made = await refunds(service, ann)
    assert [(one["status"], one["amount"]) for one in made] == after
    assert "taken_back" in [row["note"] for row in await fetch("select note from refund_events")]
    assert await ledger_of("PROCESSOR_CLEARING") == (cents or 2_500) - 2_500
    assert statuses(made[0])
    assert await differences() == ()

    await win(service, found)
    await pass_time(service, timedelta(days=40))

    made = await refunds(service, ann)
    assert sum(int(float(one["amount"]) * 100) for one in made if one["status"] == "COMPLETED") == 2_500
    assert await ledger_of("PROCESSOR_CLEARING") == -2_500
    assert await ledger_of("BANK") == 2_500
    assert await differences() == ()


@pytest.mark.row("F38")
@pytest.mark.parametrize("won", [False, True], ids=["lost", "won"])
async def test_a_refund_refused_for_a_dispute_that_nobody_told_of_yet_does_not_go_out_by_check_too(
    service: Service, won: bool
) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    receipt = (await delete(service, ann))["receiptToken"]
    key = (await service.processor.charges())[-1].key
    found = await service.processor.open_dispute(key, service.ports.now(), 1_000)
    assert found is not None

    # The amount is fixed and the processor asked; its call about the dispute comes after all of that.
    await pass_time(service, DAY)

    assert await amounts(service, receipt) == [("REROUTED", "CARD", "15.00"), ("CALCULATED", "CHECK", "15.00")]
    assert await ledger_of("CHARGEBACK_LOSS") == 0
    assert await chargebacks.follow(service.ports, found.id)
    await service.processor.end_dispute(found.id, won)
    assert await chargebacks.follow(service.ports, found.id)
    await pass_time(service, timedelta(days=40))
    made = [amount for status, _, amount in await amounts(service, receipt) if status == "COMPLETED"]
    assert sorted(made) == (["10.00", "15.00"] if won else ["15.00"])
    assert await ledger_of("CHARGEBACK_LOSS") == 0
    assert await differences() == ()


async def test_a_processor_that_cannot_tell_of_disputes_now_is_asked_again_before_a_check_is_made(
    service: Service,
) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card("tok_refund_refused"))
    receipt = (await delete(service, ann))["receiptToken"]
    processor = service.ports.processor

    class Silent(SimulatedProcessor):
        async def disputes_of(self, key: str, *, charge: str) -> Sequence[Dispute]:
            raise ProcessorUnavailable("away")

    service.ports.processor = Silent(service.processor.path, "https://calls.example")
    await service.advance(DAY)
    for _ in range(2):
        await service.work()
    await service.ports.processor.close()
    service.ports.processor = processor

    assert await amounts(service, receipt) == [("SUBMITTED", "CARD", "25.00")]
    await pass_time(service, timedelta(hours=2))

    assert await amounts(service, receipt) == [("REROUTED", "CARD", "25.00"), ("CALCULATED", "CHECK", "25.00")]


async def test_what_a_dispute_that_is_won_brings_to_a_closed_service_goes_back_to_the_holder(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    found = await dispute(service)
    receipt = (await delete(service, ann))["receiptToken"]
    await pass_time(service, DAY)

    await win(service, found)
    await pass_time(service, timedelta(days=10))

    assert await amounts(service, receipt) == [("NOTHING_DUE", "CHECK", "0.00"), ("COMPLETED", "CARD", "25.00")]
    (row,) = await fetch("select posted from balances")
    assert row["posted"] == 0
    assert await ledger_of("PROCESSOR_CLEARING") == 0
    assert await differences() == ()


async def test_what_was_written_off_is_covered_before_a_won_dispute_goes_back(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card())
    await spent(service, opened)
    found = await dispute(service)
    receipt = (await delete(service, ann))["receiptToken"]
    await pass_time(service, DAY)
    written_off = await ledger_of("BAD_DEBT_EXPENSE")

    await win(service, found)
    await pass_time(service, timedelta(days=10))

    assert written_off == -100
    assert await amounts(service, receipt) == [("NOTHING_DUE", "CHECK", "0.00"), ("COMPLETED", "CARD", "24.00")]
    assert await ledger_of("BAD_DEBT_EXPENSE") == 0
    assert await differences() == ()


async def spent(service: Service, opened: Opened) -> None:
    """Have ten minutes of a call charged: one dollar."""
    await factories.switch_key(service)
    await factories.charged_call(service.ports, await factories.switch_id(), opened, "spent", 10)
