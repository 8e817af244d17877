"""Monthly statements and transactions as CSV (rules 12, 24): their sums are the ledger's."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from api.adapters.database import execute, fetch
from api.domain.days import day_of, first_of_next_month, start_of
from api.routes.files import file_routes
from api.services import month_ends, transaction_files
from api.services.audit import audit
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import SECONDS_MAX, Service
from tests.flows.direct_bill import direct_bill, external, next_month, number_of, statements
from tests.flows.money import record
from tests.flows.test_external_payments import partner

CSV = """query($filter: TransactionFilter) { me { serviceAccounts { ... on AdvanceConnectAccount {
  transactionsCsvUrl(filter: $filter) } } } }"""


@asynccontextmanager
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Open the door of files."""
    app = Starlette(routes=file_routes(service.ports))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://calls.example", timeout=SECONDS_MAX, trust_env=False
    ) as client:
        yield client


async def read(service: Service, url: str) -> httpx.Response:
    async with http(service) as client:
        return await client.get(url)


async def csv_url(service: Service, ann: Holder, filter: dict[str, Any] | None = None) -> str:
    found = (await service.ask(CSV, {"filter": filter}, token=ann.token))["me"]["serviceAccounts"]
    return str(found[0]["transactionsCsvUrl"])


def rows(answer: httpx.Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.text)))


async def test_a_months_sums_are_the_ledgers_and_one_months_closing_opens_the_next(service: Service) -> None:
    ann = await factories.holder(service)
    opened, key = await ann.advance_connect(1_000), await factories.switch_key(service)
    await record(service, key, opened.phone, 120, "first")
    await next_month(service)
    await record(service, key, opened.phone, 180, "second")
    await factories.fund(service.ports, opened.key, 500)
    await next_month(service)
    await next_month(service)
    ann = await factories.begin_again(ann)

    third, second, first = await statements(service, ann)

    parts = ("opening", "deposits", "charges", "closing", "callSeconds")
    assert [first[part] for part in parts] == ["0.00", "10.00", "0.20", "9.80", 120]
    assert [second[part] for part in parts] == ["9.80", "5.00", "0.30", "14.50", 180]
    assert [third[part] for part in parts] == ["14.50", "0.00", "0.00", "14.50", 0]
    assert first["periodEnd"] < second["periodStart"] < second["periodEnd"] < third["periodStart"]
    assert len([mail for mail in await service.mails(ann.email) if "statement" in mail.subject]) == 2
    assert (await audit()).differences == ()


async def test_a_statement_of_direct_bill_counts_what_is_owed(service: Service) -> None:
    ann = await factories.holder(service)
    opened, key = await direct_bill(service, ann), await factories.switch_key(service)
    await record(service, key, opened.phone, 600)
    await external(service, await partner(service), await number_of(opened.key), "0.40")

    await next_month(service)
    ann = await factories.begin_again(ann)

    (stated,) = await statements(service, ann)
    assert [stated[part] for part in ("opening", "deposits", "charges", "closing")] == ["0.00", "0.40", "1.00", "0.60"]
    assert stated["product"] == "DIRECT_BILL"
    assert (await audit()).differences == ()


async def test_a_call_recorded_at_the_months_end_is_on_one_statement_whichever_commits_first(service: Service) -> None:
    ann = await factories.holder(service)
    opened, key = await ann.advance_connect(1_000), await factories.switch_key(service)
    await month_ends.expect_month_end(service.ports)
    start = start_of(first_of_next_month(day_of(service.ports.now())))
    await service.advance(start - timedelta(seconds=30) - service.ports.now())
    await record(service, key, opened.phone, 60, "before")
    await service.advance(timedelta(seconds=31))
    await record(service, key, opened.phone, 120, "after, but before the work of the month")
    await service.work()
    # Posted by a process whose clock was read before midnight, committed after the statement was made.
    await service.advance(-timedelta(seconds=60))
    await record(service, key, opened.phone, 180, "late")
    await service.advance(timedelta(seconds=60))
    await next_month(service)
    ann = await factories.begin_again(ann)

    second, first = await statements(service, ann)

    assert [first[part] for part in ("charges", "closing", "callSeconds")] == ["0.10", "9.90", 60]
    assert [second[part] for part in ("opening", "charges", "callSeconds")] == ["9.90", "0.50", 300]
    assert (await audit()).differences == ()


async def test_the_work_of_a_month_makes_that_of_the_next_and_goes_through_services_in_batches(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(month_ends, "BATCH", 2)
    for name in "abcde":
        await (await factories.holder(service, f"{name}@mail.test")).advance_connect()

    await next_month(service)

    assert len(await fetch("select id from statements")) == 5
    (waiting,) = await fetch("select key from due_work where kind = 'months'")
    assert waiting["key"] == f"{day_of(service.ports.now())}:"


async def test_months_that_were_missed_are_stated_in_order(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(700)
    await execute("update service_accounts set opened_at = $1", service.ports.now() - timedelta(days=62))

    await next_month(service)
    ann = await factories.begin_again(ann)

    made = await statements(service, ann)
    assert len(made) == 3
    assert [one["closing"] for one in made] == ["7.00", "0.00", "0.00"]


async def test_transactions_come_as_csv_that_no_spreadsheet_runs(service: Service) -> None:
    ann = await factories.holder(service)
    opened, key = await ann.advance_connect(1_000), await factories.switch_key(service)
    await record(service, key, opened.phone, 60)
    for reference in ("=1+1", "@sum", 'say "so", please', "-2"):
        await external(service, await partner(service), await number_of(opened.key), externalReference=reference)

    answer = await read(service, await csv_url(service, ann))

    found = rows(answer)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="transactions-')
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert answer.text.count("\r\n") == len(found) == 7
    assert [row[0] for row in found[1:]] == ["1", "2", "3", "4", "5", "6"]
    call = found[2]
    assert (call[3], call[4], call[5], call[6], call[7], call[8]) == (
        "CALL_CHARGE", "Call", "-0.10", "9.90", f"'{opened.phone}", "60"
    )  # fmt: skip
    assert call[1].endswith("Z")
    assert [row[10] for row in found[3:]] == ["'=1+1", "'@sum", 'say "so", please', "'-2"]


async def test_csv_is_filtered_paged_and_in_the_holders_language(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction_files, "PAGE", 2)
    ann = await factories.holder(service, locale="es")
    opened, key = await ann.advance_connect(1_000), await factories.switch_key(service)
    for n in range(5):
        await record(service, key, opened.phone, 60, f"call {n}")

    everything = rows(await read(service, await csv_url(service, ann)))
    filtered = rows(await read(service, await csv_url(service, ann, {"kinds": ["FUNDING"], "minAmount": "0.01"})))

    assert [row[0] for row in everything] == ["Número", "1", "2", "3", "4", "5", "6"]
    assert [row[3] for row in filtered[1:]] == ["FUNDING"]


async def test_a_statements_csv_holds_its_months_entries_alone(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(1_000)
    await next_month(service)
    await factories.fund(service.ports, opened.key, 500)
    ann = await factories.begin_again(ann)

    (stated,) = await statements(service, ann)

    assert [row[5] for row in rows(await read(service, stated["csvUrl"]))[1:]] == ["10.00"]


async def test_a_files_link_ends_after_a_quarter_of_an_hour_when_changed_and_with_its_account(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(1_000)
    url = await csv_url(service, ann)
    body, _, signature = url.rpartition(".")
    wrong = [f"{body}x.{signature}", f"{body}.{signature[:-2]}", url.partition("?")[0], f"{url}é"]

    assert [(await read(service, one)).status_code for one in wrong] == [404] * len(wrong)
    await service.advance(timedelta(minutes=14))
    assert (await read(service, url)).status_code == 200
    await execute("update accounts set status = 'DELETED'")
    assert (await read(service, url)).status_code == 404
    await execute("update accounts set status = 'ACTIVE'")
    await service.advance(timedelta(minutes=1, seconds=1))
    assert (await read(service, url)).status_code == 404
