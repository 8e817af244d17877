"""Closings and refunds under attack: nothing goes back twice, nothing is lost, nothing outlives its time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.adapters.database import fetch
from tests import factories
from tests.flows.closing import DAY, close, delete, pass_time
from tests.flows.conftest import Service
from tests.flows.money_back import CLAIM, held, staff

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
