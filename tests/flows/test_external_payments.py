"""Payments by partners and by staff: once per control number, never lost (rules 13a, 15, 39)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from api.adapters.database import execute, fetch, read_json
from api.auth.sign_ins import make_key
from api.domain.accounts import Role
from api.domain.ids import NodeKind, global_id
from api.services.audit import audit
from tests import factories
from tests.flows.conftest import Service
from tests.flows.direct_bill import direct_bill, external, number_of
from tests.flows.getting_in import codes
from tests.flows.money import ERRORS, balance, count
from tests.flows.test_staff import member

UNAPPLIED = "{ staff { unappliedPayments { edges { node { id channel amount { amount } externalReference } } } } }"
APPLY = f"""mutation($payment: ID!, $service: ID!, $reason: String!) {{
  staffApplyPayment(paymentId: $payment, serviceAccountId: $service, reason: $reason) {{
    replayed payment {{ id status amount {{ amount }} }} {ERRORS} }} }}"""
ADJUST = f"""mutation($service: ID!, $amount: Decimal!, $reason: String!, $key: String!) {{
  staffAdjustBalance(serviceAccountId: $service, amount: $amount, reason: $reason, idempotencyKey: $key) {{
    replayed transaction {{ kind amount {{ amount }} balanceAfter {{ amount }} }} {ERRORS} }} }}"""
ACTIVITY = "{ me { activity { edges { node { action actor summary } } } } }"


async def partner(service: Service) -> str:
    """Make a key of a payment partner; return its token."""
    return await make_key(service.ports.now(), f"partner {uuid4()}", Role.PAYMENT_PARTNER)


async def billing(service: Service, email: str = "billing@example.org") -> str:
    """Sign a billing agent in; return the token."""
    return await member(service, email, (Role.BILLING_AGENT,))


async def unapplied(service: Service, agent: str) -> list[dict[str, Any]]:
    found = (await service.ask(UNAPPLIED, token=agent))["staff"]["unappliedPayments"]["edges"]
    return [edge["node"] for edge in found]


async def apply(service: Service, agent: str, payment: str, to: str, reason: str = "named by phone") -> dict[str, Any]:
    data = await service.ask(APPLY, {"payment": payment, "service": to, "reason": reason}, token=agent)
    payload: dict[str, Any] = data["staffApplyPayment"]
    return payload


async def adjust(service: Service, agent: str, to: str, amount: str, key: str = "key") -> dict[str, Any]:
    variables = {"service": to, "amount": amount, "reason": "a dropped call", "key": key}
    payload: dict[str, Any] = (await service.ask(ADJUST, variables, token=agent))["staffAdjustBalance"]
    return payload


@pytest.mark.rule("15")
async def test_a_printed_number_with_spaces_and_dashes_funds_its_account_once(service: Service) -> None:
    ann = await factories.holder(service)
    opened, by = await ann.advance_connect(), await partner(service)
    number = await number_of(opened.key)

    first = await external(service, by, f" {number[:3]}-{number[3:6]} {number[6:]} ")
    again = await external(service, by, number)

    assert (first["applied"], first["replayed"], again["applied"], again["replayed"]) == (True, False, True, True)
    assert (await balance(service, ann))["posted"] == "25.00"
    (receipt,) = await service.mails(ann.email)
    assert receipt.subject == "Receipt: $25.00"
    assert "Western Union" in receipt.text
    assert (await audit()).differences == ()


@pytest.mark.rule("15")
async def test_a_control_number_with_other_facts_is_a_conflict_and_another_channels_is_another_payment(
    service: Service,
) -> None:
    ann = await factories.holder(service)
    opened, by = await ann.advance_connect(), await partner(service)
    number = await number_of(opened.key)
    await external(service, by, number)

    other = [
        await external(service, by, number, "26.00"),
        await external(service, by, "1234567897"),
        await external(service, by, number, paidAt="2026-11-02T12:00:00Z"),
    ]
    by_channel = await external(service, by, number, channel="MONEYGRAM")

    assert [codes(payload) for payload in other] == [["IDEMPOTENCY_CONFLICT"]] * 3
    assert (by_channel["applied"], by_channel["replayed"]) == (True, False)
    assert (await balance(service, ann))["posted"] == "50.00"


@pytest.mark.rule("15")
async def test_a_control_number_counts_once_however_it_is_written(service: Service) -> None:
    ann = await factories.holder(service)
    opened, by, agent = await ann.advance_connect(), await partner(service), await billing(service)
    number = await number_of(opened.key)
    written = ("mtcn 123-456", "MTCN123456", " MTCN-123.456", "\uff2d\uff34\uff23\uff2e123456")

    tries = (external(service, one, number, externalReference=way) for one in (by, agent) for way in written)
    answers = await asyncio.gather(*tries)
    other = await external(service, by, number, "26.00", externalReference="MTCN 123456")

    assert sorted(answer["replayed"] for answer in answers) == [False, *[True] * 7]
    assert codes(other) == ["IDEMPOTENCY_CONFLICT"]
    assert (await balance(service, ann))["posted"] == "25.00"
    assert (await audit()).differences == ()


@pytest.mark.rule("15")
async def test_twenty_reports_of_one_control_number_at_once_count_once(service: Service) -> None:
    ann = await factories.holder(service)
    opened, by = await ann.advance_connect(), await partner(service)
    number = await number_of(opened.key)

    answers = await asyncio.gather(*(external(service, by, number) for _ in range(20)))

    assert [answer["replayed"] for answer in answers].count(False) == 1
    assert (await balance(service, ann))["posted"] == "25.00"
    assert (await audit()).differences == ()


@pytest.mark.rule("15")
@pytest.mark.parametrize(
    "amount", ["0", "0.00", "-0", "-25.00", "25.001", "25.000", "10000.01", "999999999999", 0, -1, 10_001]
)
async def test_eleven_kinds_of_bad_amounts_are_refused(service: Service, amount: Any) -> None:
    payload = await external(service, await partner(service), "1234567897", amount)

    assert codes(payload) in (["INVALID"], ["LIMIT_EXCEEDED"])
    assert await count("payments") == 0


@pytest.mark.rule("15")
@pytest.mark.parametrize(
    "change",
    [
        {"channel": "CARD_ONLINE"}, {"channel": "AUTOPAY"}, {"paidAt": "2036-01-01T00:00:00Z"},
        {"paidAt": "1990-01-01T00:00:00Z"}, {"externalReference": " "}, {"externalReference": "x" * 81},
        {"externalReference": "a\0b"},
    ],
)  # fmt: skip
async def test_what_cannot_be_a_partners_payment_is_refused(service: Service, change: dict[str, str]) -> None:
    assert codes(await external(service, await partner(service), "1234567897", **change)) == ["INVALID"]


@pytest.mark.rule("15")
@pytest.mark.parametrize("number", ["1234567890", "1234567897", "", "what\0 is that", "9" * 200])
async def test_a_payment_for_a_number_that_nobody_has_is_kept_for_staff(service: Service, number: str) -> None:
    payload = await external(service, await partner(service), number)

    assert (payload["errors"], payload["applied"]) == ([], False)
    (waiting,) = await unapplied(service, await billing(service))
    assert (waiting["channel"], waiting["amount"]) == ("WESTERN_UNION", {"amount": "25.00"})
    assert (await audit()).differences == ()


@pytest.mark.rule("15")
@pytest.mark.parametrize("status", ["CLOSING", "CLOSED"])
async def test_a_payment_for_a_service_that_is_not_open_is_kept_for_staff(service: Service, status: str) -> None:
    ann = await factories.holder(service)
    opened, by = await ann.advance_connect(), await partner(service)
    await execute("update service_accounts set status = $1", status)

    payload = await external(service, by, await number_of(opened.key))

    assert payload["applied"] is False
    assert [row["posted"] for row in await fetch("select posted from balances")] == [0]


@pytest.mark.rule("15")
async def test_what_staff_apply_is_posted_once_and_on_record(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect()
    await external(service, await partner(service), "unknown")
    agents = [await billing(service), await billing(service, "other@example.org")]
    (waiting,) = await unapplied(service, agents[0])

    done = await asyncio.gather(*(apply(service, agent, waiting["id"], opened.id) for agent in agents))

    assert sorted(payload["replayed"] for payload in done) == [False, True]
    assert (await balance(service, ann))["posted"] == "25.00"
    assert await unapplied(service, agents[0]) == []
    (act,) = await fetch("select * from staff_acts")
    assert (act["action"], act["reason"]) == ("staff_applied_payment", "named by phone")
    told = (await service.ask(ACTIVITY, token=ann.token))["me"]["activity"]["edges"][0]["node"]
    assert (told["action"], told["actor"]) == ("staff_applied_payment", "Alex")
    assert "named by phone" not in told["summary"]
    assert (await audit()).differences == ()


@pytest.mark.rule("15")
async def test_two_staff_who_apply_one_receipt_to_two_services_move_it_once(service: Service) -> None:
    ann = await factories.holder(service)
    services = [(await ann.advance_connect()).id, (await direct_bill(service, ann)).id]
    await external(service, await partner(service), "unknown")
    agent = await billing(service)
    (waiting,) = await unapplied(service, agent)

    done = await asyncio.gather(*(apply(service, agent, waiting["id"], to) for to in services))

    assert sorted(len(payload["errors"]) for payload in done) == [0, 1]
    assert [codes(payload) for payload in done if payload["errors"]] == [["INVALID_STATE"]]
    assert await count("staff_acts") == 1
    assert (await audit()).differences == ()


@pytest.mark.rule("39")
async def test_applying_wants_a_reason_a_payment_and_an_open_service(service: Service) -> None:
    ann = await factories.holder(service)
    opened, agent = await ann.advance_connect(), await billing(service)
    await external(service, await partner(service), "unknown")
    (waiting,) = await unapplied(service, agent)

    refused = [
        await apply(service, agent, waiting["id"], opened.id, " "),
        await apply(service, agent, global_id(NodeKind.PAYMENT, uuid4()), opened.id),
        await apply(service, agent, waiting["id"], global_id(NodeKind.SERVICE_ACCOUNT, uuid4())),
    ]
    await execute("update service_accounts set status = 'CLOSED'")
    refused.append(await apply(service, agent, waiting["id"], opened.id))

    assert [codes(one) for one in refused] == [["REQUIRED"], ["NOT_FOUND"], ["NOT_FOUND"], ["ACCOUNT_CLOSED"]]
    assert await count("staff_acts") == 0


@pytest.mark.rule("39")
async def test_a_credit_and_a_correction_by_staff_post_once_per_key_and_never_below_zero(service: Service) -> None:
    ann = await factories.holder(service)
    opened, agent = await ann.advance_connect(500), await billing(service)

    given = [await adjust(service, agent, opened.id, "5.00") for _ in range(2)]
    taken = await adjust(service, agent, opened.id, "-10.00", "second")
    below = await adjust(service, agent, opened.id, "-0.01", "third")
    conflict = await adjust(service, agent, opened.id, "6.00")
    others = [await adjust(service, agent, opened.id, amount, amount) for amount in ("0", "500.01", "-500.01", "1.005")]

    assert [payload["replayed"] for payload in given] == [False, True]
    assert given[0]["transaction"] == given[1]["transaction"]
    assert given[0]["transaction"]["kind"] == "CREDIT"
    assert taken["transaction"] == {
        "kind": "ADJUSTMENT",
        "amount": {"amount": "-10.00"},
        "balanceAfter": {"amount": "0.00"},
    }
    assert (codes(below), codes(conflict)) == (["INSUFFICIENT_FUNDS"], ["IDEMPOTENCY_CONFLICT"])
    assert [codes(one) for one in others] == [["INVALID"], ["LIMIT_EXCEEDED"], ["LIMIT_EXCEEDED"], ["INVALID"]]
    acts = await fetch("select * from staff_acts order by id")
    assert [read_json(act["facts"])["cents"] for act in acts] == ["500", "-1000"]
    assert (await audit()).differences == ()


@pytest.mark.rule("39")
async def test_a_credit_on_direct_bill_lowers_what_is_unbilled_and_no_more(service: Service) -> None:
    ann = await factories.holder(service)
    opened, agent = await direct_bill(service, ann), await billing(service)

    owed = await adjust(service, agent, opened.id, "-3.00", "charged")
    more = await adjust(service, agent, opened.id, "3.01", "too much")
    less = await adjust(service, agent, opened.id, "1.00", "given")

    assert owed["transaction"]["balanceAfter"] == {"amount": "3.00"}
    assert codes(more) == ["INSUFFICIENT_FUNDS"]
    assert less["transaction"]["balanceAfter"] == {"amount": "2.00"}
    assert (await audit()).differences == ()


@pytest.mark.rule("39")
async def test_staff_find_accounts_by_mail_phone_number_and_name(service: Service) -> None:
    ann = await factories.holder(service)
    await factories.holder(service, "bob@mail.test")
    opened, agent = await ann.advance_connect(), await billing(service)
    find = "query($s: String!) { staff { accounts(search: $s) { edges { node { email } } } } }"

    found = {}
    for search in (ann.email, await number_of(opened.key), "(214) 555-0123", "le", "%%", "nobody"):
        data = await service.ask(find, {"s": search}, token=agent)
        found[search] = len(data["staff"]["accounts"]["edges"])
    one = await service.ask(
        "query($id: ID!) { staff { account(id: $id) { email } } }",
        {"id": global_id(NodeKind.ACCOUNT, ann.account_id)},
        token=agent,
    )
    marketing = await member(service, "m@example.org", (Role.MARKETING,))
    refused = await service.run(find, {"s": "le"}, token=marketing)

    assert list(found.values()) == [1, 1, 2, 2, 0, 0]
    assert one["staff"]["account"] == {"email": ann.email}
    assert refused.errors
    assert refused.errors[0].extensions == {"code": "FORBIDDEN"}


async def test_a_payment_may_be_reported_a_little_ahead_of_the_clock(service: Service) -> None:
    by = await partner(service)
    soon, later = (service.ports.now() + timedelta(minutes=n) for n in (9, 11))

    assert codes(await external(service, by, "unknown", paidAt=soon.isoformat())) == []
    assert codes(await external(service, by, "unknown", paidAt=later.isoformat(), externalReference="2")) == ["INVALID"]
