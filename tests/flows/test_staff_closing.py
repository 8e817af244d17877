"""Deleting for a customer on the telephone: passcode, mailed number, the same preview and way (rules 27b and 39)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from api.adapters.database import execute, fetch, fetch_one, read_uuid
from api.domain.accounts import Role
from api.domain.ids import NodeKind, global_id
from tests import factories
from tests.factories import Holder
from tests.flows.closing import CLOSURE, ERRORS, agreed
from tests.flows.conftest import Service
from tests.flows.getting_in import codes
from tests.flows.money import count
from tests.flows.test_staff import member

PASSCODE = "2468"
SEND = """mutation($id: ID!, $reason: String!) { staffSendDeletionCode(accountId: $id, reason: $reason) {
  accepted errors { code path } } }"""
DELETE = f"""mutation($input: StaffDeleteAccountInput!) {{ staffDeleteAccount(input: $input) {{
  receiptToken replayed closure {{ {CLOSURE} }} {ERRORS} }} }}"""
SHOWN = """query($id: ID!) { staff { account(id: $id) { firstName deletionPreview { token address { revision }
  consequences { code } refunds { refundable { amount } } } } } }"""
_NUMBER = re.compile(r"^(\d{8})$", re.MULTILINE)


async def caller(service: Service) -> Holder:
    """Return a holder with a passcode and money, who calls."""
    ann = await factories.holder(service)
    await ann.advance_connect(500)
    kept = await service.passwords.hash_short("passcode", PASSCODE)
    await execute("update accounts set passcode_hash = $1", kept)
    return ann


def id_of(holder: Holder) -> str:
    return global_id(NodeKind.ACCOUNT, holder.account_id)


async def send(service: Service, token: str, ann: Holder, reason: str = "Asked by telephone") -> dict[str, Any]:
    """Have a number mailed; return the payload."""
    payload: dict[str, Any] = (await service.ask(SEND, {"id": id_of(ann), "reason": reason}, token=token))[
        "staffSendDeletionCode"
    ]
    return payload


async def number(service: Service, ann: Holder) -> str:
    """Return the number that was mailed last."""
    found = _NUMBER.search((await service.mails(ann.email))[0].text)
    assert found is not None
    return found[1]


async def delete(service: Service, token: str, ann: Holder, code: str, **changes: Any) -> dict[str, Any]:
    """Look at the preview as staff, and delete the account; return the payload."""
    shown = (await service.ask(SHOWN, {"id": id_of(ann)}, token=token))["staff"]["account"]["deletionPreview"]
    given = agreed(shown) | {
        "accountId": id_of(ann), "passcode": PASSCODE, "code": code, "reason": "Asked by telephone", **changes
    }  # fmt: skip
    payload: dict[str, Any] = (await service.ask(DELETE, {"input": given}, token=token))["staffDeleteAccount"]
    return payload


@pytest.mark.rule("27b", "39")
async def test_staff_delete_by_passcode_and_number_and_it_is_on_record(service: Service) -> None:
    ann, agent = await caller(service), await member(service)
    assert (await send(service, agent, ann))["errors"] == []

    payload = await delete(service, agent, ann, await number(service, ann))

    assert payload["errors"] == []
    assert (payload["closure"]["requestedVia"], payload["receiptToken"]) == ("PHONE_AGENT", None)
    row = await fetch_one("select requested_by, reason from closures")
    staff = await fetch_one("select id from staff_members")
    assert row is not None
    assert staff is not None
    assert (read_uuid(row["requested_by"]), row["reason"]) == (read_uuid(staff["id"]), "Asked by telephone")
    noted = await fetch("select action, actor, channel from activity where actor like 'staff%' order by id")
    assert [(each["action"], each["actor"], each["channel"]) for each in noted] == [
        ("deletion_code_sent", "staff: Alex", "PHONE_AGENT"), ("account_deletion_asked", "staff: Alex", "PHONE_AGENT"),
    ]  # fmt: skip
    assert "closure?receipt=" in (await service.mails(ann.email))[0].text
    assert (await service.run("{ me { id } }", token=ann.token)).data == {"me": None}


@pytest.mark.rule("18", "27b")
async def test_a_repeat_by_staff_is_the_same_deletion(service: Service) -> None:
    ann, agent = await caller(service), await member(service)
    await send(service, agent, ann)
    code = await number(service, ann)
    shown = (await service.ask(SHOWN, {"id": id_of(ann)}, token=agent))["staff"]["account"]["deletionPreview"]
    given = agreed(shown) | {"accountId": id_of(ann), "passcode": PASSCODE, "code": code, "reason": "Asked"}

    first, again = [(await service.ask(DELETE, {"input": given}, token=agent))["staffDeleteAccount"] for _ in "12"]

    assert (first["replayed"], again["replayed"], again["errors"]) == (False, True, [])
    assert again["closure"]["id"] == first["closure"]["id"]


@pytest.mark.rule("27b")
async def test_a_wrong_passcode_is_refused_counted_and_noted(service: Service) -> None:
    ann, agent = await caller(service), await member(service)
    await send(service, agent, ann)
    code = await number(service, ann)

    refused = [codes(await delete(service, agent, ann, code, passcode="1357")) for _ in range(6)]

    assert refused == [["INVALID_CREDENTIALS"]] * 5 + [["RATE_LIMITED"]]
    noted = await fetch("select action from activity where action = 'deletion_refused'")
    assert len(noted) == 5
    assert await count("closures") == 0


@pytest.mark.rule("27b")
async def test_a_number_bears_five_tries_and_ten_minutes(service: Service) -> None:
    ann, agent = await caller(service), await member(service)
    await send(service, agent, ann)
    code = await number(service, ann)
    wrong = f"{(int(code) + 1) % 10**8:08d}"

    tried = []
    for _ in range(5):
        tried.append(codes(await delete(service, agent, ann, wrong)))
        await execute("delete from guess_counters")
    dead = await delete(service, agent, ann, code)
    await execute("delete from guess_counters")
    await send(service, agent, ann)
    fresh = await number(service, ann)
    await service.advance(timedelta(minutes=10))
    old = await delete(service, agent, ann, fresh)

    assert tried == [["TOKEN_INVALID"]] * 5
    assert (codes(dead), codes(old)) == (["TOKEN_INVALID"], ["TOKEN_EXPIRED"])
    assert await count("closures") == 0


@pytest.mark.rule("27b", "39")
async def test_a_reason_is_wanted_and_other_staff_may_not(service: Service) -> None:
    ann, agent = await caller(service), await member(service)
    marketing = await member(service, "mark@example.org", [Role.MARKETING])

    empty = await send(service, agent, ann, " ")
    result = await service.run(SEND, {"id": id_of(ann), "reason": "x"}, token=marketing)
    seen = await service.run(SHOWN, {"id": id_of(ann)}, token=marketing)

    assert codes(empty) == ["REQUIRED"]
    for refused in (result, seen):
        assert refused.errors
        assert refused.errors[0].extensions == {"code": "FORBIDDEN"}


@pytest.mark.rule("27b")
async def test_the_number_of_one_holder_deletes_nobody_else(service: Service) -> None:
    ann, agent = await caller(service), await member(service)
    ben = await factories.holder(service, "ben@mail.test")
    await execute("update accounts set passcode_hash = (select max(passcode_hash) from accounts where email = $1)",
                  ann.email)  # fmt: skip
    await send(service, agent, ann)

    payload = await delete(service, agent, ben, await number(service, ann))

    assert codes(payload) == ["TOKEN_INVALID"]
