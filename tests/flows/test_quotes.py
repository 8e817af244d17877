"""Quotes of every purpose: what goes in, what comes out line by line, and how long it lasts (rule 14)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import execute
from api.domain.days import day_of
from api.domain.service_accounts import Product
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import authorize, count
from tests.flows.paying import fee, invoice, opened, person, place, plan, quote_for, rate, service_id

pytestmark = pytest.mark.rule("14")


def shown(payload: dict[str, Any]) -> list[tuple[str, str]]:
    assert payload["errors"] == [], payload
    return [(line["label"], line["amount"]["amount"]) for line in payload["quote"]["lines"]]


def wrong(payload: dict[str, Any]) -> list[tuple[str, str]]:
    assert payload["quote"] is None
    return [(error["code"], error["path"][-1]) for error in payload["errors"]]


async def with_everything(service: Service) -> tuple[Holder, dict[str, str]]:
    """Return a holder and what each purpose can be quoted for, by the inputs' names and the products'."""
    ann = await factories.holder(service)
    where = await place()
    direct_bill = await opened(ann, Product.DIRECT_BILL, phone="505-555-0101")
    return ann, {
        "ADVANCE_CONNECT": (await ann.advance_connect(500)).id,
        "DIRECT_BILL": service_id(direct_bill),
        "DEBIT": service_id(await opened(ann, Product.DEBIT, await person(where))),
        "EMESSAGING": service_id(await opened(ann, Product.EMESSAGING)),
        "invoice": await invoice(ann, direct_bill, 1_234, 2_000),
        "plan": await plan(where),
    }


async def test_each_purpose_says_what_it_costs(service: Service) -> None:
    ann, ids = await with_everything(service)

    deposit = await quote_for(service, ann, "FUND_DEBIT", serviceAccountId=ids["DEBIT"], amount="20.00")
    stamps = await quote_for(service, ann, "BUY_STAMPS", serviceAccountId=ids["EMESSAGING"], stamps=20)
    bill = await quote_for(service, ann, "PAY_INVOICE", invoiceId=ids["invoice"])
    month = await quote_for(service, ann, "SUBSCRIPTION", planId=ids["plan"])
    await execute("update balances set posted = 2000 where product = 'DIRECT_BILL'")
    owed = await quote_for(service, ann, "PAY_INVOICE", invoiceId=ids["invoice"])

    assert shown(deposit) == [("Deposit", "20.00")]
    assert shown(stamps) == [("20 stamps", "10.00")]
    assert shown(bill) == [("Invoice", "12.34")]
    assert shown(month) == [("Visits", "29.99")]
    assert [quoted["quote"]["balanceAfter"] for quoted in (deposit, stamps, month)] == [None] * 3
    assert owed["quote"]["balanceAfter"] == {"amount": "7.66"}


@pytest.mark.parametrize(
    "purpose, given, faults",
    [
        ("FUND_ADVANCE_CONNECT", {}, [("REQUIRED", "serviceAccountId"), ("REQUIRED", "amount")]),
        ("FUND_ADVANCE_CONNECT", {"serviceAccountId": "DEBIT", "amount": "0"},
         [("NOT_FOUND", "serviceAccountId"), ("INVALID", "amount")]),
        ("FUND_ADVANCE_CONNECT", {"serviceAccountId": "ADVANCE_CONNECT", "amount": "5", "stamps": 5, "planId": "plan"},
         [("INVALID", "planId"), ("INVALID", "stamps")]),
        ("FUND_DEBIT", {"serviceAccountId": "ADVANCE_CONNECT", "amount": "5"}, [("NOT_FOUND", "serviceAccountId")]),
        ("BUY_STAMPS", {"serviceAccountId": "EMESSAGING", "amount": "5"},
         [("REQUIRED", "stamps"), ("INVALID", "amount")]),
        ("BUY_STAMPS", {"serviceAccountId": "DIRECT_BILL", "stamps": 7},
         [("NOT_FOUND", "serviceAccountId"), ("INVALID", "stamps")]),
        ("PAY_INVOICE", {"amount": "5"}, [("REQUIRED", "invoiceId"), ("INVALID", "amount")]),
        ("PAY_INVOICE", {"invoiceId": "plan"}, [("NOT_FOUND", "invoiceId")]),
        ("SUBSCRIPTION", {"serviceAccountId": "DEBIT"}, [("REQUIRED", "planId"), ("INVALID", "serviceAccountId")]),
        ("SUBSCRIPTION", {"planId": "invoice"}, [("NOT_FOUND", "planId")]),
    ],
)  # fmt: skip
async def test_all_that_is_missing_or_does_not_belong_is_said_at_once(
    service: Service, purpose: str, given: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    ann, ids = await with_everything(service)
    inputs = {name: ids.get(value, value) if isinstance(value, str) else value for name, value in given.items()}

    payload = await quote_for(service, ann, purpose, **inputs)

    assert sorted(wrong(payload)) == sorted(faults)
    assert await count("quotes") == 0


@pytest.mark.parametrize("stamps", [0, -5, 1, 2**31 - 1, -(2**31)])
async def test_stamps_are_sold_by_packs(service: Service, stamps: int) -> None:
    ann = await factories.holder(service)
    book = service_id(await opened(ann, Product.EMESSAGING))

    payload = await quote_for(service, ann, "BUY_STAMPS", serviceAccountId=book, stamps=stamps)

    assert wrong(payload) == [("INVALID", "stamps")]
    assert "5, 10, 20" in payload["errors"][0]["message"]


async def test_nothing_of_others_can_be_quoted(service: Service) -> None:
    _, ids = await with_everything(service)
    bob = await factories.holder(service, "bob@mail.test")

    answers = [
        await quote_for(service, bob, "FUND_DEBIT", serviceAccountId=ids["DEBIT"], amount="5"),
        await quote_for(service, bob, "BUY_STAMPS", serviceAccountId=ids["EMESSAGING"], stamps=5),
        await quote_for(service, bob, "PAY_INVOICE", invoiceId=ids["invoice"]),
    ]

    assert [codes(answer) for answer in answers] == [["NOT_FOUND"]] * 3


@pytest.mark.parametrize("status, due", [("PAID", 0), ("VOID", 0)])
async def test_an_invoice_that_is_not_open_is_not_quoted(service: Service, status: str, due: int) -> None:
    ann = await factories.holder(service)
    bill = await invoice(ann, await opened(ann, Product.DIRECT_BILL, phone="505-555-0101"), due, 100, status)

    payload = await quote_for(service, ann, "PAY_INVOICE", invoiceId=bill)

    assert [(error["code"], error["currentState"]) for error in payload["errors"]] == [("INVALID_STATE", status)]


async def test_an_invoice_of_a_cent_can_be_paid(service: Service) -> None:
    ann = await factories.holder(service)
    bill = await invoice(ann, await opened(ann, Product.DIRECT_BILL, phone="505-555-0101"), 1, status="PAST_DUE")

    assert shown(await quote_for(service, ann, "PAY_INVOICE", invoiceId=bill)) == [("Invoice", "0.01")]


async def test_fees_and_the_taxes_of_the_holders_state_are_lines_of_their_own(service: Service) -> None:
    ann = await factories.holder(service)
    mine = await ann.advance_connect()
    await fee("FUND_ADVANCE_CONNECT", fixed=300)
    await fee("FUND_ADVANCE_CONNECT", "TAX", per_million=82_500, jurisdiction="TX")
    await fee("FUND_ADVANCE_CONNECT", "TAX", per_million=50_000, jurisdiction="NM")
    await fee("FUND_DEBIT", fixed=900)

    payload = await quote_for(service, ann, "FUND_ADVANCE_CONNECT", serviceAccountId=mine.id, amount="25.00")

    assert shown(payload) == [("Deposit", "25.00"), ("Fee", "3.00"), ("Tax", "2.06")]
    assert payload["quote"]["total"] == {"amount": "30.06"}
    assert payload["quote"]["balanceAfter"] == {"amount": "25.00"}


async def test_taxes_follow_an_address_in_the_united_states_alone(service: Service) -> None:
    ann = await factories.holder(service)
    mine = await ann.advance_connect()
    await fee("FUND_ADVANCE_CONNECT", "TAX", per_million=82_500, jurisdiction="TX")
    await execute("update accounts set country = 'MX'")

    payload = await quote_for(service, ann, "FUND_ADVANCE_CONNECT", serviceAccountId=mine.id, amount="25.00")

    assert shown(payload) == [("Deposit", "25.00")]


async def test_a_fee_holds_on_its_days_of_central_time(service: Service) -> None:
    ann = await factories.holder(service)
    mine = await ann.advance_connect()
    today = day_of(service.ports.now())
    await fee("FUND_ADVANCE_CONNECT", fixed=1, until=today)
    await fee("FUND_ADVANCE_CONNECT", fixed=20, since=today, until=today + timedelta(days=1))
    await fee("FUND_ADVANCE_CONNECT", fixed=300, since=today + timedelta(days=1))
    inputs = {"serviceAccountId": mine.id, "amount": "1.00"}

    now = await quote_for(service, ann, "FUND_ADVANCE_CONNECT", **inputs)
    await service.advance(timedelta(days=1))
    tomorrow = await quote_for(service, await factories.begin_again(ann), "FUND_ADVANCE_CONNECT", **inputs)

    assert [now["quote"]["total"], tomorrow["quote"]["total"]] == [{"amount": "1.20"}, {"amount": "4.00"}]


async def test_minutes_are_estimated_by_the_last_facility_then_by_the_most_usual_rate(service: Service) -> None:
    ann = await factories.holder(service)
    mine = await ann.advance_connect(1_000)
    inputs = {"serviceAccountId": mine.id, "amount": "25.00"}

    async def estimate() -> Any:
        payload = await quote_for(service, ann, "FUND_ADVANCE_CONNECT", **inputs)
        return payload["quote"]["estimatedMinutes"]

    none = await estimate()
    for name, per_minute in (("One", "0.25"), ("Two", "0.25"), ("Three", "0.05")):
        await rate(await place(name), per_minute)
    usual = await estimate()
    last = await place("Last")
    await rate(last, "0.10")
    switch = await factories.switch_key(service)
    await authorize(service, switch, mine.phone, facilityId=last.id)

    assert (none, usual, await estimate()) == (None, 100, 250)


async def test_a_deposit_for_somebody_is_estimated_by_the_rate_where_they_are(service: Service) -> None:
    ann = await factories.holder(service)
    where, elsewhere = await place(), await place("Elsewhere")
    await rate(where, "0.40")
    await rate(elsewhere, "0.05")
    debit = service_id(await opened(ann, Product.DEBIT, await person(where)))

    payload = await quote_for(service, ann, "FUND_DEBIT", serviceAccountId=debit, amount="10.00")

    assert payload["quote"]["estimatedMinutes"] == 25


async def test_a_plan_that_the_facility_offers_no_more_is_unavailable(service: Service) -> None:
    ann = await factories.holder(service)
    month = await plan(await place(products=(Product.DEBIT,)))

    assert wrong(await quote_for(service, ann, "SUBSCRIPTION", planId=month)) == [("UNAVAILABLE", "planId")]
