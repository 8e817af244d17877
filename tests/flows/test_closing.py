"""Deleting an account and closing a service: what is shown is what happens (rules 20, 21, 25, 27)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, fetch_one, read_uuid
from api.domain.service_accounts import Product
from api.services.audit import audit
from api.services.service_accounts import open_service
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.closing import (
    DAY,
    agreed,
    ask_closing,
    ask_deletion,
    by_receipt,
    close,
    delete,
    ledger_of,
    pass_time,
    preview,
)
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import authorize, balance, count, pay, quote
from tests.flows.money import open_service as ask_to_open

SERVICES = "{ me { serviceAccounts { id product status } closures { id kind status } balances { id } } }"


async def paid_by_card(service: Service, holder: Holder, amount: str = "25.00") -> Opened:
    """Open a prepaid service and fund it with a card."""
    opened = await holder.advance_connect()
    card = await holder.card()
    quoted = (await quote(service, holder, opened, amount))["quote"]["id"]
    assert (await pay(service, holder, quoted, card, "funding"))["errors"] == []
    return opened


@pytest.mark.rule("20", "23")
async def test_the_preview_says_what_goes_back_where_and_when(service: Service) -> None:
    ann = await factories.holder(service)
    await paid_by_card(service, ann)

    shown = await preview(service, ann.token)

    assert [each["code"] for each in shown["consequences"]] == [
        "SERVICES_STOP_NOW", "LAST_24H_CALLS_DEDUCTED", "EMAIL_NEVER_REUSABLE",
    ]  # fmt: skip
    assert all(each["text"] != each["es"] and "{" not in each["text"] for each in shown["consequences"])
    (refund,) = shown["refunds"]
    assert (refund["method"], refund["refundable"], refund["deducted"]) == (
        "CARD",
        {"amount": "25.00"},
        {"amount": "0.00"},
    )
    assert "4242" in refund["destination"]
    assert shown["address"] == {"line1": "12 Elm Street", "zip": "75201", "revision": 1}
    assert shown["sessionsToCancelFirst"] == []


@pytest.mark.rule("20", "21", "22", "23")
async def test_deleting_stops_everything_refunds_the_card_and_ends_in_completed(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await paid_by_card(service, ann)
    shown = await preview(service, ann.token)

    payload = await ask_deletion(service, ann.token, agreed(shown))

    assert payload["errors"] == []
    closure, receipt = payload["closure"], payload["receiptToken"]
    assert (closure["kind"], closure["status"], closure["requestedVia"]) == ("DELETE_ACCOUNT", "SETTLING_CALLS", "WEB")
    assert [refund["status"] for refund in closure["refunds"]] == ["SETTLING"]
    assert (await service.run("{ me { id } }", token=ann.token)).data == {"me": None}
    switch = await factories.switch_key(service)
    assert (await authorize(service, switch, opened.phone))["maxSeconds"] == 0
    await pass_time(service, DAY)
    during = await by_receipt(service, receipt)
    assert (during["status"], during["refunds"][0]["amount"]) == ("REFUNDING", {"amount": "25.00"})
    await pass_time(service, timedelta(days=10))
    after = await by_receipt(service, receipt)
    assert (after["status"], after["refunds"][0]["status"]) == ("COMPLETED", "COMPLETED")
    assert after["refunds"][0]["destination"] == shown["refunds"][0]["destination"]
    assert await ledger_of("REFUNDS_IN_TRANSIT") == 0
    assert (await audit()).differences == ()


@pytest.mark.rule("23")
async def test_without_a_card_a_check_goes_to_the_address_that_was_seen(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(1_050)

    receipt = (await delete(service, ann))["receiptToken"]
    await pass_time(service, DAY)
    (refund,) = (await by_receipt(service, receipt))["refunds"]

    assert (refund["method"], refund["amount"]["amount"]) == ("CHECK", "10.50")
    assert "75201" in refund["destination"]
    assert "Elm" not in refund["destination"]


@pytest.mark.rule("22")
async def test_nothing_left_is_nothing_due_and_over_when_the_window_is(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect()

    receipt = (await delete(service, ann))["receiptToken"]
    before = await by_receipt(service, receipt)
    await pass_time(service, DAY)
    after = await by_receipt(service, receipt)

    assert before["status"] == "SETTLING_CALLS"
    assert (after["status"], after["refunds"][0]["status"]) == ("COMPLETED", "NOTHING_DUE")


@pytest.mark.rule("21")
async def test_an_account_without_services_is_deleted_at_once(service: Service) -> None:
    ann = await factories.holder(service)

    payload = await delete(service, ann)

    assert payload["closure"]["status"] == "COMPLETED"
    assert payload["closure"]["callWindowEndsAt"] is None
    row = await fetch_one("select status from accounts where id = $1", ann.account_id)
    assert row is not None
    assert row["status"] == "DELETED"


@pytest.mark.rule("25")
async def test_stamps_and_plans_are_lost_and_said_to_be(service: Service) -> None:
    ann = await factories.holder(service)
    row, _ = await open_service(service.ports, ann.account_id, Product.EMESSAGING, None, "stamps")
    await factories.subscription(service, ann.account_id)
    await factories.stamps(service.ports, row["id"], 7)

    shown = await preview(service, ann.token)
    await ask_deletion(service, ann.token, agreed(shown))

    said = {each["code"]: each["text"] for each in shown["consequences"]}
    assert set(said) == {
        "SERVICES_STOP_NOW", "STAMPS_FORFEITED", "VIDEO_SUBSCRIPTIONS_CANCELLED", "EMAIL_NEVER_REUSABLE"
    }  # fmt: skip
    assert "(7)" in said["STAMPS_FORFEITED"]
    assert [each["product"] for each in shown["notRefundable"]] == ["EMESSAGING"]
    assert shown["refunds"] == []
    left = await fetch("select posted from balances where product = 'EMESSAGING'")
    assert [each["posted"] for each in left] == [0]
    ended = await fetch("select status, renews_at from plan_subscriptions")
    assert [(each["status"], each["renews_at"]) for each in ended] == [("CANCELLED_BY_CLOSURE", None)]
    assert (await audit()).differences == ()


@pytest.mark.rule("27")
async def test_closing_one_service_refunds_it_and_leaves_the_login_and_it_can_be_opened_again(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)

    payload = await close(service, ann, opened.id)
    again = await ask_to_open(service, ann, "again", phone=opened.phone)
    await pass_time(service, DAY)
    await pass_time(service, timedelta(days=30))

    assert payload["closure"]["kind"] == "CLOSE_SERVICE"
    assert again["errors"] == []
    assert again["serviceAccount"]["id"] != opened.id
    me = (await service.ask(SERVICES, token=(await factories.begin_again(ann)).token))["me"]
    assert [(each["product"], each["status"]) for each in me["serviceAccounts"]] == [
        ("ADVANCE_CONNECT", "CLOSED"), ("ADVANCE_CONNECT", "ACTIVE"),
    ]  # fmt: skip
    assert [each["status"] for each in me["closures"]] == ["COMPLETED"]
    assert len(me["balances"]) == 1


@pytest.mark.rule("27")
async def test_a_closed_service_cannot_be_closed_again(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    shown = await preview(service, ann.token, opened.id)
    await ask_closing(service, ann.token, agreed(shown, serviceAccountId=opened.id))

    second = await ask_closing(service, ann.token, agreed(shown, "another", serviceAccountId=opened.id))

    assert codes(second) == ["ACCOUNT_CLOSED"]
    assert await count("closures") == 1


@pytest.mark.rule("20", "24")
async def test_direct_bill_is_held_and_its_unpaid_invoices_are_shown(service: Service) -> None:
    ann = await factories.holder(service)
    row, _ = await open_service(service.ports, ann.account_id, Product.DIRECT_BILL, "+15055550177", "bill")
    now = service.ports.now()
    await execute(
        "insert into invoices (id, account_id, service_account_id, number, kind, status, statement_date, due_date,"
        " total, due, issued_at) values ($1, $2, $3, 'I-1', 'MONTHLY', 'OPEN', $4, $4, 100, 100, $5)",
        uuid7(), ann.account_id, read_uuid(row["id"]), now.date(), now,
    )  # fmt: skip
    asked = "{ me { deletionPreview { unpaidInvoices { number due { amount } } } } }"

    unpaid = (await service.ask(asked, token=ann.token))["me"]["deletionPreview"]["unpaidInvoices"]
    shown = await preview(service, ann.token)
    closure = (await ask_deletion(service, ann.token, agreed(shown)))["closure"]

    assert unpaid == [{"number": "I-1", "due": {"amount": "1.00"}}]
    assert "FINAL_INVOICE_MAY_FOLLOW" in {each["code"] for each in shown["consequences"]}
    assert shown["refunds"] == []
    assert (closure["status"], closure["refunds"]) == ("DIRECT_BILL_HOLD", [])


@pytest.mark.rule("20")
async def test_nothing_is_deleted_without_a_fresh_password(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    await service.advance(timedelta(minutes=6))

    payload = await ask_deletion(service, ann.token, agreed(await preview(service, ann.token)))

    assert codes(payload) == ["REAUTHENTICATION_REQUIRED"]
    assert await count("closures") == 0
    assert (await balance(service, ann))["posted"] == "5.00"


@pytest.mark.rule("20")
async def test_each_consequence_must_be_acknowledged(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    shown = await preview(service, ann.token)

    payload = await ask_deletion(service, ann.token, agreed(shown, acknowledge=["SERVICES_STOP_NOW"]))

    (error,) = payload["errors"]
    assert (error["__typename"], error["code"]) == ("AcknowledgementMissingError", "ACKNOWLEDGEMENT_MISSING")
    assert error["missing"] == ["LAST_24H_CALLS_DEDUCTED", "EMAIL_NEVER_REUSABLE"]
    assert await count("closures") == 0


@pytest.mark.rule("27a")
async def test_mails_go_to_the_contact_address_and_the_own_one_is_told(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)

    receipt = (await delete(service, ann, contactEmail="new@mail.test"))["receiptToken"]
    (mail,) = await service.mails("new@mail.test")
    (notice,) = await service.mails(ann.email)

    assert f"https://calls.example/closure?receipt={receipt}" in mail.text
    assert receipt not in notice.text
    assert "new@mail.test" not in notice.text


@pytest.mark.rule("20")
async def test_a_wrong_contact_address_and_a_wrong_preview_are_told_together(service: Service) -> None:
    ann = await factories.holder(service)
    shown = await preview(service, ann.token)

    payload = await ask_deletion(service, ann.token, agreed(shown, previewToken="x", contactEmail="nowhere"))

    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("TOKEN_INVALID", ["input", "previewToken"]), ("INVALID", ["input", "contactEmail"]),
    ]  # fmt: skip


@pytest.mark.rule("21")
async def test_an_erased_sign_in_row_lets_nobody_in(service: Service) -> None:
    ann = await factories.holder(service)
    await delete(service, ann)

    await execute("update sign_ins set ended_at = null")

    assert (await service.run("{ me { id } }", token=ann.token)).data == {"me": None}
