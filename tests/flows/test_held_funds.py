"""Held funds: claimed once by whoever they belong to, else disposed of as the state's law has it (rules 26, 27a)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, fetch_one, read_uuid
from api.domain.accounts import Role
from api.domain.days import day_of
from api.domain.ids import NodeKind, global_id
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money_back import (
    CLAIM,
    EXPORT,
    HELD,
    UPDATE,
    activity,
    begin,
    differences,
    fix_amount,
    go_to,
    receipt,
    refunds,
    staff,
    statuses,
)  # fmt: skip

pytestmark = pytest.mark.rule("26")

ADDRESS = {"line1": "7 Oak Street", "city": "Santa Fe", "state": "NM", "zip": "87501"}
QUEUE = """query($state: String) { staff { heldFunds(state: $state) { edges { node { amount { amount } } } }
  refundQueue(statuses: [HELD]) { edges { node { status amount { amount } } } } } }"""


@dataclass
class Case:
    """A holder whose check came back, the held funds' id, and the receipt of the closing."""

    service: Service
    ann: Holder
    held_id: str
    receipt: str
    staff: str

    async def claim(self, key: str = "claim", token: str | None = None, **more: Any) -> Any:
        """Claim; return the payload."""
        given = {"heldFundsId": self.held_id, "address": ADDRESS, "idempotencyKey": key, **more}
        return (await self.service.ask(CLAIM, {"input": given}, token=token))["claimHeldFunds"]


@pytest.fixture
async def case(service: Service) -> Case:
    """Return held funds of ten dollars, of a holder who lives in New Mexico and has the passcode 2468."""
    ann = await factories.holder(service)
    kept = await service.passwords.hash_short("passcode", "2468")
    await execute(
        "update accounts set passcode_hash = $1, city = 'Santa Fe', state = 'NM', zip = '87501', line1 = '1 Old Road'",
        kept,
    )
    opened = await ann.advance_connect(1_000)
    refund_id, closure_id = await begin(service.ports, ann, opened.key)
    # Or New Mexico's rule would close it in the years that follow.
    await execute("update service_accounts set status = 'CLOSED' where id = $1", opened.key)
    await fix_amount(service.ports, refund_id, opened.key)
    token = await staff(service, Role.ADMIN)
    await service.ask(EXPORT, {"key": "run"}, token=token)
    await service.ask(UPDATE, {"id": global_id(NodeKind.REFUND, refund_id), "to": "HELD"}, token=token)
    row = await fetch_one("select id from held_funds")
    assert row is not None
    held_id = global_id(NodeKind.HELD_FUNDS, read_uuid(row["id"]))
    return Case(service, ann, held_id, receipt(service, closure_id), token)


def codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["errors"]]


async def test_the_holder_claims_by_sign_in_and_gets_a_check_at_the_address_given(case: Case) -> None:
    payload = await case.claim(token=case.ann.token)
    again = await case.claim(token=case.ann.token)

    refund = payload["refund"]
    assert (refund["status"], refund["method"], refund["amount"]["amount"]) == ("CALCULATED", "CHECK", "10.00")
    assert refund["destination"] == "Santa Fe, NM 87501"
    assert (again["replayed"], again["refund"]["id"]) == (True, refund["id"])
    row = (await fetch("select address, payee from refunds where status = 'CALCULATED'"))[0]
    assert "7 Oak Street" in str(row["address"])
    (held,) = (await case.service.ask(HELD, token=case.ann.token))["me"]["heldFunds"]
    assert held["claimable"] is False
    assert ("held_funds_claimed", "holder", {}) in await activity(case.ann)
    assert "Held funds were claimed" in [mail.subject for mail in await case.service.mails(case.ann.email)]
    assert await differences() == ()


@pytest.mark.rule("27a")
async def test_by_receipt_the_passcode_is_wanted_and_each_wrong_one_counts(case: Case) -> None:
    without = await case.claim(receiptToken=case.receipt)
    wrong = [await case.claim(receiptToken=case.receipt, passcode="1357") for _ in range(6)]

    assert (codes(without), without["errors"][0]["path"]) == (["REQUIRED"], ["input", "passcode"])
    assert [codes(one) for one in wrong[:5]] == [["INVALID_CREDENTIALS"]] * 5
    assert codes(wrong[5]) == ["RATE_LIMITED"]
    await case.service.advance(timedelta(minutes=1))
    right = await case.claim(receiptToken=case.receipt, passcode="2468")
    assert (right["errors"], right["refund"]["status"]) == ([], "CALCULATED")


@pytest.mark.rule("27a")
@pytest.mark.parametrize("token", ["", "nonsense", "0" * 32 + ".x", "ü" * 40, "a" * 500])
async def test_what_is_no_receipt_opens_nothing(case: Case, token: str) -> None:
    assert codes(await case.claim(receiptToken=token, passcode="2468")) == ["TOKEN_INVALID"]


@pytest.mark.rule("27a")
async def test_a_receipt_opens_its_own_closing_alone(case: Case) -> None:
    ben = await factories.holder(case.service, "ben@mail.test")
    opened = await ben.advance_connect(500)
    _, other = await begin(case.service.ports, ben, opened.key)

    payload = await case.claim(receiptToken=receipt(case.service, other), passcode="2468")

    assert codes(payload) == ["NOT_FOUND"]


@pytest.mark.rule("27a")
async def test_a_receipt_outlives_the_rotation_of_the_key(case: Case) -> None:
    secrets = case.service.ports.secrets
    secrets._keys.insert(0, b"a newer key for tests only")

    payload = await case.claim(receiptToken=case.receipt, passcode="2468")

    assert payload["errors"] == []


async def test_what_is_somebody_elses_is_not_found_and_nobody_claims_without_a_proof(case: Case) -> None:
    ben = await factories.holder(case.service, "ben@mail.test")
    support = await staff(case.service, Role.SUPPORT_AGENT)

    assert codes(await case.claim(token=ben.token)) == ["NOT_FOUND"]
    assert codes(await case.claim()) == ["REQUIRED"]
    assert codes(await case.claim(token=support)) == ["REQUIRED"]
    missing = await case.claim(token=ben.token, heldFundsId=global_id(NodeKind.HELD_FUNDS, uuid7()))
    assert codes(missing) == ["NOT_FOUND"]


@pytest.mark.rule("39")
async def test_staff_claim_for_a_holder_on_the_phone_and_it_is_on_record(case: Case) -> None:
    payload = await case.claim(token=case.staff)

    assert payload["refund"]["status"] == "CALCULATED"
    assert ("held_funds_claimed", "Billie Agent", {}) in await activity(case.ann)


async def test_all_that_is_wrong_with_the_address_comes_at_once(case: Case) -> None:
    payload = await case.claim(token=case.ann.token, address={**ADDRESS, "line1": " ", "zip": "75201"})

    paths = [error["path"][1:] for error in payload["errors"]]
    assert paths == [["address", "line1"], ["address", "zip"]]


async def test_of_claims_at_once_one_pays(case: Case) -> None:
    payloads = await asyncio.gather(*(case.claim(f"claim {n}", case.ann.token) for n in range(6)))

    assert sorted(len(codes(one)) for one in payloads) == [0, 1, 1, 1, 1, 1]
    assert {code for one in payloads for code in codes(one)} == {"INVALID_STATE"}
    assert len(await fetch("select id from refunds")) == 2
    assert await differences() == ()


async def test_a_claimed_check_that_comes_back_is_held_and_can_be_claimed_again(case: Case) -> None:
    claimed = await case.claim(token=case.ann.token)
    await case.service.ask(EXPORT, {"key": "second run"}, token=case.staff)
    for to in ("ISSUED", "HELD"):
        await case.service.ask(UPDATE, {"id": claimed["refund"]["id"], "to": to}, token=case.staff)

    held = (await case.service.ask(HELD, token=case.ann.token))["me"]["heldFunds"]
    case.held_id = held[0]["id"]
    again = await case.claim("again", case.ann.token)

    assert [one["claimable"] for one in held] == [True, False]
    assert again["refund"]["amount"]["amount"] == "10.00"
    assert [one["status"] for one in await refunds(case.service, case.ann)] == ["HELD", "HELD", "CALCULATED"]
    assert await differences() == ()


async def test_on_the_day_of_final_disposition_they_go_and_cannot_be_claimed_any_more(case: Case) -> None:
    (held,) = (await case.service.ask(HELD, token=case.ann.token))["me"]["heldFunds"]
    day = date.fromisoformat(held["dispositionOn"])
    assert (day - day_of(case.service.ports.now())).days == 1_095

    await go_to(case.service, day)
    ann = await factories.begin_again(case.ann)
    payload = await case.claim(token=ann.token)

    assert [(error["code"], error["currentState"]) for error in payload["errors"]] == [("INVALID_STATE", "DISPOSED")]
    (refund,) = await refunds(case.service, ann)
    assert (statuses(refund)[-1], await differences()) == ("HELD", ())


async def test_a_states_own_row_says_when(service: Service) -> None:
    for since, days in (("2020-01-01", 100), ("2023-05-01", 365), ("2090-01-01", 7)):
        await execute(
            "insert into inactivity_rules (id, state, days, effective_from, citation, disposition_days)"
            " values ($1, 'TX', 180, $2, 'a law', $3)",
            uuid7(), date.fromisoformat(since), days,
        )  # fmt: skip
    ann = await factories.holder(service)
    opened = await ann.advance_connect(1_000)
    refund_id, _ = await begin(service.ports, ann, opened.key)
    await fix_amount(service.ports, refund_id, opened.key)
    await execute("update service_accounts set status = 'CLOSED' where id = $1", opened.key)
    token = await staff(service)
    await service.ask(EXPORT, {"key": "run"}, token=token)

    await service.ask(UPDATE, {"id": global_id(NodeKind.REFUND, refund_id), "to": "HELD"}, token=token)

    (held,) = (await service.ask(HELD, token=ann.token))["me"]["heldFunds"]
    assert date.fromisoformat(held["dispositionOn"]) == day_of(service.ports.now()) + timedelta(days=365)


@pytest.mark.rule("39")
async def test_staff_see_what_is_held_by_state(case: Case) -> None:
    seen = {}
    for state in (None, "NM", "TX"):
        data = (await case.service.ask(QUEUE, {"state": state}, token=case.staff))["staff"]
        seen[state] = len(data["heldFunds"]["edges"])

    assert seen == {None: 1, "NM": 1, "TX": 0}
    assert [edge["node"]["status"] for edge in data["refundQueue"]["edges"]] == ["HELD"]
    support = await staff(case.service, Role.SUPPORT_AGENT)
    result = await case.service.run(QUEUE, {}, token=support)
    assert {error.extensions["code"] for error in result.errors or ()} == {"FORBIDDEN"}
