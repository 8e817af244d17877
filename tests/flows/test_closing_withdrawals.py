"""Taking the closing of Direct Bill back while it is held (rule 24)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import fetch
from api.domain.days import day_of
from api.services.audit import audit
from tests import factories
from tests.factories import Holder, Opened, begin_again
from tests.flows.closing import CHANGED, close, delete
from tests.flows.conftest import Service
from tests.flows.direct_bill import account, direct_bill
from tests.flows.getting_in import codes
from tests.flows.money import authorize, open_service, record
from tests.flows.money_back import go_to

pytestmark = pytest.mark.rule("24")

WITHDRAW = """mutation($id: ID!) { withdrawClosure(closureId: $id) { replayed closure { status completedAt }
  errors { code path message ... on InvalidStateError { currentState allowedActions } } } }"""
PHONES = """{ me { serviceAccounts { ... on DirectBillAccount { status phoneNumbers { phone label blocked } } } } }"""


async def withdraw(service: Service, holder: Holder, closure_id: str) -> dict[str, Any]:
    """Take a closing back; return the payload."""
    payload: dict[str, Any] = (await service.ask(WITHDRAW, {"id": closure_id}, token=holder.token))["withdrawClosure"]
    return payload


async def phones(service: Service, holder: Holder) -> tuple[str, list[str]]:
    """Return the status of the holder's one service, and its numbers."""
    (found,) = (await service.ask(PHONES, token=holder.token))["me"]["serviceAccounts"]
    return found["status"], [each["phone"] for each in found["phoneNumbers"]]


async def closed(service: Service) -> tuple[Holder, Opened, str, str]:
    """Return a holder whose Direct Bill is held, with a call on it, a switch's key and the closing's id."""
    ann = await factories.holder(service)
    opened, switch = await direct_bill(service, ann), await factories.switch_key(service)
    await record(service, switch, opened.phone, 1_800, "before")
    payload = await close(service, ann, opened.id)
    return ann, opened, switch, payload["closure"]["id"]


async def test_a_closing_that_is_taken_back_leaves_the_service_as_it_was(service: Service) -> None:
    ann, opened, switch, closure_id = await closed(service)
    today = day_of(service.ports.now())
    async with service.watch(CHANGED, {"id": closure_id}, token=ann.token) as stream:
        first = (await stream.next())["closureChanged"]["closure"]
        payload = await withdraw(service, ann, closure_id)
        told = (await stream.next())["closureChanged"]["closure"]
    again = await withdraw(service, ann, closure_id)

    assert (payload["errors"], payload["replayed"], payload["closure"]["status"]) == ([], False, "WITHDRAWN")
    assert (again["errors"], again["replayed"], again["closure"]["status"]) == ([], True, "WITHDRAWN")
    assert (first["revision"], told["status"], told["revision"]) == (1, "WITHDRAWN", 2)
    assert await phones(service, ann) == ("ACTIVE", [opened.phone])
    assert (await authorize(service, switch, opened.phone, "new"))["maxSeconds"] > 0
    await go_to(service, today + timedelta(days=11))
    assert await fetch("select id from invoices where kind = 'FINAL'") == []
    assert (await account(service, await begin_again(ann)))["unbilled"] == {"amount": "3.00"}
    subjects = [mail.subject for mail in await service.mails(ann.email)]
    assert subjects.count("Your service stays open") == 1
    assert (await audit()).differences == ()


async def test_a_service_may_be_closed_once_more_after_that(service: Service) -> None:
    ann, opened, _, closure_id = await closed(service)
    today = day_of(service.ports.now())
    await withdraw(service, ann, closure_id)

    second = await close(service, ann, opened.id, "once more")
    await go_to(service, today + timedelta(days=7))

    assert second["closure"]["status"] == "DIRECT_BILL_HOLD"
    assert [row["status"] for row in await fetch("select status from closures order by id")] == [
        "WITHDRAWN", "AWAITING_FINAL_PAYMENT",
    ]  # fmt: skip


async def test_a_number_that_somebody_has_taken_meanwhile_stays_there_and_the_holder_is_told(service: Service) -> None:
    ann, opened, _, closure_id = await closed(service)
    ben = await factories.holder(service, "ben@mail.test")
    assert (await open_service(service, ben, phone=opened.phone))["errors"] == []

    payload = await withdraw(service, ann, closure_id)

    assert payload["errors"] == []
    assert await phones(service, ann) == ("ACTIVE", [])
    (mail,) = [mail for mail in await service.mails(ann.email) if "without some" in (mail.subject or "")]
    assert opened.phone in mail.text


async def test_direct_bill_that_was_opened_anew_stands_in_the_way(service: Service) -> None:
    ann, opened, _, closure_id = await closed(service)
    await open_service(service, ann, "anew", product="DIRECT_BILL", phone=opened.phone)

    (error,) = (await withdraw(service, ann, closure_id))["errors"]

    assert (error["code"], error["currentState"], error["allowedActions"]) == ("INVALID_STATE", "DIRECT_BILL_HOLD", [])
    assert "anew" in error["message"]


async def test_after_the_hold_it_is_too_late(service: Service) -> None:
    ann, _, _, closure_id = await closed(service)
    await go_to(service, day_of(service.ports.now()) + timedelta(days=7))

    (error,) = (await withdraw(service, await begin_again(ann), closure_id))["errors"]

    assert (error["code"], error["currentState"]) == ("INVALID_STATE", "AWAITING_FINAL_PAYMENT")


async def test_only_direct_bill_and_only_one_s_own_can_be_taken_back(service: Service) -> None:
    ann, ben = await factories.holder(service), await factories.holder(service, "ben@mail.test")
    prepaid = await ann.advance_connect(500)
    mine = (await close(service, ann, prepaid.id))["closure"]["id"]

    (error,) = (await withdraw(service, ann, mine))["errors"]

    assert (error["code"], error["currentState"]) == ("INVALID_STATE", "SETTLING_CALLS")
    assert codes(await withdraw(service, ben, mine)) == ["NOT_FOUND"]


async def test_a_deletion_cannot_be_taken_back_by_anybody(service: Service) -> None:
    ann = await factories.holder(service)
    await direct_bill(service, ann)
    closure_id = (await delete(service, ann))["closure"]["id"]

    for holder in (ann, await begin_again(ann)):
        refused = await service.run(WITHDRAW, {"id": closure_id}, token=holder.token)
        assert [(error.extensions or {})["code"] for error in refused.errors or []] == ["UNAUTHENTICATED"]

    assert [row["status"] for row in await fetch("select status from closures")] == ["DIRECT_BILL_HOLD"]


async def test_taking_back_at_the_moment_the_hold_ends_is_one_or_the_other(service: Service) -> None:
    ann, _, _, closure_id = await closed(service)
    today = day_of(service.ports.now())
    await go_to(service, today + timedelta(days=6))
    await service.advance(timedelta(days=1))
    ann = await begin_again(ann)

    payload, _ = await asyncio.gather(withdraw(service, ann, closure_id), service.work())

    ((status,),) = [[row["status"] for row in await fetch("select status from closures")]]
    finals = await fetch("select id from invoices where kind = 'FINAL'")
    if codes(payload):
        assert (codes(payload), status, len(finals)) == (["INVALID_STATE"], "AWAITING_FINAL_PAYMENT", 1)
    else:
        assert (status, len(finals)) == ("WITHDRAWN", 0)
    assert (await audit()).differences == ()
