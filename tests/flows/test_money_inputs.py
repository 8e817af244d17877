"""Every input of money takes plain decimals and refuses all else, and then nothing is kept."""

from __future__ import annotations

from typing import Any

import pytest

from api.domain.service_accounts import Product
from tests import factories
from tests.flows.conftest import Service
from tests.flows.money import AUTHORIZE, QUOTE, RECORD, count, quote
from tests.flows.paying import opened, person, place, quote_for, service_id

# What no parser may take for a number, as GraphQL variables carry it.
NO_NUMBERS: list[Any] = [
    "", " ", " 1", "1 ", "\n1", "+1", "-", ".", "1.", ".5", "01", "1,00", "1_000", "1e3", "1e-30", "1e1000000",
    "NaN", "sNaN", "Infinity", "-Infinity", "0x10", "１２", "١٢", "²", "1.2.3", "$5", "5 USD", "9" * 13,
    str(2**63), "9" * 100_000, "1\0", "\ud800", 0.5, 0.1 + 0.2, 1e300, True, [1], {"amount": "1"}, 10**12, 2**63,
]  # fmt: skip
LITERALS = ["0.5", "1e3", "1.0", "true", "ONE", "[1]", '"1e3"', '"1_000"', '"NaN"', '""', str(2**63), "9" * 5_000]


def shown(value: Any) -> str:
    return ascii(value)[:20]


@pytest.mark.row("F41")
@pytest.mark.parametrize("value", NO_NUMBERS, ids=shown)
async def test_what_is_no_plain_decimal_is_a_bad_request(service: Service, value: Any) -> None:
    ann = await factories.holder(service)
    opened, key = await ann.advance_connect(), await factories.switch_key(service)
    call = {"callId": "c", "phone": opened.phone, "ratePerMinute": value}
    report = call | {"startedAt": service.ports.now().isoformat(), "durationSeconds": 60}
    deposit = {"purpose": "FUND_ADVANCE_CONNECT", "serviceAccountId": opened.id, "amount": value}

    results = [
        await service.run(QUOTE, {"input": deposit}, token=ann.token),
        await service.run(QUOTE, {"input": deposit | {"purpose": "FUND_DEBIT"}}, token=ann.token),
        await service.run(AUTHORIZE, {"input": call}, token=key),
        await service.run(RECORD, {"input": report}, token=key),
        await service.run(
            "query($f: TransactionFilter) { me { serviceAccounts { ... on AdvanceConnectAccount {"
            " transactions(filter: $f) { edges { cursor } } } } } }",
            {"f": {"minAmount": value}},
            token=ann.token,
        ),
    ]

    assert [[error.extensions for error in result.errors or []] for result in results] == [
        [{"code": "BAD_REQUEST"}]
    ] * 5
    assert await count("quotes") == await count("calls") == await count("journal_entries") == 0


@pytest.mark.row("F41")
@pytest.mark.parametrize("literal", LITERALS, ids=shown)
async def test_a_literal_that_is_no_plain_decimal_is_a_bad_request(service: Service, literal: str) -> None:
    ann = await factories.holder(service)
    document = (
        f"mutation {{ quotePayment(input: {{purpose: FUND_ADVANCE_CONNECT, amount: {literal}}}) {{ __typename }} }}"
    )

    result = await service.run(document, token=ann.token)

    assert [error.extensions for error in result.errors or []] == [{"code": "BAD_REQUEST"}]


NO_WHOLE_NUMBERS: list[Any] = [
    "",
    "5",
    "1_000",
    "１２",
    0.5,
    5.5,
    1e300,
    True,
    [5],
    {"stamps": 5},
    2**31,
    2**63,
    10**40,
]


@pytest.mark.parametrize("value", NO_WHOLE_NUMBERS, ids=shown)
async def test_what_is_no_whole_number_of_stamps_is_a_bad_request(service: Service, value: Any) -> None:
    ann = await factories.holder(service)
    stamps = {"purpose": "BUY_STAMPS", "serviceAccountId": "any", "stamps": value}

    result = await service.run(QUOTE, {"input": stamps}, token=ann.token)

    assert [error.extensions for error in result.errors or []] == [{"code": "BAD_REQUEST"}]
    assert await count("quotes") == 0


@pytest.mark.rule("14")
@pytest.mark.parametrize(
    "amount, code",
    [
        ("0", "INVALID"),
        ("-0.01", "INVALID"),
        ("0.001", "INVALID"),
        ("0.99", "LIMIT_EXCEEDED"),
        ("999999999999.99", "LIMIT_EXCEEDED"),
    ],
)
async def test_a_deposit_for_somebody_is_bounded_alike(service: Service, amount: str, code: str) -> None:
    ann = await factories.holder(service)
    debit = service_id(await opened(ann, Product.DEBIT, await person(await place())))

    payload = await quote_for(service, ann, "FUND_DEBIT", serviceAccountId=debit, amount=amount)

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [(code, ["input", "amount"])]
    assert await count("quotes") == 0


@pytest.mark.row("F41")
@pytest.mark.rule("14")
@pytest.mark.parametrize(
    "amount, code",
    [
        (None, "REQUIRED"),
        ("0", "INVALID"),
        ("0.00", "INVALID"),
        ("-0", "INVALID"),
        ("-0.01", "INVALID"),
        ("-25", "INVALID"),
        ("0.001", "INVALID"),
        ("25.000", "INVALID"),
        ("0.01", "LIMIT_EXCEEDED"),
        ("0.99", "LIMIT_EXCEEDED"),
        ("1000.01", "LIMIT_EXCEEDED"),
        ("999999999999.99", "LIMIT_EXCEEDED"),
    ],
)
async def test_a_deposit_out_of_bounds_is_refused_and_nothing_is_kept(
    service: Service, amount: str | None, code: str
) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()

    payload = await quote(service, ann, opened, amount)

    assert payload["quote"] is None
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [(code, ["input", "amount"])]
    assert await count("quotes") == 0


@pytest.mark.parametrize(
    "amount, total",
    [("1", "1.00"), ("1.5", "1.50"), ("1.00", "1.00"), ("50.00", "50.00"), ("1000.00", "1000.00"), (25, "25.00")],
)
async def test_a_plain_decimal_within_bounds_is_taken_exactly(service: Service, amount: Any, total: str) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()

    payload = await quote(service, ann, opened, amount)

    assert payload["quote"]["total"] == {"amount": total}
