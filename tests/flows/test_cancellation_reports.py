"""The report on unsubscribing, for marketing: how many, why and where, and never who (rule 30)."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from api.adapters.database import execute
from api.domain.accounts import STAFF_ROLES, Role
from api.domain.days import day_of, start_of
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money_back import staff
from tests.flows.second_steps import enrol
from tests.flows.test_month_statements import read
from tests.flows.test_staff import member, outside
from tests.flows.unsubscribing import CANCEL, RESUME, act, begin, do, subscribed

pytestmark = pytest.mark.rule("30")
REPORT = """query($from: Date!, $to: Date!) { staff { cancellationReport(from: $from, to: $to) {
  started cancelled stayed abandoned csvUrl
  rows { reason { code label } facility { name state } cancelled stayed } } } }"""
DAY = timedelta(hours=24)


async def flow(service: Service, ann: Holder, one: str, reason: str | None, *after: str) -> None:
    """Go through a flow; what was cancelled is taken back, so that it can be gone through again."""
    flow_id = await begin(service, ann, one)
    if reason:
        await act(service, ann.token, CANCEL[0], flow_id, reason=reason, comment="Ann's own words")
    for step in after:
        assert (await act(service, ann.token, step, flow_id))["errors"] == []
    if CANCEL[2] in after:
        await do(service, ann.token, RESUME, id=one)


async def flows(service: Service, ann: Holder, one: str, reason: str | None, cancelled: int, stayed: int) -> None:
    for _ in range(cancelled):
        await flow(service, ann, one, reason, *CANCEL[1:])
    for _ in range(stayed):
        await flow(service, ann, one, reason, "stayEnrolled")


async def report(service: Service, token: str, since: date | None = None, until: date | None = None) -> dict[str, Any]:
    """Return the report on some days, or on today."""
    today = day_of(service.ports.now())
    days = {"from": (since or today).isoformat(), "to": (until or since or today).isoformat()}
    found: dict[str, Any] = (await service.ask(REPORT, days, token=token))["staff"]["cancellationReport"]
    return found


def rows(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (row["reason"] and row["reason"]["code"], row["facility"] and row["facility"]["name"], row["cancelled"],
         row["stayed"])
        for row in found["rows"]
    ]  # fmt: skip


async def two_places(service: Service) -> tuple[Holder, str, str]:
    """Return a holder and two plans, at Mesa Jail and at Pine Prison."""
    ann = await factories.holder(service)
    one, other = await subscribed(service, ann), await subscribed(service, ann)
    await execute(
        "update facilities set name = 'Pine Prison' where id = (select p.facility_id from plan_subscriptions s"
        " join plans p on p.id = s.plan_id order by s.id desc limit 1)"
    )
    return ann, one, other


async def test_in_the_sandbox_each_reason_at_each_facility_is_counted(service: Service) -> None:
    ann, one, other = await two_places(service)
    await flows(service, ann, one, "moved", 2, 1)
    await flows(service, ann, other, "moved", 1, 0)
    await flows(service, ann, other, None, 0, 1)
    await begin(service, ann, one)

    found = await report(service, await staff(service, Role.MARKETING))

    assert {name: found[name] for name in ("started", "cancelled", "stayed", "abandoned")} == {
        "started": 6, "cancelled": 3, "stayed": 2, "abandoned": 0,
    }  # fmt: skip
    assert rows(found) == [
        ("moved", "Mesa Jail", 2, 1), (None, "Pine Prison", 0, 1), ("moved", "Pine Prison", 1, 0),
    ]  # fmt: skip
    assert "own words" not in str(found)


async def test_what_was_left_alone_counts_as_abandoned_before_and_after_that_is_written(service: Service) -> None:
    ann, one, other = await two_places(service)
    await flow(service, ann, one, None)
    await flow(service, ann, other, "moved")
    began = day_of(service.ports.now())
    await service.advance(DAY)
    token = await staff(service, Role.MARKETING)

    found = [await report(service, token)]
    await service.work()
    found.append(await report(service, token))
    found.append(await report(service, token, began))

    assert [(each["started"], each["abandoned"]) for each in found] == [(0, 2), (0, 2), (2, 0)]
    assert [each["rows"] for each in found] == [[], [], []]


async def test_outside_the_sandbox_counts_under_five_are_merged_and_cannot_be_subtracted(service: Service) -> None:
    ann, one, other = await two_places(service)
    await flows(service, ann, one, "moved", 6, 1)
    await flows(service, ann, one, "other", 0, 5)
    await flows(service, ann, other, "moved", 7, 0)
    await flows(service, ann, other, "other", 2, 0)
    real = outside(service)
    token = await member(real, roles=(Role.MARKETING,))
    await enrol(real, token)

    found = await report(real, token)

    assert (found["cancelled"], found["stayed"]) == (15, 6)
    assert rows(found) == [("moved", "Pine Prison", 7, 0), (None, None, 8, 6)]


async def test_days_begin_at_midnight_in_central_time(service: Service) -> None:
    ann, one, _ = await two_places(service)
    await flows(service, ann, one, "moved", 2, 0)
    on = date(2026, 3, 8)
    for at, last in ((start_of(on), "asc"), (start_of(on + DAY) - timedelta(seconds=1), "desc")):
        await execute(
            "update cancellations set ended_at = $1, begun_at = $1"
            f" where id = (select id from cancellations order by id {last} limit 1)",
            at,
        )
    token = await staff(service, Role.MARKETING)

    counted = [await report(service, token, on + timedelta(days=days)) for days in (-1, 0, 1)]

    assert [(each["started"], each["cancelled"]) for each in counted] == [(0, 0), (2, 2), (0, 0)]


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "locale, label, total", [("en", "It costs too much", "Total"), ("es", "Cuesta demasiado", "Total")]
)
async def test_the_same_comes_as_csv_in_the_readers_language(
    service: Service, locale: str, label: str, total: str
) -> None:
    ann, one, _ = await two_places(service)
    await execute("update facilities set name = '=cmd()' where name = 'Mesa Jail'")
    await flows(service, ann, one, "too_expensive", 1, 2)
    token = await staff(service, Role.MARKETING)
    await execute("update staff_members set locale = $1", locale)

    answer = await read(service, (await report(service, token))["csvUrl"])

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert "cancellations.csv" in answer.headers["content-disposition"]
    head, first, last = csv.reader(io.StringIO(answer.text))
    assert head[3:] == {
        "en": ["Started", "Cancelled", "Stayed enrolled", "Abandoned"],
        "es": ["Iniciadas", "Canceladas", "Siguen suscritos", "Abandonadas"],
    }[locale]  # fmt: skip
    assert first == ["too_expensive", label, "'=cmd()", "", "1", "2", ""]
    assert last == ["", total, "", "3", "1", "2", "0"]
    assert "own words" not in answer.text


async def test_a_link_ends_with_its_time_and_with_its_readers_role_and_cannot_be_changed(service: Service) -> None:
    token = await staff(service, Role.MARKETING)
    url = (await report(service, token))["csvUrl"]
    body = url.partition("token=")[2].partition(".")[0]
    other = "A" if body[-2] != "A" else "B"

    async def status(address: str = url) -> int:
        answer: httpx.Response = await read(service, address)
        return answer.status_code

    assert await status() == 200
    assert await status(url.replace(body, f"{body[:-2]}{other}{body[-1]}")) == 404
    assert await status(url.replace("/cancellations.csv", "/transactions.csv")) == 404
    assert await status(url.partition("?")[0]) == 404
    await execute("update staff_members set roles = '[\"ADMIN\"]'")
    assert await status() == 404
    await execute("update staff_members set roles = '[\"MARKETING\"]'")
    assert await status() == 200
    await execute("update staff_members set disabled_at = $1", service.ports.now())
    assert await status() == 404
    await execute("update staff_members set disabled_at = null")
    await service.advance(timedelta(minutes=16))
    assert await status() == 404


@pytest.mark.rule("39")
async def test_only_marketing_may_read_it(service: Service) -> None:
    today = day_of(service.ports.now()).isoformat()
    allowed = set()
    for role in STAFF_ROLES:
        result = await service.run(REPORT, {"from": today, "to": today}, token=await staff(service, role))
        if not result.errors:
            allowed.add(role)

    assert allowed == {Role.MARKETING}


@pytest.mark.parametrize(
    "since, until",
    [("2026-11-22", "2026-11-21"), ("2025-11-22", "2026-11-23"), ("9999-12-31", "9999-12-31"), ("0001-01-01",) * 2],
)
async def test_a_period_that_cannot_be_is_a_bad_request(service: Service, since: str, until: str) -> None:
    token = await staff(service, Role.MARKETING)

    result = await service.run(REPORT, {"from": since, "to": until}, token=token)

    assert result.errors
    assert (result.errors[0].extensions or {})["code"] == "BAD_REQUEST"
    assert "366" in result.errors[0].message
