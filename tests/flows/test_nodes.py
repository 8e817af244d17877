"""Finding things by id: what is somebody else's is answered like what does not exist."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, read_uuid
from api.domain.ids import NodeKind, global_id
from tests import factories
from tests.factories import Holder
from tests.flows.conftest import Service
from tests.flows.money import pay
from tests.flows.money_back import held
from tests.flows.own_account import UPDATE

NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
NODE = "query($id: ID!) { node(id: $id) { __typename id } }"
TABLES = {
    NodeKind.SIGN_IN: ("Session", "sign_ins where account_id is not null"),
    NodeKind.ACCOUNT: ("Account", "accounts"),
    NodeKind.SERVICE_ACCOUNT: ("AdvanceConnectAccount", "service_accounts"),
    NodeKind.BALANCE: ("Balance", "balances"),
    NodeKind.PHONE: ("AccountPhone", "account_phones"),
    NodeKind.TRANSACTION: ("Transaction", "journal_entries where balance_id is not null"),
    NodeKind.CALL: ("Call", "calls"),
    NodeKind.PAYMENT_METHOD: ("PaymentMethod", "payment_methods"),
    NodeKind.QUOTE: ("PaymentQuote", "quotes"),
    NodeKind.PAYMENT: ("Payment", "payments"),
    NodeKind.ACTIVITY: ("Activity", "activity"),
    NodeKind.REFUND: ("Refund", "refunds"),
    NodeKind.HELD_FUNDS: ("HeldFunds", "held_funds"),
}
NOT_FOUND_BY_ID = {NodeKind.DUE_WORK, NodeKind.PLAN, NodeKind.SUBSCRIPTION, NodeKind.INCARCERATED_PERSON}
FOUND_ELSEWHERE = {
    NodeKind.INVOICE, NodeKind.STATEMENT, NodeKind.CLOSURE, NodeKind.VIDEO_SESSION, NodeKind.CANCELLATION,
}  # fmt: skip
"""See test_invoices and test_month_statements, which want a month to end, test_closing_live, test_video_sessions and
test_unsubscribing."""


async def everything(service: Service) -> tuple[Holder, dict[str, str]]:
    """Return a holder who has one of each kind, and the ids with their types."""
    bob = await factories.holder(service, "bob@mail.test")
    opened = await bob.advance_connect(1_000)
    await pay(service, bob, await bob.quote(opened), await bob.card())
    await factories.switch_key(service)
    await factories.charged_call(service.ports, await factories.switch_id(), opened, "call")
    await service.ask(UPDATE, {"input": {"firstName": "Robert"}}, token=bob.token)
    # Whose card cannot be refunded: what is held goes by check.
    await execute("update payments set status = 'CHARGED_BACK'")
    await held(service, bob, opened)
    ids = {}
    for kind, (name, rows) in TABLES.items():
        for row in await fetch(f"select id from {rows}"):
            ids[global_id(kind, read_uuid(row["id"]))] = name
    return bob, ids


async def test_every_kind_is_found_by_its_owner(service: Service) -> None:
    bob, ids = await everything(service)

    data = await service.ask(NODES, {"ids": list(ids)}, token=bob.token)

    assert data["nodes"] == [{"__typename": name, "id": key} for key, name in ids.items()]
    assert {*TABLES, NodeKind.FACILITY, *NOT_FOUND_BY_ID, *FOUND_ELSEWHERE} == set(NodeKind)


@pytest.mark.row("T15")
async def test_no_kind_is_found_by_anybody_else(service: Service) -> None:
    _, ids = await everything(service)
    ann = await factories.holder(service)
    switch = await factories.switch_key(service, "curious")

    for token in (ann.token, switch, None):
        found = await service.ask(NODES, {"ids": list(ids)}, token=token)
        random = [global_id(kind, uuid7()) for kind in NodeKind]
        assert found["nodes"] == [None] * len(ids)
        assert (await service.ask(NODES, {"ids": random}, token=token))["nodes"] == [None] * len(random)


async def test_a_facility_is_found_by_everybody(service: Service) -> None:
    place = await factories.facility()

    assert (await service.ask(NODE, {"id": place}))["node"] == {"__typename": "Facility", "id": place}


async def test_an_ended_sign_in_is_found_no_more(service: Service) -> None:
    ann = await factories.holder(service)
    other = await factories.begin_again(ann)
    await service.ask("mutation { signOut { accepted } }", token=other.token)

    found = await service.ask(NODE, {"id": global_id(NodeKind.SIGN_IN, other.sign_in_id)}, token=ann.token)

    assert found["node"] is None


@pytest.mark.parametrize(
    "text",
    ["", "1", "\0", "\ud800", "x" * 23, "é" * 23, "=" * 23, "A" * 100_000, "0" * 22 + "\n", "__8" + "_" * 20],
)
async def test_what_is_no_id_is_nothing(service: Service, text: str) -> None:
    ann = await factories.holder(service)

    assert (await service.ask(NODE, {"id": text}, token=ann.token))["node"] is None


async def test_a_thing_has_one_spelling(service: Service) -> None:
    ann = await factories.holder(service)
    mine = global_id(NodeKind.ACCOUNT, ann.account_id)

    spellings = [mine + "=", mine[:-1] + chr(ord(mine[-1]) + 1), f" {mine}", mine.swapcase()]

    assert (await service.ask(NODES, {"ids": [mine, *spellings]}, token=ann.token))["nodes"] == [
        {"__typename": "Account", "id": mine},
        *[None] * len(spellings),
    ]


async def test_a_key_under_another_kind_is_nothing(service: Service) -> None:
    bob, ids = await everything(service)
    keys = {UUID(int=0)} | {read_uuid(row["id"]) for row in await fetch("select id from payments")}

    data = await service.ask(
        NODES,
        {"ids": [global_id(kind, key) for kind in NodeKind for key in keys if kind is not NodeKind.PAYMENT]},
        token=bob.token,
    )

    assert set(data["nodes"]) == {None}
    assert ids


async def test_at_most_a_hundred_ids_are_asked_for_at_once(service: Service) -> None:
    ids = [global_id(NodeKind.ACCOUNT, uuid7()) for _ in range(101)]

    allowed = await service.run(NODES, {"ids": ids[:100]})
    refused = await service.run(NODES, {"ids": ids})

    assert allowed.errors is None
    assert refused.errors is not None
    assert refused.errors[0].extensions == {"code": "BAD_REQUEST"}
    assert "100" in refused.errors[0].message


async def test_ids_of_nobody_are_nothing_after_the_sign_in_has_expired(service: Service) -> None:
    ann = await factories.holder(service)
    mine = {"id": global_id(NodeKind.ACCOUNT, ann.account_id)}

    await service.advance(timedelta(days=15))

    assert (await service.ask(NODE, mine, token=ann.token))["node"] is None
