"""Closing Direct Bill: held for unbilled calls, then a final invoice, a refund, or nothing (rule 24)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.adapters.database import fetch
from api.domain.days import CENTRAL, day_of, first_of_next_month, start_of
from api.domain.ids import NodeKind, global_id
from api.services import month_ends
from api.services.audit import audit
from tests import factories
from tests.factories import Holder, Opened, begin_again
from tests.flows.closing import close, delete, ledger_of
from tests.flows.conftest import Service
from tests.flows.direct_bill import direct_bill, external, number_of, partner, pay_link, statements
from tests.flows.getting_in import codes
from tests.flows.money import authorize, record
from tests.flows.money_back import direct_bill as with_credit
from tests.flows.money_back import go_to

pytestmark = pytest.mark.rule("24")

HELD = """query($token: String!) { closureByReceipt(receiptToken: $token) { status directBillHold { earliest latest }
  finalInvoice { number status total { amount } due { amount } payLink }
  refunds { status method amount { amount } } completedAt } }"""
LINK = re.compile(r"link=(\S+)")
HOUR = timedelta(hours=1)


async def closing(service: Service, receipt: str) -> dict[str, Any]:
    """Return the closing of a receipt, with its hold and its final invoice."""
    found: dict[str, Any] = (await service.ask(HELD, {"token": receipt}))["closureByReceipt"]
    return found


async def day(service: Service, number: int, since: date) -> None:
    """Go to the beginning of a Central day, counted from that of the request."""
    await go_to(service, since + timedelta(days=number))


async def called(service: Service, minutes: int = 30) -> tuple[Holder, Opened, str]:
    """Return a holder of Direct Bill with so many minutes not billed yet, and a switch's key."""
    ann = await factories.holder(service)
    opened, switch = await direct_bill(service, ann), await factories.switch_key(service)
    if minutes:
        await record(service, switch, opened.phone, minutes * 60, "before")
    return ann, opened, switch


async def test_late_calls_are_billed_by_a_final_invoice_and_paying_it_ends_the_closing(service: Service) -> None:
    ann, opened, switch = await called(service)
    began, today = service.ports.now(), day_of(service.ports.now())

    payload = await close(service, ann, opened.id)
    receipt = payload["receiptToken"]
    held = await closing(service, receipt)
    refused = await authorize(service, switch, opened.phone, "new")
    await day(service, 5, today)
    late = await record(service, switch, opened.phone, 600, "late", startedAt=began.isoformat())
    await day(service, 7, today)

    assert (held["status"], held["finalInvoice"], refused["maxSeconds"]) == ("DIRECT_BILL_HOLD", None, 0)
    window = {"earliest": str(today + timedelta(days=7)), "latest": str(today + timedelta(days=10))}
    assert held["directBillHold"] == window
    assert late["call"]["cost"] == {"amount": "1.00"}
    due = await closing(service, receipt)
    assert (due["status"], due["refunds"]) == ("AWAITING_FINAL_PAYMENT", [])
    assert (due["finalInvoice"]["total"], due["finalInvoice"]["due"]) == ({"amount": "4.00"}, {"amount": "4.00"})
    (row,) = await fetch("select kind, statement_date, due_date from invoices")
    assert (row["kind"], str(row["statement_date"])[:10], str(row["due_date"])[:10]) == (
        "FINAL", str(today + timedelta(days=7)), str(today + timedelta(days=27)),
    )  # fmt: skip
    mail = next(mail for mail in await service.mails(ann.email) if "final invoice" in (mail.subject or ""))
    found = LINK.search(mail.text)
    assert found is not None

    paid = await pay_link(service, found[1], "4.00")

    assert (codes(paid), paid["invoice"]["status"], paid["invoice"]["payLink"]) == ([], "PAID", None)
    over = await closing(service, receipt)
    assert (over["status"], over["finalInvoice"]["status"]) == ("COMPLETED", "PAID")
    final = (await statements(service, await begin_again(ann)))[0]
    assert (final["closing"], final["periodEnd"]) == ("4.00", str(today + timedelta(days=7)))
    assert (await audit()).differences == ()


async def test_after_a_deletion_the_invoice_goes_to_the_address_that_was_named_until_it_is_paid(
    service: Service,
) -> None:
    ann, _, _ = await called(service)
    today = day_of(service.ports.now())
    receipt = (await delete(service, ann, contactEmail="lee@mail.test"))["receiptToken"]

    await day(service, 28, today)

    subjects = [mail.subject or "" for mail in await service.mails("lee@mail.test")]
    assert [kind for kind in ("final", "is due by", "past due") if any(kind in subject for subject in subjects)] == [
        "final", "is due by", "past due",
    ]  # fmt: skip
    assert all("nvoice" not in (mail.subject or "") for mail in await service.mails(ann.email))
    waiting = await closing(service, receipt)
    assert (waiting["status"], waiting["finalInvoice"]["status"]) == ("AWAITING_FINAL_PAYMENT", "PAST_DUE")
    link = waiting["finalInvoice"]["payLink"].partition("link=")[2]

    await pay_link(service, link, "3.00")

    assert (await closing(service, receipt))["status"] == "COMPLETED"
    assert [row["status"] for row in await fetch("select status from accounts")] == ["DELETED"]


async def test_the_hold_goes_on_by_days_while_records_come_and_ends_on_the_tenth(service: Service) -> None:
    ann, opened, switch = await called(service)
    began, today = service.ports.now(), day_of(service.ports.now())
    receipt = (await close(service, ann, opened.id))["receiptToken"]
    seen = []

    for number in (6, 7, 8, 9):
        await go_to(service, start_of(today + timedelta(days=number)) + 12 * HOUR)
        seen.append((await closing(service, receipt))["status"])
        await record(service, switch, opened.phone, 60, f"late-{number}", startedAt=began.isoformat())
    await day(service, 10, today)
    after = await record(service, switch, opened.phone, 60, "too late", startedAt=began.isoformat())

    assert seen == ["DIRECT_BILL_HOLD"] * 4
    over = await closing(service, receipt)
    assert (over["status"], over["finalInvoice"]["due"]) == ("AWAITING_FINAL_PAYMENT", {"amount": "3.40"})
    assert after["call"]["cost"] == {"amount": "0.00"}
    assert await ledger_of("BAD_DEBT_EXPENSE") == -10
    assert (await audit()).differences == ()


async def test_a_feed_that_falls_quiet_on_day_eight_ends_the_hold_then(service: Service) -> None:
    ann, opened, switch = await called(service)
    began, today = service.ports.now(), day_of(service.ports.now())
    receipt = (await close(service, ann, opened.id))["receiptToken"]

    await go_to(service, start_of(today + timedelta(days=6)) + HOUR)
    await record(service, switch, opened.phone, 60, "late", startedAt=began.isoformat())
    await day(service, 7, today)
    on_seven = (await closing(service, receipt))["status"]
    await day(service, 8, today)

    assert on_seven == "DIRECT_BILL_HOLD"
    assert (await closing(service, receipt))["status"] == "AWAITING_FINAL_PAYMENT"


async def test_nothing_left_is_over_on_day_seven_without_an_invoice(service: Service) -> None:
    ann, opened, _ = await called(service, 0)
    today = day_of(service.ports.now())
    receipt = (await close(service, ann, opened.id))["receiptToken"]

    await go_to(service, start_of(today + timedelta(days=7)) - timedelta(minutes=1))
    before = await closing(service, receipt)
    await day(service, 7, today)

    over = await closing(service, receipt)
    assert (before["status"], over["status"]) == ("DIRECT_BILL_HOLD", "COMPLETED")
    assert (over["finalInvoice"], over["refunds"]) == (None, [])
    assert over["completedAt"] is not None


@pytest.mark.rule("23")
@pytest.mark.parametrize("by_card", [True, False])
async def test_a_credit_goes_back_by_the_channel_last_used(service: Service, by_card: bool) -> None:
    ann = await factories.holder(service)
    service_id = await with_credit(ann, 700, await ann.card() if by_card else None)
    today = day_of(service.ports.now())
    receipt = (await close(service, ann, global_id(NodeKind.SERVICE_ACCOUNT, service_id)))["receiptToken"]

    await day(service, 7, today)
    during = await closing(service, receipt)
    await day(service, 40, today)

    over = await closing(service, receipt)
    assert (during["status"], during["finalInvoice"]) == ("REFUNDING", None)
    method = "CARD" if by_card else "CHECK"
    assert over["refunds"] == [{"status": "COMPLETED", "method": method, "amount": {"amount": "7.00"}}]
    assert over["status"] == "COMPLETED"
    assert await ledger_of("REFUNDS_IN_TRANSIT") == 0


async def test_a_credit_pays_the_final_invoice_first_and_the_rest_goes_back(service: Service) -> None:
    ann, opened, switch = await called(service, 0)
    agent = await partner(service)
    number = await number_of(opened.key)
    await external(service, agent, number, "5.00", externalReference="MTCN-1", paidAt=service.ports.now().isoformat())
    await record(service, switch, opened.phone, 1_800, "before")
    today = day_of(service.ports.now())
    receipt = (await close(service, ann, opened.id))["receiptToken"]

    await day(service, 7, today)

    found = await closing(service, receipt)
    assert (found["status"], found["finalInvoice"]["status"]) == ("REFUNDING", "PAID")
    assert [refund["amount"]["amount"] for refund in found["refunds"]] == ["2.00"]
    assert (await audit()).differences == ()


async def test_the_first_of_a_month_in_the_hold_brings_no_invoice_of_its_own(service: Service) -> None:
    ann, opened, _ = await called(service, 0)
    await month_ends.expect_month_end(service.ports)
    first = first_of_next_month(day_of(service.ports.now()) + timedelta(days=8))
    await go_to(service, first - timedelta(days=5))
    ann = await begin_again(ann)
    key = await factories.switch_key(service, "another")
    await record(service, key, opened.phone, 600, "before")
    receipt = (await close(service, ann, opened.id))["receiptToken"]

    await go_to(service, first + timedelta(days=1))
    during = [row["kind"] for row in await fetch("select kind from invoices")]
    await go_to(service, first + timedelta(days=2))

    assert during == []
    assert [row["kind"] for row in await fetch("select kind from invoices")] == ["FINAL"]
    assert (await closing(service, receipt))["status"] == "AWAITING_FINAL_PAYMENT"
    months = [(row["periodStart"], row["periodEnd"]) for row in await statements(service, await begin_again(ann))]
    assert months[0] == (str(first), str(first + timedelta(days=2)))


async def test_the_hold_ends_as_the_central_day_begins_also_when_the_clocks_change_in_it(service: Service) -> None:
    ann, opened, _ = await called(service, 0)
    change = day_of(service.ports.now()) + timedelta(days=8)
    while _offset(change) == _offset(change + timedelta(days=1)):
        change += timedelta(days=1)
    await go_to(service, start_of(change - timedelta(days=3)) + 12 * HOUR)
    receipt = (await close(service, await begin_again(ann), opened.id))["receiptToken"]
    end = start_of(change + timedelta(days=4))

    await go_to(service, end - timedelta(minutes=1))
    before = (await closing(service, receipt))["status"]
    await go_to(service, end)

    assert (before, (await closing(service, receipt))["status"]) == ("DIRECT_BILL_HOLD", "COMPLETED")


def _offset(day: date) -> timedelta | None:
    return start_of(day).astimezone(ZoneInfo(CENTRAL)).utcoffset()


@pytest.mark.rule("15")
async def test_a_partner_may_pay_the_final_invoice_and_what_is_too_much_goes_back(service: Service) -> None:
    ann, opened, _ = await called(service)
    agent, number = await partner(service), await number_of(opened.key)
    today = day_of(service.ports.now())
    receipt = (await close(service, ann, opened.id))["receiptToken"]
    await day(service, 7, today)
    at = {"paidAt": service.ports.now().isoformat()}

    paid = await external(service, agent, number, "10.00", externalReference="MTCN-1", **at)
    more = await external(service, agent, number, "1.00", externalReference="MTCN-2", **at)

    assert (paid["applied"], more["applied"]) == (True, False)
    found = await closing(service, receipt)
    assert (found["status"], found["finalInvoice"]["status"]) == ("REFUNDING", "PAID")
    assert [(each["method"], each["amount"]["amount"]) for each in found["refunds"]] == [("CHECK", "7.00")]
    await go_to(service, today + timedelta(days=40))
    assert (await closing(service, receipt))["status"] == "COMPLETED"
    assert (await audit()).differences == ()


async def test_what_nobody_pays_is_written_off_in_the_end_and_the_link_pays_no_more(service: Service) -> None:
    ann, _, _ = await called(service)
    today = day_of(service.ports.now())
    receipt = (await delete(service, ann))["receiptToken"]
    await day(service, 7 + 20 + 180, today)
    waiting = await closing(service, receipt)
    link = waiting["finalInvoice"]["payLink"].partition("link=")[2]

    await day(service, 7 + 20 + 181, today)

    over = await closing(service, receipt)
    assert (waiting["status"], over["status"]) == ("AWAITING_FINAL_PAYMENT", "COMPLETED")
    assert (over["finalInvoice"]["status"], over["finalInvoice"]["payLink"]) == ("VOID", None)
    assert codes(await pay_link(service, link, "3.00")) == ["INVALID_STATE"]
    assert await ledger_of("BAD_DEBT_EXPENSE") == -300
    assert (await audit()).differences == ()
