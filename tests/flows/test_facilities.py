"""Facilities, rates by their day, and finding a person in custody."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from api.domain.service_accounts import Product
from tests.flows.conftest import Service
from tests.flows.paying import Place, person, place, plan, rate

LIST = """query($search: String, $state: String, $first: Int, $after: String, $last: Int, $before: String) {
  facilities(search: $search, state: $state, first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { id name state timeZone products plans { name price { amount } } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
RATE = """query($id: ID!, $minutes: Int! = 15) { rateQuote(facilityId: $id, minutes: $minutes) {
  facility { name } perMinute minutes total { amount } effectiveFrom } }"""
FIND = """query($id: ID!, $number: String!, $name: String!) {
  findIncarceratedPerson(facilityId: $id, number: $number, lastName: $name) { displayName facility { id } } }"""


async def names(service: Service, **arguments: Any) -> list[str]:
    page = (await service.ask(LIST, arguments))["facilities"]
    return [edge["node"]["name"] for edge in page["edges"]]


async def find(service: Service, where: Place, number: str, name: str, client: str = "198.51.100.7") -> Any:
    return await service.run(FIND, {"id": where.id, "number": number, "name": name}, client_address=client)


async def test_facilities_are_listed_by_name_page_by_page_both_ways(service: Service) -> None:
    for name in ("Cedar", "Alder", "Birch", "Birch", "Dogwood"):
        await place(name)

    first = (await service.ask(LIST, {"first": 2}))["facilities"]
    rest = (await service.ask(LIST, {"first": 5, "after": first["pageInfo"]["endCursor"]}))["facilities"]
    back = (await service.ask(LIST, {"last": 2, "before": rest["pageInfo"]["startCursor"]}))["facilities"]

    assert [edge["node"]["name"] for edge in first["edges"] + rest["edges"]] == [
        "Alder", "Birch", "Birch", "Cedar", "Dogwood"
    ]  # fmt: skip
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert back["edges"] == first["edges"]
    assert await names(service, last=1) == ["Dogwood"]


async def test_facilities_are_found_by_a_part_of_the_name_and_by_state(service: Service) -> None:
    for name, state in (("Mesa Jail", "NM"), ("Prairie Jail", "TX"), ("100% Prison_A", "TX")):
        await place(name, state)

    assert await names(service, search=" jail ") == ["Mesa Jail", "Prairie Jail"]
    assert await names(service, search="JAIL", state="tx") == ["Prairie Jail"]
    assert await names(service, search="%") == await names(service, search="_") == ["100% Prison_A"]
    assert await names(service, search="nowhere") == await names(service, state="ZZ") == []


@pytest.mark.parametrize("arguments", [{"search": "x" * 101}, {"search": "\0"}, {"state": "\ud800"}, {"after": "x"}])
async def test_a_search_that_cannot_be_one_is_a_bad_request(service: Service, arguments: dict[str, str]) -> None:
    result = await service.run(LIST, arguments)

    assert [error.extensions for error in result.errors or []] == [{"code": "BAD_REQUEST"}]


async def test_a_facility_shows_what_it_offers(service: Service) -> None:
    mesa, other = await place(), await place("Other", products=(Product.DEBIT,))
    await plan(mesa, 2_999)
    await plan(mesa, 999)

    shown = [edge["node"] for edge in (await service.ask(LIST))["facilities"]["edges"]]

    assert shown[0]["id"] == mesa.id
    assert [found["price"]["amount"] for found in shown[0]["plans"]] == ["9.99", "29.99"]
    assert (shown[1]["id"], shown[1]["products"], shown[1]["plans"]) == (other.id, ["DEBIT"], [])


async def test_a_rate_holds_from_its_day_by_the_facilitys_calendar(service: Service) -> None:
    honolulu = await place(zone="Pacific/Honolulu")
    tomorrow = service.ports.now().date() + timedelta(days=1)
    await rate(honolulu, "0.1450")
    await rate(honolulu, "0.2", tomorrow)

    # Noon of the next day by UTC is two in the night there.
    at_noon = datetime.combine(tomorrow, datetime.min.time(), UTC) + timedelta(hours=9, minutes=59)
    await service.advance(at_noon - service.ports.now())
    before = (await service.ask(RATE, {"id": honolulu.id}))["rateQuote"]
    await service.advance(timedelta(minutes=2))
    after = (await service.ask(RATE, {"id": honolulu.id, "minutes": 1}))["rateQuote"]

    assert (before["perMinute"], before["minutes"], before["total"]["amount"]) == ("0.1450", 15, "2.18")
    assert before["effectiveFrom"] == date(2026, 1, 1).isoformat()
    assert (after["perMinute"], after["total"]["amount"]) == ("0.2000", "0.20")
    assert after["effectiveFrom"] == tomorrow.isoformat()


async def test_where_no_rate_is_set_there_is_no_quote(service: Service) -> None:
    bare = await place()

    assert (await service.ask(RATE, {"id": bare.id}))["rateQuote"] is None
    assert (await service.ask(RATE, {"id": "nothing"}))["rateQuote"] is None


@pytest.mark.parametrize("minutes", [0, -1, 1_441, 2**31 - 1])
async def test_a_call_lasts_a_minute_to_a_day(service: Service, minutes: int) -> None:
    where = await place()
    await rate(where, "0.1")

    result = await service.run(RATE, {"id": where.id, "minutes": minutes})

    assert [error.extensions for error in result.errors or []] == [{"code": "BAD_REQUEST"}]


@pytest.mark.parametrize(
    "number, name, found",
    [
        ("NM-20418", "Peña", True),
        (" nm 20418 ", "  PENA", True),
        ("NM-20418", "Pen", False),
        ("NM-2041", "Peña", False),
        ("", "Peña", False),
        ("NM-20418", "", False),
        ("%", "%", False),
        ("NM-20418\0", "\ud800", False),
        ("N" * 100_000, "Peña", False),
    ],
)
async def test_a_person_is_found_when_all_three_fit(service: Service, number: str, name: str, found: bool) -> None:
    here, elsewhere = await place(), await place("Other")
    await person(here, "NM-20418", "Peña")

    result, wrong_place = await find(service, here, number, name), await find(service, elsewhere, number, name)

    assert result.errors is None
    wanted = {"displayName": "Jordan Peña", "facility": {"id": here.id}} if found else None
    assert result.data == {"findIncarceratedPerson": wanted}
    assert wrong_place.data == {"findIncarceratedPerson": None}


async def test_guessing_at_people_is_stopped_and_finding_them_is_not(service: Service) -> None:
    where = await place()
    await person(where)
    for _ in range(32):
        assert (await find(service, where, "A-100", "Rivera", "203.0.113.9")).errors is None
    for n in range(30):
        assert (await find(service, where, f"A-{n}", "Rivera")).errors is None

    stopped, elsewhere = (
        await find(service, where, "A-100", "Rivera"),
        await find(service, where, "1", "R", "203.0.113.9"),
    )

    extensions = stopped.errors[0].extensions
    assert extensions["code"] == "RATE_LIMITED"
    assert 0 < extensions["retryAfterSeconds"] <= 3_600
    assert elsewhere.errors is None
