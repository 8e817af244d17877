"""Refunds that fail when the service is open again: the money is back in its balance (rule 27, ledger)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch, read_uuid
from api.auth.sign_ins import Bearer, begin_sign_in
from api.domain.accounts import Channel
from api.domain.ids import NodeKind, global_id
from tests import factories
from tests.factories import Holder
from tests.flows import closing
from tests.flows.closing import DAY, by_receipt, close, ledger_of, pass_time
from tests.flows.conftest import Service
from tests.flows.money import balance, open_service
from tests.flows.money_back import HELD, differences, paid, refunds, staff, statuses
from tests.flows.test_refunds_check import export, update

pytestmark = [pytest.mark.rule("23", "27"), pytest.mark.row("F39")]

TRANSACTIONS = """{ me { serviceAccounts { ... on AdvanceConnectAccount { status transactions { edges { node {
  kind amount { amount } } } } } } } }"""


async def refused(service: Service) -> tuple[Holder, str, str]:
    """Return a holder whose card refused the refund of a service that was closed, the check's id and the receipt."""
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card("tok_refund_refused"))
    receipt = (await close(service, ann, opened.id))["receiptToken"]
    await pass_time(service, DAY)
    ann = await factories.begin_again(ann)
    card, check = await refunds(service, ann)
    assert (statuses(card), check["status"]) == (["SETTLING", "CALCULATED", "SUBMITTED", "REROUTED"], "CALCULATED")
    return ann, check["id"], receipt


async def opened_again(service: Service, holder: Holder) -> str:
    payload = await open_service(service, holder, "again", phone="505-555-0177")
    assert payload["errors"] == []
    return str(payload["serviceAccount"]["id"])


async def held_of(service: Service, holder: Holder) -> Any:
    return (await service.ask(HELD, token=holder.token))["me"]["heldFunds"]


@pytest.mark.parametrize("is_out", [False, True], ids=["not made out", "came back"])
async def test_a_check_that_fails_while_the_service_is_open_again_goes_back_to_its_balance(
    service: Service, is_out: bool
) -> None:
    ann, check, receipt = await refused(service)
    await opened_again(service, ann)
    agent = await staff(service)
    await export(service, agent)
    if is_out:
        await update(service, agent, check, "ISSUED")

    answer = await update(service, agent, check, "HELD")
    again = await update(service, agent, check, "HELD")

    assert (answer["errors"], answer["refund"]["status"]) == ([], "HELD")
    assert (again["errors"], again["replayed"]) == ([], True)
    assert (await balance(service, ann))["posted"] == "25.00"
    assert await held_of(service, ann) == []
    for kind in ("REFUNDS_IN_TRANSIT", "CHECKS_OUTSTANDING", "HELD_FUNDS"):
        assert await ledger_of(kind) == 0
    services = (await service.ask(TRANSACTIONS, token=ann.token))["me"]["serviceAccounts"]
    moved = [each["node"] for one in services if one["status"] == "ACTIVE" for each in one["transactions"]["edges"]]
    assert moved == [{"kind": "REFUND_REVERSAL", "amount": {"amount": "25.00"}}]
    assert "open again" in answer["refund"]["timeline"][-1]["note"]
    assert any("back in your balance" in (mail.subject or "") for mail in await service.mails(ann.email))
    assert (await by_receipt(service, receipt))["status"] == "COMPLETED"
    assert await differences() == ()


async def test_a_check_that_fails_while_the_service_stays_closed_is_held(service: Service) -> None:
    ann, check, _ = await refused(service)
    agent = await staff(service)
    await export(service, agent)

    await update(service, agent, check, "HELD")

    assert [each["amount"]["amount"] for each in await held_of(service, ann)] == ["25.00"]
    assert await ledger_of("HELD_FUNDS") == 2_500
    assert await differences() == ()


async def test_a_card_that_refuses_after_the_service_was_opened_again_sends_a_check_all_the_same(
    service: Service,
) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await paid(service, ann, opened, "25.00", await ann.card("tok_refund_refused"))
    await close(service, ann, opened.id)
    await opened_again(service, ann)

    await pass_time(service, timedelta(days=30))

    card, check = await refunds(service, ann)
    assert (card["status"], check["status"], check["amount"]) == ("REROUTED", "COMPLETED", "25.00")
    assert await ledger_of("BANK") == 2_500
    assert await differences() == ()


async def test_a_check_that_fails_as_the_account_is_deleted_is_held_or_refunded_once(service: Service) -> None:
    for number in range(4):
        ann = await factories.holder(service, f"race{number}@mail.test")
        opened = await ann.advance_connect(2_500)
        await close(service, ann, opened.id)
        await pass_time(service, DAY)
        ann = await factories.begin_again(ann)
        payload = await open_service(service, ann, "again", phone=f"505-555-02{number}0")
        assert payload["errors"] == []
        (row,) = await fetch("select id from refunds where account_id = $1", ann.account_id)
        check, agent = global_id(NodeKind.REFUND, read_uuid(row["id"])), await agent_of(service, number)
        await export(service, agent, f"run {number}")
        given = closing.agreed(await closing.preview(service, ann.token), f"delete {number}")

        both = (closing.ask_deletion(service, ann.token, given), update(service, agent, check, "HELD"))
        deleted, held = await asyncio.gather(*both)

        assert held["errors"] == []
        if deleted["errors"]:
            # The money came back first, so that the preview no longer holds.
            assert [each["code"] for each in deleted["errors"]] == ["STALE"]
            await closing.delete(service, ann, f"again {number}")
        await pass_time(service, timedelta(days=30))
        funds = await fetch("select amount from held_funds where account_id = $1", ann.account_id)
        ended = await fetch(
            "select amount from refunds where account_id = $1 and status = 'COMPLETED' and amount > 0", ann.account_id
        )
        assert [each["amount"] for each in (*funds, *ended)] == [2_500]
        assert await differences() == ()


async def agent_of(service: Service, number: int) -> str:
    """Return the billing agent's token, signed in anew as the days pass."""
    if number == 0:
        return await staff(service)
    (row,) = await fetch("select id from staff_members")
    token, _ = await begin_sign_in(service.ports, Bearer(read_uuid(row["id"]), True, "", Channel.WEB, False))
    return token
