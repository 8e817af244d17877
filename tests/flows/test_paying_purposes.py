"""Paying for every purpose: where the money goes, and that nothing is paid twice (rules 12, 14)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.adapters.database import execute, fetch
from api.domain.ids import NodeKind, key_of
from api.domain.ledger import LedgerKind, Leg, TransactionKind
from api.domain.service_accounts import Product
from api.services.audit import audit
from api.services.ledger import lock_balance, post
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import pay
from tests.flows.paying import fee, invoice, opened, person, place, plan, quote_for, service_id

pytestmark = pytest.mark.rule("12")
KINDS = """select c.kind as credit, d.kind as debit, l.amount, l.unit from legs l
  join ledger_accounts c on c.id = l.credit_id join ledger_accounts d on d.id = l.debit_id order by c.kind"""


async def legs() -> list[tuple[str, str, int, str]]:
    return [(row["debit"], row["credit"], row["amount"], row["unit"]) for row in await fetch(KINDS)]


async def buy(service: Service, holder: Holder, purpose: str, key: str = "key", **inputs: Any) -> dict[str, Any]:
    """Quote and pay; return the payload."""
    quoted = await quote_for(service, holder, purpose, **inputs)
    assert quoted["errors"] == [], quoted
    return await pay(service, holder, quoted["quote"]["id"], await holder.card(), key)


async def test_stamps_are_paid_in_money_and_counted_in_stamps(service: Service) -> None:
    ann = await factories.holder(service)
    book = service_id(await opened(ann, Product.EMESSAGING))
    await fee("BUY_STAMPS", fixed=25)

    payload = await buy(service, ann, "BUY_STAMPS", serviceAccountId=book, stamps=20)
    await buy(service, ann, "BUY_STAMPS", "again", serviceAccountId=book, stamps=5)
    shown = await service.ask(
        "{ me { balances { id } serviceAccounts { ... on EMessagingAccount { stamps } } } }", token=ann.token
    )

    assert (payload["payment"]["status"], payload["payment"]["total"]) == ("SUCCEEDED", {"amount": "10.25"})
    assert shown["me"] == {"balances": [], "serviceAccounts": [{"stamps": 25}]}
    assert await legs() == [
        ("PROCESSOR_CLEARING", "FEE_REVENUE", 25, "USD_CENT"),
        ("PROCESSOR_CLEARING", "FEE_REVENUE", 25, "USD_CENT"),
        ("STAMPS_ISSUED", "STAMPS", 20, "STAMP"),
        ("STAMPS_ISSUED", "STAMPS", 5, "STAMP"),
        ("PROCESSOR_CLEARING", "STAMP_REVENUE", 1_000, "USD_CENT"),
        ("PROCESSOR_CLEARING", "STAMP_REVENUE", 250, "USD_CENT"),
    ]
    assert (await audit()).differences == ()


async def test_a_watcher_of_balances_hears_nothing_of_stamps(service: Service) -> None:
    ann = await factories.holder(service)
    book = service_id(await opened(ann, Product.EMESSAGING))
    mine = await ann.advance_connect()

    async with service.watch(
        "subscription { balanceChanged { balance { product } cause } }", token=ann.token
    ) as stream:
        first = await stream.next()
        await buy(service, ann, "BUY_STAMPS", serviceAccountId=book, stamps=5)
        await buy(service, ann, "FUND_ADVANCE_CONNECT", "money", serviceAccountId=mine.id, amount="5.00")
        later = [await stream.next(), await stream.next()]

    causes = [event["balanceChanged"]["cause"] for event in (first, *later)]
    assert causes == ["SNAPSHOT", "PAYMENT_PENDING", "FUNDED"]


async def test_a_deposit_belongs_to_the_person_whoever_pays_it(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")
    jordan = await person(await place())

    for one in (ann, bob):
        debit = service_id(await opened(one, Product.DEBIT, jordan))
        await buy(service, one, "FUND_DEBIT", serviceAccountId=debit, amount="20.00")
    shown = await service.ask(
        "{ me { balances { id } serviceAccounts { ... on DebitAccount { deposits { edges { node {"
        " amount { amount } purpose } } } } } } }",
        token=ann.token,
    )

    (mine,) = shown["me"]["serviceAccounts"]
    assert [edge["node"] for edge in mine["deposits"]["edges"]] == [
        {"amount": {"amount": "20.00"}, "purpose": "FUND_DEBIT"}
    ]
    assert await legs() == [("PROCESSOR_CLEARING", "DEBIT_FUNDS", 2_000, "USD_CENT")] * 2
    (funds,) = await fetch("select key from ledger_accounts where kind = 'DEBIT_FUNDS'")
    assert funds["key"] == str(key_of(jordan, NodeKind.INCARCERATED_PERSON))
    assert (await audit()).differences == ()


async def owing(service: Service, cents: int) -> tuple[Holder, str]:
    """Return a holder with an invoice of what calls have cost."""

    ann = await factories.holder(service)
    key = await opened(ann, Product.DIRECT_BILL, phone="505-555-0101")
    balance, now = await lock_balance(key), service.ports.now()
    own = (LedgerKind.UNBILLED, str(key))
    legs = [Leg(own, (LedgerKind.CALL_REVENUE, "operator"), cents)]
    moved, _ = await post(
        "call", legs, now=now, occurred_at=now, balance=balance, own=own, kind=TransactionKind.CALL_CHARGE
    )
    await post("invoice", [Leg((LedgerKind.BILLED, str(key)), own, cents)], now=now, occurred_at=now)
    assert moved is not None
    await execute("update balances set posted = $1, sequence = 1, revision = 1 where id = $2", moved.posted, moved.id)
    return ann, await invoice(ann, key, cents)


async def test_an_invoice_is_paid_off_what_is_billed(service: Service) -> None:
    ann, bill = await owing(service, 1_234)

    payload = await buy(service, ann, "PAY_INVOICE", invoiceId=bill)
    shown = await service.ask("{ me { balances { posted { amount } incoming { amount } } } }", token=ann.token)

    assert (payload["payment"]["status"], payload["payment"]["amount"]) == ("SUCCEEDED", {"amount": "12.34"})
    assert shown["me"]["balances"] == [{"posted": {"amount": "0.00"}, "incoming": {"amount": "0.00"}}]
    assert (await audit()).differences == ()


async def test_an_invoice_that_changed_or_is_being_paid_is_stale(service: Service) -> None:
    ann, bill = await owing(service, 1_234)
    first, second = [(await quote_for(service, ann, "PAY_INVOICE", invoiceId=bill))["quote"]["id"] for _ in range(2)]
    waits, card = await ann.card("tok_3ds"), await ann.card()

    under_way = await pay(service, ann, first, waits, "first")
    twice = await pay(service, ann, second, card, "second")
    (charge,) = await service.processor.charges()
    await execute("update invoices set due = 234")
    third = (await quote_for(service, ann, "PAY_INVOICE", invoiceId=bill))["quote"]["id"]
    await execute("update invoices set due = 0, status = 'PAID'")
    paid = await pay(service, ann, third, card, "third")

    assert under_way["payment"]["status"] == "REQUIRES_ACTION"
    assert codes(twice) == codes(paid) == ["STALE"]
    assert await service.processor.charges() == [charge]


async def test_of_two_quotes_of_one_invoice_paid_at_once_one_is_charged(service: Service) -> None:
    ann, bill = await owing(service, 1_000)
    quotes = [(await quote_for(service, ann, "PAY_INVOICE", invoiceId=bill))["quote"]["id"] for _ in range(4)]
    card = await ann.card("tok_3ds")

    answers = await asyncio.gather(*(pay(service, ann, quoted, card, quoted) for quoted in quotes))

    assert sorted(map(codes, answers)) == [[], *[["STALE"]] * 3]


async def test_a_plan_is_not_paid_by_pay(service: Service) -> None:
    ann = await factories.holder(service)
    quoted = await quote_for(service, ann, "SUBSCRIPTION", planId=await plan(await place()))

    payload = await pay(service, ann, quoted["quote"]["id"], await ann.card())

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [("INVALID", ["input", "quoteId"])]
    assert await service.processor.charges() == []


async def test_what_was_quoted_is_charged_although_a_fee_came_since(service: Service) -> None:
    ann = await factories.holder(service)
    mine = await ann.advance_connect()
    quoted = (await quote_for(service, ann, "FUND_ADVANCE_CONNECT", serviceAccountId=mine.id, amount="5"))["quote"]
    await fee("FUND_ADVANCE_CONNECT", fixed=300)
    later = (await quote_for(service, ann, "FUND_ADVANCE_CONNECT", serviceAccountId=mine.id, amount="5"))["quote"]
    card = await ann.card()

    before, after = await pay(service, ann, quoted["id"], card, "1"), await pay(service, ann, later["id"], card, "2")

    assert [paid["payment"]["total"]["amount"] for paid in (before, after)] == ["5.00", "8.00"]
    assert [paid["payment"]["amount"]["amount"] for paid in (before, after)] == ["5.00", "5.00"]
    assert await service.processor.captured_cents() == 1_300
    assert (await audit()).differences == ()


async def test_all_that_stops_a_payment_is_said_at_once(service: Service) -> None:
    ann = await factories.holder(service)
    mine = await ann.advance_connect()
    quoted = await ann.quote(mine)
    await execute("update service_accounts set status = 'CLOSING'")
    await execute("update quotes set expires_at = $1", service.ports.now())

    payload = await pay(service, ann, quoted, await ann.card("tok_expired"))

    assert sorted(codes(payload)) == ["ACCOUNT_CLOSED", "PAYMENT_METHOD_EXPIRED", "QUOTE_EXPIRED"]
    assert await service.processor.charges() == []
