"""Staff see the background work that was given up, and have it tried anew."""

from __future__ import annotations

from typing import Any

from api.adapters.database import fetch
from api.domain.accounts import Role
from api.services.ledger import LOW_BALANCE
from tests.flows.conftest import Service
from tests.flows.test_given_up_work import give_up
from tests.flows.test_staff import member
from tests.flows.top_ups import SET_ALERT, scene

FAILED = """query ($first: Int, $after: String) { staff { failedWork(first: $first, after: $after) {
  edges { node { id kind failures lastError failedAt } } pageInfo { hasNextPage endCursor } } } }"""
RETRY = """mutation ($work: ID!, $reason: String!) { staffRetryWork(workId: $work, reason: $reason) {
  work { id failures failedAt } errors { code path } } }"""


async def failed(service: Service, agent: str, **page: Any) -> list[dict[str, Any]]:
    found = (await service.ask(FAILED, page, token=agent))["staff"]["failedWork"]["edges"]
    return [edge["node"] for edge in found]


async def retry(service: Service, agent: str, work: str, reason: str = "the mail server is back") -> dict[str, Any]:
    answer = await service.ask(RETRY, {"work": work, "reason": reason}, token=agent)
    payload: dict[str, Any] = answer["staffRetryWork"]
    return payload


async def test_work_that_was_given_up_is_seen_and_done_once_it_is_tried_anew(service: Service) -> None:
    ann = await scene(service, 1_050)
    await ann.ask(SET_ALERT, id=ann.opened.id, threshold="10.00")
    await ann.call(10, works=False)
    agent = await member(service, "billing@example.org", (Role.BILLING_AGENT,))
    assert await failed(service, agent) == []
    await give_up(service, LOW_BALANCE)

    (work,) = await failed(service, agent)
    assert (work["kind"], work["failures"], work["lastError"]) == (LOW_BALANCE, 1, "a fault of ours")
    assert work["failedAt"] is not None
    assert [(error["code"], error["path"]) for error in (await retry(service, agent, work["id"], " "))["errors"]] == [
        ("REQUIRED", ["reason"])
    ]
    assert len(await failed(service, agent)) == 1

    payloads = [await retry(service, agent, work["id"]) for _ in range(2)]

    assert [payload["work"] for payload in payloads] == [{"id": work["id"], "failures": 0, "failedAt": None}] * 2
    assert await failed(service, agent) == []
    await service.work()
    assert await ann.subjects() == ["Your balance is low: $9.50"]
    (act,) = await fetch("select * from staff_acts")
    assert (act["action"], act["reason"]) == ("staff_retried_work", "the mail server is back")
    assert [error["code"] for error in (await retry(service, agent, work["id"]))["errors"]] == ["NOT_FOUND"]


async def test_only_those_who_look_after_money_see_work_that_was_given_up(service: Service) -> None:
    await scene(service, 1_050)
    for role in (Role.SUPPORT_AGENT, Role.MARKETING, Role.COMPLIANCE):
        token = await member(service, f"{role.value.lower()}@example.org", (role,))
        answer = await service.run(FAILED, {}, token=token)
        assert [(error.extensions or {})["code"] for error in answer.errors or []] == ["FORBIDDEN"]
