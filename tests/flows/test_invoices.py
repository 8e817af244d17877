"""Direct Bill: calls on a credit limit, monthly invoices, and paying them (rules 13, 14, 24)."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from api.adapters.database import execute, fetch
from api.domain.days import day_of
from api.routes.pages import page_routes
from api.services import due_work, month_ends
from api.services.audit import audit
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.direct_bill import (
    BY_LINK,
    account,
    direct_bill,
    external,
    invoiced,
    invoices,
    next_month,
    number_of,
    pay_link,
    statements,
)
from tests.flows.getting_in import codes
from tests.flows.money import QUOTE, authorize, count, pay, record
from tests.flows.test_external_payments import partner


async def pay_signed_in(service: Service, ann: Holder, invoice_id: str, key: str = "key") -> dict[str, object]:
    """Quote and pay an invoice with a card of the holder's; return the payload of `pay`, or of the quote's refusal."""
    variables = {"purpose": "PAY_INVOICE", "invoiceId": invoice_id}
    quoted = (await service.ask(QUOTE, {"input": variables}, token=ann.token))["quotePayment"]
    if quoted["errors"]:
        return dict(quoted)
    return await pay(service, ann, quoted["quote"]["id"], await ann.card(), key)


@pytest.mark.rule("13")
async def test_calls_of_direct_bill_are_owed_up_to_the_credit_limit_and_the_rest_is_written_off(
    service: Service,
) -> None:
    ann = await factories.holder(service)
    opened, key = await direct_bill(service, ann), await factories.switch_key(service)
    await execute("update balances set credit_limit = 100")

    allowed = await authorize(service, key, opened.phone)
    recorded = await record(service, key, opened.phone, 720)
    refused = await authorize(service, key, opened.phone, "next")

    assert (allowed["maxSeconds"], refused["maxSeconds"]) == (600, 0)
    assert recorded["call"]["cost"] == {"amount": "1.00"}
    found = await account(service, ann)
    assert (found["unbilled"], found["balance"]["posted"]) == ({"amount": "1.00"}, {"amount": "1.00"})
    assert (await audit()).differences == ()


@pytest.mark.rule("24")
async def test_the_first_of_the_month_invoices_what_is_unbilled_due_in_twenty_days(service: Service) -> None:
    ann, opened, _, _ = await invoiced(service)

    (invoice,) = await invoices(service, ann)
    found = await account(service, ann)

    today = day_of(service.ports.now())
    assert today.day == 1
    assert (invoice["statementDate"], invoice["dueDate"]) == (str(today), str(today + timedelta(days=20)))
    assert invoice["number"].startswith(await number_of(opened.key))
    assert (invoice["kind"], invoice["status"], invoice["total"], invoice["due"]) == (
        "MONTHLY", "OPEN", {"amount": "1.00"}, {"amount": "1.00"}
    )  # fmt: skip
    assert (found["unbilled"], found["balance"]["posted"]) == ({"amount": "0.00"}, {"amount": "1.00"})
    (mail,) = [one for one in await service.mails(ann.email) if "invoice" in one.subject]
    assert invoice["payLink"] in mail.text
    assert (await audit()).differences == ()


@pytest.mark.rule("24")
async def test_repeated_and_parallel_work_of_a_month_invoices_it_once(service: Service) -> None:
    ann, opened, _, key = await invoiced(service)
    await record(service, key, opened.phone, 60, "after the invoice")
    month = (day_of(service.ports.now()) - timedelta(days=1)).replace(day=1)

    for _ in range(2):
        claims = []
        for _ in range(3):
            await _enqueue(service, f"{month}:{opened.key}")
            claim = await due_work.claim_next(service.ports, (month_ends.ONE_KIND,), service.ports.now())
            assert claim is not None
            claims.append(claim)
            await execute("update due_work set leased_until = null")
        done = await asyncio.gather(*(month_ends.end_month(service.ports, c) for c in claims), return_exceptions=True)
        assert len([one for one in done if one is None]) == 1

    assert len(await invoices(service, ann)) == 1
    assert await count("statements") == 1
    assert (await audit()).differences == ()


async def _enqueue(service: Service, key: str) -> None:
    await execute(
        "insert into due_work (id, kind, key, due_at, payload, attempt, failures, created_at)"
        " select id, 'month', $1, $2, '{}', 0, 0, $2 from service_accounts limit 1"
        " on conflict (kind, key) do nothing",
        key, service.ports.now(),
    )  # fmt: skip


async def test_a_month_with_nothing_unbilled_has_no_invoice(service: Service) -> None:
    ann = await factories.holder(service)
    await direct_bill(service, ann)

    await next_month(service)
    ann = await factories.begin_again(ann)

    assert await invoices(service, ann) == []
    assert await count("statements") == 1


@pytest.mark.rule("24")
async def test_an_unpaid_invoice_is_reminded_of_once_and_past_due_after_its_last_day(service: Service) -> None:
    ann, *_ = await invoiced(service)

    await service.advance(timedelta(days=20))
    await service.work()
    subjects = [mail.subject for mail in await service.mails(ann.email)]
    on_the_last_day = (await invoices(service, await factories.begin_again(ann)))[0]["status"]
    await service.advance(timedelta(days=1))
    await service.work()
    ann = await factories.begin_again(ann)

    assert len([subject for subject in subjects if "is due by" in subject]) == 1
    assert (on_the_last_day, (await invoices(service, ann))[0]["status"]) == ("OPEN", "PAST_DUE")
    assert len([mail for mail in await service.mails(ann.email) if "past due" in mail.subject]) == 1


@pytest.mark.rule("24")
async def test_a_link_pays_an_invoice_signed_out_and_then_shows_it_as_paid(service: Service) -> None:
    ann, _, link, _ = await invoiced(service)

    before = (await service.ask(BY_LINK, {"link": link}))["invoiceByLink"]
    paid = await pay_link(service, link, "1.00")
    again = await pay_link(service, link, "1.00")
    after = (await service.ask(BY_LINK, {"link": link}))["invoiceByLink"]

    assert (before["status"], before["due"], before["provider"]) == ("OPEN", {"amount": "1.00"}, "simulated")
    assert paid["errors"] == []
    assert (paid["replayed"], again["replayed"]) == (False, True)
    assert (after["status"], after["due"], after["payLink"], after["paymentStatus"]) == (
        "PAID", {"amount": "0.00"}, None, "SUCCEEDED"
    )  # fmt: skip
    assert await service.processor.captured_cents() == 100
    await service.advance(timedelta(days=30))
    subjects = [mail.subject for mail in await service.mails(ann.email)]
    assert not [subject for subject in subjects if "due by" in subject or "past due" in subject]
    assert len([subject for subject in subjects if subject.startswith("Receipt")]) == 1
    assert (await audit()).differences == ()


@pytest.mark.rule("24")
@pytest.mark.parametrize(
    "change, wanted",
    [
        ({"amount": "0.99"}, ["STALE"]),
        ({"amount": "1.01"}, ["STALE"]),
        ({"amount": "0"}, ["INVALID"]),
        ({"amount": "-1.00"}, ["INVALID"]),
        ({"amount": "1.000"}, ["INVALID"]),
        ({"link": "x"}, ["TOKEN_INVALID"]),
        ({"token": "tok_nothing"}, ["PAYMENT_DECLINED"]),
        ({"token": "tok_declined"}, ["PAYMENT_DECLINED"]),
    ],
)
async def test_a_link_pays_exactly_what_is_due(service: Service, change: dict[str, str], wanted: list[str]) -> None:
    ann, _, link, _ = await invoiced(service)

    payload = await pay_link(service, **{"link": link, "amount": "1.00", **change})

    assert codes(payload) == wanted
    assert (await invoices(service, ann))[0]["due"] == {"amount": "1.00"}
    assert await service.processor.captured_cents() == 0
    assert (await audit()).differences == ()


@pytest.mark.rule("18")
async def test_a_links_key_with_another_amount_or_card_is_a_conflict(service: Service) -> None:
    _, _, link, _ = await invoiced(service)
    await pay_link(service, link, "1.00")

    assert codes(await pay_link(service, link, "2.00")) == ["IDEMPOTENCY_CONFLICT"]
    assert codes(await pay_link(service, link, "1.00", "tok_mastercard")) == ["IDEMPOTENCY_CONFLICT"]
    assert codes(await pay_link(service, link, "1.00", key="other")) == ["INVALID_STATE"]


@pytest.mark.rule("24")
async def test_a_changed_link_or_that_of_another_purpose_shows_nothing(service: Service) -> None:
    _, _, link, _ = await invoiced(service)
    name, _, signature = link.partition(".")
    forged = [
        f"{name}.{service.ports.secrets.token('verify', name)}", f"{name[:-1]}{int(name[-1] == '0')}.{signature}",
        f"{name.upper()}.{signature}x", name, "", "é" * 76,
    ]  # fmt: skip

    assert [(await service.ask(BY_LINK, {"link": one}))["invoiceByLink"] for one in forged] == [None] * len(forged)


@pytest.mark.rule("38a")
async def test_five_declines_stop_a_link_for_an_hour(service: Service) -> None:
    _, _, link, _ = await invoiced(service)
    for n in range(5):
        payload = await pay_link(service, link, "1.00", "tok_declined", f"key {n}", client_address=f"203.0.113.{n}")
        assert codes(payload) == ["PAYMENT_DECLINED"]

    stopped = await pay_link(service, link, "1.00", key="sixth", client_address="203.0.113.9")
    await service.advance(timedelta(hours=1, seconds=1))
    later = await pay_link(service, link, "1.00", key="seventh", client_address="203.0.113.9")

    assert codes(stopped) == ["RATE_LIMITED"]
    assert later["invoice"]["status"] == "PAID"


async def test_the_banks_check_of_a_link_is_shown_to_its_bearer_and_blocks_other_payments(service: Service) -> None:
    ann, _, link, _ = await invoiced(service)
    (invoice,) = await invoices(service, ann)

    asked = await pay_link(service, link, "1.00", "tok_3ds")
    by_account = await pay_signed_in(service, ann, invoice["id"])

    assert (asked["invoice"]["paymentStatus"], asked["invoice"]["status"]) == ("REQUIRES_ACTION", "OPEN")
    assert asked["invoice"]["actionUrl"].startswith("https://calls.example/")
    assert codes(by_account) == ["STALE"]
    assert codes(await pay_link(service, link, "1.00", key="other")) == ["INVALID_STATE"]
    assert (await audit()).differences == ()


@pytest.mark.rule("14")
async def test_link_and_account_at_once_pay_an_invoice_once(service: Service) -> None:
    ann, _, link, _ = await invoiced(service)
    (invoice,) = await invoices(service, ann)
    tasks = [pay_link(service, link, "1.00", key=f"link {n}") for n in range(3)]

    await asyncio.gather(*tasks, pay_signed_in(service, ann, invoice["id"]))

    assert await service.processor.captured_cents() == 100
    assert (await invoices(service, ann))[0]["status"] == "PAID"
    assert (await account(service, ann))["balance"]["posted"] == {"amount": "0.00"}
    assert (await audit()).differences == ()


@pytest.mark.rule("24")
async def test_money_of_a_partner_pays_the_oldest_invoice_first_and_the_rest_is_a_credit(service: Service) -> None:
    ann, opened, _, key = await invoiced(service)
    await record(service, key, opened.phone, 1200, "the second month")
    await next_month(service)
    number, by = await number_of(opened.key), await partner(service)
    ann = await factories.begin_again(ann)

    await external(service, by, number, "1.50")
    partly = [(one["status"], one["due"]["amount"]) for one in await invoices(service, ann)]
    await external(service, by, number, "5.00", externalReference="MTCN-2")
    owed = (await account(service, ann))["balance"]["posted"]
    await record(service, key, opened.phone, 600, "the third month")
    await next_month(service)
    ann = await factories.begin_again(ann)

    assert partly == [("OPEN", "1.50"), ("PAID", "0.00")]
    assert owed == {"amount": "-3.50"}
    newest = (await invoices(service, ann))[0]
    assert (newest["status"], newest["total"]) == ("PAID", {"amount": "1.00"})
    assert (await account(service, ann))["balance"]["posted"] == {"amount": "-2.50"}
    assert (await audit()).differences == ()


async def test_the_terms_of_invoices_are_by_the_calendar_of_central_time(service: Service) -> None:
    await invoiced(service)

    (row,) = await fetch("select statement_date, due_date from invoices")

    assert date.fromisoformat(str(row["due_date"])) - date.fromisoformat(str(row["statement_date"])) == timedelta(20)


@pytest.mark.rule("35")
async def test_invoices_and_statements_are_found_by_their_owner_alone(service: Service) -> None:
    ann, *_ = await invoiced(service)
    bob = await factories.holder(service, "bob@mail.test")
    ids = [(await invoices(service, ann))[0]["id"], (await statements(service, ann))[0]["id"]]
    nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"

    own = (await service.ask(nodes, {"ids": ids}, token=ann.token))["nodes"]

    assert own == [{"__typename": "Invoice", "id": ids[0]}, {"__typename": "Statement", "id": ids[1]}]
    for token in (bob.token, None):
        assert (await service.ask(nodes, {"ids": ids}, token=token))["nodes"] == [None, None]


@pytest.mark.rule("12")
@pytest.mark.parametrize(
    "words, change",
    [
        ("unbilled is", "update balances set unbilled = unbilled + 1"),
        ("its total is", "update invoices set total = total + 1"),
        ("its closing is", "update statements set closing = closing + 1"),
        ("unapplied", "update payments set account_id = (select id from accounts limit 1) where account_id is null"),
        ("its entry says", "update calls set cost = cost + 1 where cost is not null"),
    ],
)
async def test_the_audit_finds_a_planted_difference(service: Service, words: str, change: str) -> None:
    await invoiced(service)
    await external(service, await partner(service), "unknown")
    assert (await audit()).differences == ()

    await execute(change)

    assert [difference for difference in (await audit()).differences if words in difference]


@pytest.mark.rule("24")
async def test_the_mailed_address_opens_a_page_that_shows_the_invoice_and_no_more(service: Service) -> None:
    _, opened, link, _ = await invoiced(service)
    app = Starlette(routes=page_routes(service.ports, lambda request: pytest.fail("nobody is asked who they are")))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://calls.example", trust_env=False) as client:
        shown = await client.get("/invoice", params={"link": link})
        await pay_link(service, link, "1.00")
        paid = await client.get("/invoice", params={"link": link}, headers={"accept-language": "es"})
        unknown = await client.get("/invoice", params={"link": "x"})

    assert "Due: $1.00" in shown.text
    assert opened.phone not in shown.text
    assert "está pagada" in paid.text
    assert (shown.status_code, paid.status_code, unknown.status_code) == (200, 200, 404)
