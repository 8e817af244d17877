"""Chargebacks: posted once where the money went, reversed once when won, and told to the holder (rules 13, 23)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, transactional
from api.adapters.payments import Dispute
from api.adapters.ports import Ports
from api.domain.charge_lines import Line, LineKind
from api.domain.payments import PaymentChannel, PaymentPurpose
from api.services import chargebacks, charges
from api.services.audit import audit
from api.services.ledger import lock_balance
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.money import authorize, balance, pay, record


async def paid(service: Service, amount: str = "25.00") -> tuple[Holder, Opened, str]:
    """Return a holder, a service and the key of the charge that funded it."""
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await pay(service, ann, await ann.quote(opened, amount), await ann.card())
    return ann, opened, (await service.processor.charges())[-1].key


async def dispute(service: Service, key: str, cents: int | None = None) -> Dispute:
    found = await service.processor.open_dispute(key, service.ports.now(), cents)
    assert found is not None
    assert await chargebacks.follow(service.ports, found.id)
    return found


async def end(service: Service, found: Dispute, won: bool) -> None:
    await service.processor.end_dispute(found.id, won)
    assert await chargebacks.follow(service.ports, found.id)


async def spent(service: Service, opened: Opened, minutes: int) -> None:
    await factories.switch_key(service)
    await factories.charged_call(service.ports, await factories.switch_id(), opened, "spent", minutes)


async def statuses(table: str) -> list[str]:
    return [row["status"] for row in await fetch(f"select status from {table} order by id")]


async def sums() -> dict[str, int]:
    """Return what each kind of ledger account holds, debits less credits."""
    rows = await fetch(
        "select a.kind, sum(case when l.debit_id = a.id then l.amount else -l.amount end) as n from legs l"
        " join ledger_accounts a on a.id in (l.debit_id, l.credit_id) where a.unit = 'USD_CENT' group by a.kind"
    )
    return {row["kind"]: int(row["n"]) for row in rows if row["n"]}


@pytest.mark.rule("13")
async def test_what_the_bank_takes_back_leaves_the_balance_below_zero_if_need_be(service: Service) -> None:
    ann, opened, key = await paid(service)
    await spent(service, opened, 100)

    await dispute(service, key)

    assert (await balance(service, ann))["posted"] == "-10.00"
    assert await statuses("payments") == ["CHARGED_BACK"]
    assert await statuses("disputes") == ["OPEN"]
    assert (await audit()).differences == ()
    data = await service.ask("{ me { payments { edges { node { status } } } } }", token=ann.token)
    assert data["me"]["payments"]["edges"][0]["node"] == {"status": "CHARGED_BACK"}


@pytest.mark.rule("13")
async def test_a_chargeback_may_take_what_a_call_under_way_holds(service: Service) -> None:
    ann, opened, key = await paid(service)
    await factories.fund(service.ports, opened.key, 100)
    switch = await factories.switch_key(service, "holding")
    assert (await authorize(service, switch, opened.phone))["maxSeconds"] == 3600

    await dispute(service, key)

    shown = await balance(service, ann)
    assert (shown["posted"], shown["held"], shown["available"]) == ("1.00", "6.00", "-5.00")
    assert (await audit()).differences == ()
    await record(service, switch, opened.phone, 60)
    assert (await balance(service, ann))["posted"] == "0.90"


async def test_a_chargeback_counts_once_however_often_it_is_looked_at(service: Service) -> None:
    ann, _, key = await paid(service)
    found = await dispute(service, key)

    await asyncio.gather(*(chargebacks.follow(service.ports, found.id) for _ in range(5)))

    assert (await balance(service, ann))["posted"] == "0.00"
    assert len(await fetch("select id from journal_entries where source_key like 'dispute:%'")) == 1
    assert len([mail for mail in await service.mails(ann.email) if "took back" in (mail.subject or "")]) == 1


async def test_a_dispute_that_is_won_is_reversed_exactly_and_once(service: Service) -> None:
    ann, opened, key = await paid(service)
    await spent(service, opened, 100)
    before = await sums()
    found = await dispute(service, key)

    for _ in range(2):
        await end(service, found, True)

    assert (await balance(service, ann))["posted"] == "15.00"
    assert await sums() == before
    assert (await statuses("payments"), await statuses("disputes")) == (["SUCCEEDED"], ["WON"])
    assert (await audit()).differences == ()
    (row,) = await fetch("select may_be_negative from balances")
    assert not row["may_be_negative"]


async def test_a_dispute_that_is_lost_stays_taken(service: Service) -> None:
    ann, _, key = await paid(service)
    found = await dispute(service, key)

    await end(service, found, False)
    await end(service, found, True)

    assert (await balance(service, ann))["posted"] == "0.00"
    assert (await statuses("payments"), await statuses("disputes")) == (["CHARGED_BACK"], ["LOST"])
    subjects = [mail.subject for mail in await service.mails(ann.email)]
    assert subjects == [
        "Your card's bank keeps a payment of $25.00",
        "Your card's bank took back a payment of $25.00",
        "Receipt: $25.00",
    ]


async def test_the_holder_sees_it_among_the_transactions_and_live(service: Service) -> None:
    ann, _, key = await paid(service)
    watched = "subscription { balanceChanged { cause balance { posted { amount } } transaction { kind } } }"

    async with service.watch(watched, token=ann.token) as stream:
        await stream.next()
        found = await dispute(service, key)
        taken = (await stream.next())["balanceChanged"]
        await end(service, found, True)
        returned = (await stream.next())["balanceChanged"]

    assert (taken["cause"], taken["transaction"]["kind"]) == ("CHARGEBACK", "CHARGEBACK")
    assert (returned["cause"], returned["transaction"]["kind"]) == ("CHARGEBACK", "ADJUSTMENT")
    rows = await fetch("select kind, amount from journal_entries where balance_id is not null order by sequence")
    assert [(row["kind"], row["amount"]) for row in rows] == [
        ("FUNDING", 2_500), ("CHARGEBACK", -2_500), ("ADJUSTMENT", 2_500)
    ]  # fmt: skip


async def test_parts_of_a_payment_are_taken_back_one_by_one_and_never_more_than_it_was(service: Service) -> None:
    ann, _, key = await paid(service)
    first, second = await dispute(service, key, 1_000), await dispute(service, key, 1_500)

    assert (await balance(service, ann))["posted"] == "0.00"
    await end(service, first, True)
    assert await statuses("payments") == ["CHARGED_BACK"]
    await end(service, second, True)

    assert (await balance(service, ann))["posted"] == "25.00"
    assert await statuses("payments") == ["SUCCEEDED"]
    assert (await audit()).differences == ()


async def test_more_than_was_captured_never_leaves(service: Service) -> None:
    ann, _, key = await paid(service)
    found = await service.processor.open_dispute(key, service.ports.now())
    assert found is not None

    class Greedy:
        name = service.processor.name

        async def dispute(self, reference: str) -> Dispute:
            return found._replace(id=reference, amount_cents=99_900)

    processor, service.ports.processor = service.ports.processor, Greedy()  # type: ignore[assignment]
    assert await chargebacks.follow(service.ports, found.id)
    assert await chargebacks.follow(service.ports, "another of the same payment")
    service.ports.processor = processor

    assert (await balance(service, ann))["posted"] == "0.00"
    assert (await sums()).get("PROCESSOR_CLEARING", 0) == 0
    assert (await audit()).differences == ()


async def test_a_chargeback_of_a_payment_that_is_not_decided_here_decides_it(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await service.processor.behave(next="timeout_charged")
    await pay(service, ann, await ann.quote(opened), await ann.card())
    (charge,) = await service.processor.charges()

    await dispute(service, charge.key)

    seen = await balance(service, ann)
    assert (seen["posted"], seen["incoming"]) == ("0.00", "0.00")
    assert await statuses("payments") == ["CHARGED_BACK"]
    assert (await audit()).differences == ()


async def test_of_a_closed_service_it_is_the_operators_loss(service: Service) -> None:
    _, _, key = await paid(service)
    before = await sums()
    await execute("update service_accounts set status = 'CLOSED'")

    found = await dispute(service, key)
    taken = await sums()
    await end(service, found, True)

    assert (taken["CHARGEBACK_LOSS"], taken["PREPAID"]) == (2_500, -2_500)
    assert await sums() == before
    assert (await audit()).differences == ()


@transactional
async def begun(ports: Ports, intent: charges.Intent) -> Any:
    service_id = intent.service_account_id
    return await charges.begin(ports, intent, await lock_balance(service_id) if service_id else None)


async def charge_for(
    service: Service, ann: Holder, opened: Opened | None, purpose: PaymentPurpose, lines: list[Line], **more: Any
) -> str:
    """Charge a card for any purpose; return the charge's key."""
    await ann.card()
    (card,) = await fetch("select * from payment_methods limit 1")
    key = uuid7()
    intent = charges.Intent(
        payment_id=key, account_id=ann.account_id, service_account_id=opened and opened.key, method_id=card["id"],
        purpose=purpose, channel=PaymentChannel.CARD_ONLINE, lines=lines, **more,
    )  # fmt: skip
    await charges.send(
        service.ports,
        await begun(service.ports, intent),
        charges.CardOf(str(ann.account_id), card["card_token"]),
    )
    return str(key)


def line(kind: LineKind, cents: int, jurisdiction: str | None = None) -> Line:
    return Line("payments.line_deposit", cents, kind, jurisdiction)


async def test_fees_and_taxes_that_go_back_are_the_operators_loss(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    lines = [line(LineKind.PRINCIPAL, 2_500), line(LineKind.FEE, 300), line(LineKind.TAX, 20, "NM")]
    key = await charge_for(service, ann, opened, PaymentPurpose.FUND_ADVANCE_CONNECT, lines)

    await dispute(service, key)

    taken = await sums()
    assert (taken.get("PREPAID", 0), taken["CHARGEBACK_LOSS"]) == (0, 320)
    assert taken.get("PROCESSOR_CLEARING", 0) == 0
    assert (await audit()).differences == ()


@pytest.mark.parametrize("purpose", [PaymentPurpose.SUBSCRIPTION, PaymentPurpose.VIDEO_SESSION])
async def test_of_a_plan_or_visit_it_is_the_operators_loss(service: Service, purpose: PaymentPurpose) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    key = await charge_for(service, ann, None, purpose, [line(LineKind.PRINCIPAL, 2_999)])

    await dispute(service, key)

    assert (await sums())["CHARGEBACK_LOSS"] == 2_999
    assert (await balance(service, ann))["posted"] == "5.00"


@pytest.mark.parametrize(("days", "status"), [(20, "OPEN"), (-1, "PAST_DUE")])
async def test_an_invoice_that_was_paid_is_owed_again(service: Service, days: int, status: str) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await execute("update service_accounts set product = 'DIRECT_BILL' where id = $1", opened.key)
    await execute("update balances set product = 'DIRECT_BILL' where service_account_id = $1", opened.key)
    (held,) = await fetch("select id from balances")
    await execute(
        "insert into ledger_accounts (id, kind, key, unit, balance_id) values ($1, 'BILLED', $2, 'USD_CENT', $3)",
        uuid7(), str(opened.key), held["id"],
    )  # fmt: skip
    now, invoice_id = service.ports.now(), uuid7()
    await execute(
        "insert into invoices (id, account_id, service_account_id, number, kind, status, statement_date, due_date,"
        " total, due, issued_at, ended_at) values ($1, $2, $3, '1', 'MONTHLY', 'PAID', $4, $5, 4000, 0, $6, $6)",
        invoice_id, ann.account_id, opened.key, (now - timedelta(days=30)).date(), (now + timedelta(days=days)).date(),
        now,
    )  # fmt: skip
    lines = [line(LineKind.PRINCIPAL, 4_000)]
    key = await charge_for(service, ann, opened, PaymentPurpose.PAY_INVOICE, lines, invoice_id=invoice_id)

    found = await dispute(service, key)
    (owed,) = await fetch("select status, due, ended_at from invoices")
    await end(service, found, True)
    (settled,) = await fetch("select status, due, ended_at from invoices")

    assert (owed["status"], owed["due"], owed["ended_at"]) == (status, 4_000, None)
    assert (settled["status"], settled["due"]) == ("PAID", 0)
    assert settled["ended_at"] is not None
    assert json.dumps(await sums()) == json.dumps({"BILLED": -4_000, "PROCESSOR_CLEARING": 4_000})
