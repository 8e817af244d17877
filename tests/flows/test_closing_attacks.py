"""Closings and refunds under attack: nothing goes back twice, nothing is lost, nothing outlives its time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, read_uuid
from api.auth.sign_ins import find_viewer
from api.domain.closures import Consequence
from api.domain.faults import Refused
from api.domain.ids import NodeKind, global_id
from api.services import closures
from tests import factories
from tests.flows.closing import DAY, by_receipt, close, delete, ledger_of, pass_time, preview
from tests.flows.conftest import Service
from tests.flows.direct_bill import external
from tests.flows.money_back import CLAIM, UPDATE, differences, held, staff
from tests.flows.test_external_payments import apply, billing, partner, unapplied

ADDRESS = {"line1": "7 Oak Street", "city": "Santa Fe", "state": "NM", "zip": "87501"}


@pytest.mark.rule("27a")
async def test_a_service_closed_before_the_deletion_does_not_keep_the_holder_for_ever(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    await close(service, ann, opened.id)
    await delete(service, ann, "deletion")

    await pass_time(service, timedelta(days=40))

    (account,) = await fetch("select status, email, first_name, line1 from accounts")
    assert (account["status"], account["email"], account["first_name"], account["line1"]) == ("DELETED", "", "", "")
    assert [row["payee"] for row in await fetch("select payee from refunds")] == [None]


@pytest.mark.rule("27a")
async def test_held_funds_of_a_service_closed_before_the_deletion_keep_it_until_they_are_paid_out(
    service: Service,
) -> None:
    ann = await factories.holder(service)
    held_id = await held(service, ann)
    await delete(service, ann, "deletion")
    await pass_time(service, DAY)
    (meanwhile,) = await fetch("select status, first_name from accounts")

    token = await staff(service)
    given = {"heldFundsId": held_id, "address": ADDRESS, "idempotencyKey": "claim"}
    await service.ask(CLAIM, {"input": given}, token=token)
    await pass_time(service, timedelta(days=40))

    (account,) = await fetch("select status, first_name from accounts")
    assert (meanwhile["status"], meanwhile["first_name"]) == ("DELETED", "Ann")
    assert (account["status"], account["first_name"]) == ("DELETED", "")
    assert "Held funds were claimed" in [mail.subject for mail in await service.mails(ann.email)]


@pytest.mark.rule("21")
async def test_a_deletion_ends_more_services_than_one_statement_reads(service: Service) -> None:
    ann = await factories.holder(service)
    now = service.ports.now()
    for n in range(205):
        await execute(
            "insert into service_accounts (id, account_id, product, number, status, open_key, opened_at)"
            " values ($1, $2, 'DEBIT', $3, 'ACTIVE', $3, $4)",
            uuid7(), ann.account_id, f"77{n:08}", now,
        )  # fmt: skip
    opened = await ann.advance_connect(500)
    assert opened

    await delete(service, ann)

    assert await fetch("select id from service_accounts where status = 'ACTIVE'") == []
    assert [row["product"] for row in await fetch("select product from refunds")] == ["ADVANCE_CONNECT"]


@pytest.mark.rule("27a")
async def test_a_receipt_claims_nothing_once_its_holder_is_erased(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(1_000)
    receipt = (await delete(service, ann))["receiptToken"]
    await pass_time(service, timedelta(days=2))
    token = await staff(service)
    (refund,) = await fetch("select id from refunds")
    shown = {"id": global_id(NodeKind.REFUND, read_uuid(refund["id"])), "to": "HELD"}
    await service.ask(UPDATE, shown, token=token)
    (row,) = await fetch("select id from held_funds")
    held_id = global_id(NodeKind.HELD_FUNDS, read_uuid(row["id"]))
    given = {"heldFundsId": held_id, "address": ADDRESS, "idempotencyKey": "claim"}
    await service.ask(CLAIM, {"input": given}, token=token)
    await pass_time(service, timedelta(days=40))

    (account,) = await fetch("select first_name from accounts")
    payloads = [
        (await service.ask(CLAIM, {"input": {**given, "receiptToken": receipt, "passcode": tried}}))["claimHeldFunds"]
        for tried in ("2468", "0000")
    ]

    assert account["first_name"] == ""
    assert [[error["code"] for error in one["errors"]] for one in payloads] == [["INVALID_CREDENTIALS"]] * 2


@pytest.mark.rule("20")
async def test_a_sign_in_that_was_ended_meanwhile_closes_nothing(service: Service) -> None:
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    shown = await preview(service, ann.token)
    viewer = await find_viewer(service.ports, ann.token)
    assert viewer is not None
    order = closures.Order(
        service_account_id=None, preview_token=shown["token"], address_revision=shown["address"]["revision"],
        acknowledge=tuple(Consequence(each["code"]) for each in shown["consequences"]), contact_email=None,
        idempotency_key="late",
    )  # fmt: skip
    await execute("update sign_ins set ended_at = $1", service.ports.now())

    with pytest.raises(Refused) as refused:
        await closures.delete_account(service.ports, viewer, order)

    assert [fault.code.value for fault in refused.value.faults] == ["REAUTHENTICATION_REQUIRED"]
    assert await fetch("select id from closures") == []


@pytest.mark.rule("23")
@pytest.mark.parametrize("after", [timedelta(hours=1), timedelta(days=2)], ids=["in the window", "once it is fixed"])
async def test_what_a_partner_brings_for_a_closed_service_goes_back(service: Service, after: timedelta) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(500)
    (row,) = await fetch("select number from service_accounts")
    receipt = (await delete(service, ann))["receiptToken"]
    await pass_time(service, after)
    agent = await billing(service)
    await external(service, await partner(service), row["number"])
    (waiting,) = await unapplied(service, agent)

    applied = [await apply(service, agent, waiting["id"], opened.id) for _ in range(2)]
    await pass_time(service, timedelta(days=40))

    refunds = (await by_receipt(service, receipt))["refunds"]
    assert [(one["errors"], one["replayed"]) for one in applied] == [([], False), ([], True)]
    assert {(one["status"], one["method"]) for one in refunds} == {("COMPLETED", "CHECK")}
    assert await ledger_of("BANK") == 500 + round(100 * float(waiting["amount"]["amount"]))
    assert await ledger_of("PREPAID") + await ledger_of("UNAPPLIED_RECEIPTS") == 0
    assert await differences() == ()
