"""Invoices that staff void: nobody pays them any more, and the books say where the money went (rules 24, 39)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import fetch, read_uuid
from api.auth.sign_ins import Bearer, begin_sign_in
from api.domain.accounts import Channel
from api.domain.days import day_of
from api.domain.ids import NodeKind, global_id
from api.services.audit import audit
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.closing import close, ledger_of, pass_time
from tests.flows.conftest import Service
from tests.flows.direct_bill import (
    account,
    direct_bill,
    external,
    invoiced,
    invoices,
    next_month,
    number_of,
    partner,
    pay_link,
)
from tests.flows.getting_in import codes
from tests.flows.money import ERRORS, record
from tests.flows.money_back import activity, go_to, staff
from tests.flows.test_closing_direct_bill import closing

pytestmark = pytest.mark.rule("24")

VOID = f"""mutation($id: ID!, $reason: String!, $key: String!) {{
  staffVoidInvoice(invoiceId: $id, reason: $reason, idempotencyKey: $key) {{
    replayed invoice {{ id number status due {{ amount }} total {{ amount }} payLink }} {ERRORS} }} }}"""


async def void(service: Service, agent: str, invoice: str, **changes: str) -> dict[str, Any]:
    variables = {"id": invoice, "reason": "calls of somebody else", "key": "void", **changes}
    payload: dict[str, Any] = (await service.ask(VOID, variables, token=agent))["staffVoidInvoice"]
    return payload


async def final_invoice(service: Service) -> tuple[Holder, Opened, str, str, str]:
    """Return a holder whose closed service has a final invoice of three dollars, its id, its link and the receipt."""
    ann = await factories.holder(service)
    opened, switch = await direct_bill(service, ann), await factories.switch_key(service)
    await record(service, switch, opened.phone, 1_800, "before")
    receipt = (await close(service, ann, opened.id))["receiptToken"]
    await go_to(service, day_of(service.ports.now()) + timedelta(days=7))
    link = (await closing(service, receipt))["finalInvoice"]["payLink"].partition("link=")[2]
    (row,) = await fetch("select id from invoices")
    return ann, opened, global_id(NodeKind.INVOICE, read_uuid(row["id"])), link, receipt


@pytest.mark.rule("39")
async def test_a_voided_final_invoice_ends_the_closing_and_its_link_takes_no_payment(service: Service) -> None:
    ann, _, invoice, link, receipt = await final_invoice(service)
    agent = await staff(service)

    done = await void(service, agent, invoice)
    paid = await pay_link(service, link, "3.00")

    assert (codes(done), done["replayed"], done["invoice"]["status"]) == ([], False, "VOID")
    assert (done["invoice"]["due"], done["invoice"]["payLink"]) == ({"amount": "0.00"}, None)
    assert codes(paid) == ["INVALID_STATE"]
    assert await service.processor.charges() == []
    over = await closing(service, receipt)
    assert (over["status"], over["finalInvoice"]["status"], over["finalInvoice"]["payLink"]) == (
        "COMPLETED", "VOID", None,
    )  # fmt: skip
    assert await ledger_of("BAD_DEBT_EXPENSE") == -300
    assert [row["posted"] for row in await fetch("select posted from balances")] == [0]
    assert any("taken back" in (mail.subject or "") for mail in await service.mails(ann.email))
    (act,) = await fetch("select action, reason, facts from staff_acts")
    assert (act["action"], act["reason"]) == ("staff_voided_invoice", "calls of somebody else")
    assert next(row for row in await activity(ann) if row[0] == "staff_voided_invoice")[1] == "Billie Agent"
    assert (await audit()).differences == ()

    # What would have fallen due about it is dropped, and writing off later finds nothing.
    mails = len(await service.mails(ann.email))
    await pass_time(service, timedelta(days=220))
    assert len(await service.mails(ann.email)) == mails
    assert await ledger_of("BAD_DEBT_EXPENSE") == -300


@pytest.mark.rule("39")
async def test_what_was_due_on_an_open_service_is_unbilled_again_and_on_the_next_invoice(service: Service) -> None:
    ann, opened, link, _ = await invoiced(service, 500)
    await external(service, await partner(service), await number_of(opened.key), "2.00")
    (before,) = await invoices(service, ann)

    done = await void(service, await staff(service), before["id"])

    assert codes(done) == []
    shown = await account(service, ann)
    assert shown["unbilled"] == {"amount": "3.00"}
    assert (shown["balance"]["posted"], shown["balance"]["available"]) == ({"amount": "3.00"}, {"amount": "147.00"})
    assert codes(await pay_link(service, link, "3.00")) == ["INVALID_STATE"]
    assert (await audit()).differences == ()
    await next_month(service)
    ann = await factories.begin_again(ann)
    new, old = await invoices(service, ann)
    assert (new["total"], new["due"], new["status"]) == ({"amount": "3.00"}, {"amount": "3.00"}, "OPEN")
    assert (old["status"], old["due"]) == ("VOID", {"amount": "0.00"})
    assert (await audit()).differences == ()


@pytest.mark.rule("18")
async def test_a_repeat_under_the_key_voids_once_and_what_is_over_is_voided_no_more(service: Service) -> None:
    ann, _, _, _ = await invoiced(service, 100)
    agent, (invoice,) = await staff(service), await invoices(service, ann)

    answers = await asyncio.gather(*(void(service, agent, invoice["id"]) for _ in range(5)))

    assert sorted(answer["replayed"] for answer in answers) == [False, True, True, True, True]
    assert {answer["invoice"]["status"] for answer in answers} == {"VOID"}
    assert codes(await void(service, agent, invoice["id"], reason="another")) == ["IDEMPOTENCY_CONFLICT"]
    assert codes(await void(service, agent, invoice["id"], key="other")) == ["INVALID_STATE"]
    assert codes(await void(service, agent, invoice["id"], key="blank", reason=" ")) == ["REQUIRED"]
    nothing = global_id(NodeKind.INVOICE, uuid7())
    assert codes(await void(service, agent, nothing, key="nothing")) == ["NOT_FOUND"]
    assert len(await fetch("select id from journal_entries where source_key like '%:void'")) == 1


async def test_an_invoice_that_is_being_paid_is_not_voided_until_that_failed(service: Service) -> None:
    ann, _, link, _ = await invoiced(service, 500)
    agent, (invoice,) = await staff(service), await invoices(service, ann)
    await service.processor.behave(next="timeout")
    await pay_link(service, link, "5.00")
    await service.processor.behave(next="ok")
    waiting = await void(service, agent, invoice["id"])
    await pass_time(service, timedelta(hours=1))

    after = await void(service, await staff_again(service), invoice["id"])

    assert codes(waiting) == ["INVALID_STATE"]
    assert (codes(after), after["invoice"]["status"]) == ([], "VOID")
    assert (await audit()).differences == ()


async def test_of_a_payment_and_a_voiding_at_once_one_counts(service: Service) -> None:
    ann, opened, _, switch = await invoiced(service, 100)
    agent = await staff(service)
    for number in range(6):
        (invoice, *_) = await invoices(service, ann)
        link = invoice["payLink"].partition("link=")[2]
        both = [pay_link(service, link, invoice["due"]["amount"], key=f"pay {number}"),
                void(service, agent, invoice["id"], key=f"void {number}")]  # fmt: skip

        paid, voided = await asyncio.gather(*both)

        (now, *_) = await invoices(service, ann)
        outcome = (now["status"], codes(paid), codes(voided))
        assert outcome in (("PAID", [], ["INVALID_STATE"]), ("VOID", ["INVALID_STATE"], [])), (paid, voided)
        assert len(await service.processor.charges()) == len(
            await fetch("select id from invoices where status = 'PAID'")
        )
        assert (await audit()).differences == ()
        await record(service, switch, opened.phone, 600, f"more {number}")
        await next_month(service)
        ann = await factories.begin_again(ann)
        agent = await staff_again(service)


async def staff_again(service: Service) -> str:
    """Sign the billing agent in again, since a month has passed."""
    (row,) = await fetch("select id from staff_members")
    token, _ = await begin_sign_in(service.ports, Bearer(read_uuid(row["id"]), True, "", Channel.WEB, False))
    return token
