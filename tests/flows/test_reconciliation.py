"""Reconciliation: the ledger sums to zero, each balance equals its postings, and the processor agrees (rule 12)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import execute, fetch, read_uuid
from api.adapters.payments import ProcessorUnavailable
from api.adapters.payments_simulated import SimulatedProcessor
from api.auth.emails import Email
from api.auth.sign_ins import Bearer, begin_sign_in
from api.domain.accounts import STAFF_ROLES, Channel, Role
from api.domain.days import day_of, start_of
from api.services import chargebacks
from api.services.staff import insert_staff
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.money import pay

RECONCILE = """query($on: Date!) { staff { reconciliation(on: $on) {
  on balanced ledgerTotal { amount } differences } } }"""
pytestmark = pytest.mark.rule("12")


async def staff(service: Service, role: Role) -> str:
    address = Email(f"{role.value}@example.org", f"{role.value.lower()}@example.org")
    await insert_staff(service.ports.now(), address, role.value, "nobody's", [role])
    row = (await fetch("select id from staff_members where email_key = $1", address.key))[0]
    token, _ = await begin_sign_in(service.ports, Bearer(read_uuid(row["id"]), True, "", Channel.WEB, False))
    return token


async def reconcile(service: Service, days: int = 0, locale: str = "en") -> dict[str, Any]:
    """Return what a billing agent is told of today, or of a day so many days from it."""
    rows = await fetch("select id from staff_members where name = 'BILLING_AGENT'")
    if not rows:
        await staff(service, Role.BILLING_AGENT)
        rows = await fetch("select id from staff_members where name = 'BILLING_AGENT'")
    await execute("update staff_members set locale = $1", locale)
    token, _ = await begin_sign_in(service.ports, Bearer(read_uuid(rows[0]["id"]), True, "", Channel.WEB, False))
    on = (day_of(service.ports.now()) + timedelta(days=days)).isoformat()
    data = await service.ask(RECONCILE, {"on": on}, token=token)
    found: dict[str, Any] = data["staff"]["reconciliation"]
    assert found["on"] == on
    return found


async def funded(service: Service) -> tuple[Holder, Opened]:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    card = await ann.card()
    for key in ("one", "two"):
        await pay(service, ann, await ann.quote(opened), card, key)
    return ann, opened


@pytest.mark.row("I5")
async def test_books_that_agree_are_balanced(service: Service) -> None:
    await funded(service)
    first, second = await service.processor.charges()
    for number, charge in enumerate((first, second)):
        dispute = await service.processor.open_dispute(charge.key, service.ports.now())
        assert dispute is not None
        await chargebacks.follow(service.ports, dispute.id)
        if number:
            await service.processor.end_dispute(dispute.id, True)
            await chargebacks.follow(service.ports, dispute.id)

    found = await reconcile(service)

    assert (found["balanced"], found["differences"]) == (True, [])
    assert found["ledgerTotal"] == {"amount": "0.00"}
    assert (await reconcile(service, -1))["balanced"]


async def test_what_was_captured_before_midnight_and_posted_after_agrees_on_both_days(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    midnight = start_of(day_of(service.ports.now()) + timedelta(days=1))
    await service.advance(midnight - timedelta(seconds=30) - service.ports.now())
    ann = await factories.begin_again(ann)
    await service.processor.behave(next="timeout_charged")
    await pay(service, ann, await ann.quote(opened), await ann.card())
    await service.advance(timedelta(minutes=5))
    await service.work()

    assert (await reconcile(service))["balanced"]
    assert (await reconcile(service, -1))["balanced"]


async def test_a_check_of_days_agrees_though_the_books_of_its_day_do_not_hold_it(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await pay(service, ann, await ann.quote(opened), await ann.card("tok_3ds"))
    (charge,) = await service.processor.charges()
    await service.advance(timedelta(hours=70))
    await service.processor.finish_action(charge.id, True)
    await execute("update due_work set due_at = $1 where kind = 'payment'", service.ports.now())
    await service.work()

    assert (await reconcile(service))["balanced"]


@pytest.mark.row("I5")
@pytest.mark.parametrize(("locale", "word"), [("en", "the processor"), ("es", "el procesador")])
async def test_a_charge_that_the_ledger_lacks_is_told_by_its_key(service: Service, locale: str, word: str) -> None:
    ann = await factories.holder(service)
    card = await service.processor.attach("tok_visa", customer=str(ann.account_id))
    await service.processor.charge(
        key="lost", customer=str(ann.account_id), card=card.id, amount_cents=1_234, return_url=None,
        at=service.ports.now(),
    )  # fmt: skip

    found = await reconcile(service, locale=locale)

    assert not found["balanced"]
    (difference,) = found["differences"]
    assert "lost" in difference
    assert "$12.34" in difference
    assert word in difference


async def test_a_charge_that_the_processor_lacks_is_told(service: Service) -> None:
    await funded(service)
    processor = SimulatedProcessor(service.processor.path.with_name("empty.sqlite3"), "https://calls.example")
    service.ports.processor = processor

    found = await reconcile(service)
    await processor.close()

    assert len(found["differences"]) == 2
    assert all("$25.00" in difference and "$0.00" in difference for difference in found["differences"])


async def test_a_chargeback_that_the_ledger_lacks_is_told(service: Service) -> None:
    await funded(service)
    first, _ = await service.processor.charges()
    await service.processor.open_dispute(first.key, service.ports.now())

    (difference,) = (await reconcile(service))["differences"]

    assert "-$25.00" in difference


async def test_a_balance_that_is_not_its_postings_is_told(service: Service) -> None:
    await funded(service)
    await execute("update balances set posted = posted + 1")

    found = await reconcile(service)

    assert not found["balanced"]
    assert any("posted is 5001" in difference for difference in found["differences"])


async def test_differences_are_bounded(service: Service) -> None:
    ann = await factories.holder(service)
    card = await service.processor.attach("tok_visa", customer=str(ann.account_id))
    for number in range(210):
        await service.processor.charge(
            key=f"lost {number}", customer=str(ann.account_id), card=card.id, amount_cents=100, return_url=None,
            at=service.ports.now(),
        )  # fmt: skip

    differences = (await reconcile(service))["differences"]

    assert len(differences) == 200
    assert differences[-1] == "And 11 more."


async def test_a_processor_that_does_not_answer_is_a_difference(service: Service) -> None:
    class Away(SimulatedProcessor):
        async def movements(self, since: object, until: object) -> Any:
            raise ProcessorUnavailable("away")

    processor, service.ports.processor = service.processor, Away(service.processor.path, "https://calls.example")
    found = await reconcile(service)
    await service.ports.processor.close()
    service.ports.processor = processor

    assert not found["balanced"]
    assert "did not answer" in found["differences"][0]


@pytest.mark.rule("39")
async def test_only_those_who_look_after_money_may_ask(service: Service) -> None:
    allowed = set()
    for role in STAFF_ROLES:
        on = day_of(service.ports.now()).isoformat()
        result = await service.run(RECONCILE, {"on": on}, token=await staff(service, role))
        if not result.errors:
            allowed.add(role)

    assert allowed == {Role.BILLING_AGENT, Role.COMPLIANCE, Role.ADMIN}
