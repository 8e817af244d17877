"""A service's ledger as its holder reads it: pages by keyset, filters, and what is no page."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.money import open_service

PAGE = """query($first: Int, $after: String, $last: Int, $before: String, $filter: TransactionFilter) {
  me { serviceAccounts { ... on AdvanceConnectAccount {
    transactions(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
      edges { cursor node { sequence kind amount { amount } balanceAfter { amount } postedAt description } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } } }"""
CALLS = """query($first: Int, $after: String, $last: Int, $before: String) {
  me { serviceAccounts { ... on AdvanceConnectAccount {
    calls(first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { id } } pageInfo { hasNextPage endCursor startCursor } } } } } }"""
PAYMENTS = "query($after: String) { me { payments(after: $after) { edges { cursor } } } }"


async def with_entries(service: Service, count: int) -> tuple[Holder, Opened]:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    for n in range(count):
        await factories.fund(service.ports, opened.key, 100 * (n + 1))
    return ann, opened


async def page(service: Service, holder: Holder, document: str = PAGE, **variables: Any) -> dict[str, Any]:
    (found,) = (await service.ask(document, variables, token=holder.token))["me"]["serviceAccounts"]
    only: dict[str, Any] = next(iter(found.values()))
    return only


def sequences(found: dict[str, Any]) -> list[int]:
    return [edge["node"]["sequence"] for edge in found["edges"]]


async def code_of(service: Service, holder: Holder, document: str = PAGE, **variables: Any) -> str | None:
    result = await service.run(document, variables, token=holder.token)
    return result.errors[0].extensions["code"] if result.errors and result.errors[0].extensions else None


async def test_pages_lead_forward_through_all_entries_newest_first(service: Service) -> None:
    ann, _ = await with_entries(service, 5)

    first = await page(service, ann, first=2)
    second = await page(service, ann, first=2, after=first["pageInfo"]["endCursor"])
    third = await page(service, ann, first=2, after=second["pageInfo"]["endCursor"])

    assert [sequences(found) for found in (first, second, third)] == [[5, 4], [3, 2], [1]]
    assert [found["pageInfo"]["hasNextPage"] for found in (first, second, third)] == [True, True, False]
    assert [found["pageInfo"]["hasPreviousPage"] for found in (first, second, third)] == [False, True, True]


async def test_pages_lead_backward_through_all_entries(service: Service) -> None:
    ann, _ = await with_entries(service, 5)

    last = await page(service, ann, last=2)
    before = await page(service, ann, last=2, before=last["pageInfo"]["startCursor"])
    start = await page(service, ann, last=2, before=before["pageInfo"]["startCursor"])

    assert [sequences(found) for found in (last, before, start)] == [[2, 1], [4, 3], [5]]
    assert [found["pageInfo"]["hasPreviousPage"] for found in (last, before, start)] == [True, True, False]


async def test_new_entries_shift_nothing_on_later_pages(service: Service) -> None:
    ann, opened = await with_entries(service, 4)
    first = await page(service, ann, first=2)

    await factories.fund(service.ports, opened.key, 999)
    second = await page(service, ann, first=2, after=first["pageInfo"]["endCursor"])

    assert sequences(second) == [2, 1]


async def test_an_entry_tells_what_the_balance_was_after_it(service: Service) -> None:
    ann, _ = await with_entries(service, 2)

    found = await page(service, ann)

    assert [edge["node"]["balanceAfter"]["amount"] for edge in found["edges"]] == ["3.00", "1.00"]
    assert {edge["node"]["description"] for edge in found["edges"]} == {"Payment"}


async def test_an_empty_ledger_is_an_empty_page(service: Service) -> None:
    ann, _ = await with_entries(service, 0)

    found = await page(service, ann, first=1)

    assert found["edges"] == []
    assert found["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


@pytest.mark.parametrize(
    "wanted, expected",
    [
        ({"kinds": ["FUNDING"]}, [3, 2, 1]),
        ({"kinds": ["CALL_CHARGE", "REFUND"]}, [4]),
        ({"kinds": []}, [4, 3, 2, 1]),
        ({"minAmount": "2.00"}, [3, 2]),
        ({"minAmount": "2.0001"}, [3]),
        ({"maxAmount": "1.9999"}, [4, 1]),
        ({"minAmount": "-0.1001", "maxAmount": "-0.0999"}, [4]),
        ({"maxAmount": "-0.1001"}, []),
        ({"minAmount": "1.00", "maxAmount": "1.00", "kinds": ["FUNDING"]}, [1]),
    ],
)
async def test_a_filter_leaves_only_what_fits_all_of_it(
    service: Service, wanted: dict[str, Any], expected: list[int]
) -> None:
    ann, opened = await with_entries(service, 3)
    await factories.switch_key(service)
    await factories.charged_call(service.ports, await factories.switch_id(), opened, "call")

    assert sequences(await page(service, ann, filter=wanted)) == expected


async def test_a_filter_by_time_takes_its_beginning_and_leaves_its_end(service: Service) -> None:
    ann, opened = await with_entries(service, 1)
    await service.advance(timedelta(hours=1))
    await factories.fund(service.ports, opened.key, 1)
    later, earlier = [edge["node"]["postedAt"] for edge in (await page(service, ann))["edges"]]

    assert sequences(await page(service, ann, filter={"from": later})) == [2]
    assert sequences(await page(service, ann, filter={"to": later})) == [1]
    assert sequences(await page(service, ann, filter={"from": earlier, "to": later})) == [1]
    assert sequences(await page(service, ann, filter={"from": later, "to": earlier})) == []


async def test_a_filter_holds_on_each_page(service: Service) -> None:
    ann, opened = await with_entries(service, 3)
    await factories.switch_key(service)
    await factories.charged_call(service.ports, await factories.switch_id(), opened, "call")

    first = await page(service, ann, first=2, filter={"kinds": ["FUNDING"]})
    second = await page(service, ann, first=2, after=first["pageInfo"]["endCursor"], filter={"kinds": ["FUNDING"]})

    assert [sequences(first), sequences(second)] == [[3, 2], [1]]


@pytest.mark.parametrize("size", [0, -1, 101, 2**31 - 1])
async def test_a_page_has_one_to_a_hundred_entries(service: Service, size: int) -> None:
    ann, _ = await with_entries(service, 1)

    assert await code_of(service, ann, first=size) == "BAD_REQUEST"
    assert await code_of(service, ann, last=size) == "BAD_REQUEST"


async def test_the_bounds_of_a_page_are_taken(service: Service) -> None:
    ann, _ = await with_entries(service, 2)

    assert sequences(await page(service, ann, first=1)) == [2]
    assert sequences(await page(service, ann, first=100)) == sequences(await page(service, ann, last=100)) == [2, 1]


@pytest.mark.parametrize(
    "both",
    [{"first": 1, "last": 1}, {"after": "a", "before": "b"}, {"first": 1, "before": "b"}, {"last": 1, "after": "a"}],
)
async def test_a_page_leads_one_way(service: Service, both: dict[str, Any]) -> None:
    ann, _ = await with_entries(service, 1)

    assert await code_of(service, ann, **both) == "BAD_REQUEST"


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


GARBAGE = {
    "nothing": "",
    "no base64": "%%%",
    "no text": "_____w",
    "no JSON": "bm9wZQ",
    "a number": base64.b64encode(b"5").decode(),
    "an object": base64.b64encode(b'{"0": 1}').decode(),
    "nested": base64.b64encode(b"[" * 150).decode(),
    "too long": "A" * 100_000,
    "another script": "１２３４",
    "a NUL": "\0",
    "a lone surrogate": "\ud800",
    "no part": cursor(),
    "too many parts": cursor("1", "2", "3"),
    "words": cursor("one"),
    "a huge number": cursor("9" * 200),
    "beyond the column": cursor(str(2**63)),
    "a float": cursor(1.5),
    "a truth": cursor(True),
    "an underscore": cursor("1_0"),
    "two words": cursor("one", "two"),
    "a time without a zone": cursor("2026-11-22 12:00:00", "0192f0c1-2345-7000-8000-000000000000"),
    "a time before time": cursor("0001-01-01 00:00:00+14:00", "0192f0c1-2345-7000-8000-000000000000"),
    "numbers for a time": cursor(1, 2),
    "a number for a key": cursor("2026-11-22 12:00:00+00:00", 5),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_a_cursor_of_garbage_is_a_bad_request(service: Service, name: str) -> None:
    ann = await factories.holder(service)
    await open_service(service, ann)

    found = [await code_of(service, ann, document, after=GARBAGE[name]) for document in (PAGE, CALLS, PAYMENTS)]

    assert found == ["BAD_REQUEST"] * 3


async def test_pages_of_calls_that_began_at_one_moment_miss_none(service: Service) -> None:
    ann, opened = await with_entries(service, 3)
    await factories.switch_key(service)
    switch, began = await factories.switch_id(), service.ports.now()
    rows = [
        await factories.charged_call(service.ports, switch, opened, f"call {n}", started_at=began) for n in range(5)
    ]

    first = await page(service, ann, CALLS, first=2)
    second = await page(service, ann, CALLS, first=2, after=first["pageInfo"]["endCursor"])
    third = await page(service, ann, CALLS, first=2, after=second["pageInfo"]["endCursor"])
    back = await page(service, ann, CALLS, last=2, before=third["pageInfo"]["startCursor"])

    seen = [edge["node"]["id"] for found in (first, second, third) for edge in found["edges"]]
    assert len(set(seen)) == len(seen) == len(rows)
    assert back["edges"] == second["edges"]
