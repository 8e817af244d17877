"""How many SQL statements and transactions the service needs, whatever the number of rows and of readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from tortoise.connection import get_connection

from api.adapters.database import dialect
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import Service
from tests.flows.getting_in import EMAIL, PASSWORD, SIGN_IN, customer
from tests.flows.money import ADD_CARD, PAY, authorize, open_service, pay, quote, record
from tests.flows.paying import SUBSCRIBE
from tests.flows.watching import WATCH, heard, next_change

READ = """{ me { id email balances { posted { amount } } paymentMethods { last4 }
  subscriptions { plan { name facility { name } } paymentMethod { last4 } } } }"""
SERVICES = "{ me { serviceAccounts { id ... on AdvanceConnectAccount { balance { posted { amount } } } } } }"
PAGE = """{ me { payments(first: 50) { edges { node {
  method { last4 } serviceAccount { id } lines { label } } } } } }"""


class Statements:
    """What the database was sent, as its own driver tells."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, statement: Any) -> None:
        """Take down one statement; those that triggers run come as comments and are not counted."""
        text = statement if isinstance(statement, str) else statement.query
        if not text.startswith("--"):
            self.texts.append(text)

    @property
    def transactions(self) -> int:
        """How many were begun."""
        return sum(text.upper().startswith("BEGIN") for text in self.texts)

    @property
    def queries(self) -> list[str]:
        """All that read or write."""
        return [text for text in self.texts if not text.upper().startswith(("BEGIN", "COMMIT", "ROLLBACK"))]


@asynccontextmanager
async def counted() -> AsyncIterator[Statements]:
    """Take down every statement that is sent within the block, on whichever connection."""
    statements = Statements()
    client: Any = get_connection("default")
    if dialect() == "sqlite":
        await client._connection.set_trace_callback(statements.add)
        yield statements
        await client._connection.set_trace_callback(None)
        return
    pool = client._pool
    listened = []

    async def listen(connection: Any) -> None:
        connection.add_query_logger(statements.add)
        listened.append(connection)

    for holder in pool._holders:
        if holder._con is not None:
            await listen(holder._con)
    pool._init = listen
    yield statements
    # The driver tells on the loop's next turn.
    await asyncio.sleep(0)
    pool._init = None
    for connection in listened:
        connection.remove_query_logger(statements.add)


async def with_rows(service: Service, count: int) -> Holder:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(100)
    for n in range(count):
        card = await ann.card()
        await pay(service, ann, await ann.quote(opened, "1.00"), card, str(n))
        await factories.subscription(service, ann.account_id)
    return ann


@pytest.mark.parametrize("rows", [0, 1, 10])
async def test_reading_the_account_takes_four_statements_however_many_rows_there_are(
    service: Service, rows: int
) -> None:
    ann = await with_rows(service, rows)

    async with counted() as statements:
        data = await service.ask(READ, token=ann.token)

    assert len(data["me"]["paymentMethods"]) == len(data["me"]["subscriptions"]) == rows
    assert len(statements.queries) <= 4, statements.queries
    assert statements.transactions == 0


async def test_services_with_their_balances_take_three_statements(service: Service) -> None:
    ann = await with_rows(service, 1)

    async with counted() as statements:
        await service.ask(SERVICES, token=ann.token)

    assert len(statements.queries) <= 3, statements.queries


@pytest.mark.parametrize("rows", [1, 10])
async def test_a_page_takes_as_many_statements_for_ten_rows_as_for_one(service: Service, rows: int) -> None:
    ann = await with_rows(service, rows)

    async with counted() as statements:
        data = await service.ask(PAGE, token=ann.token)

    assert len(data["me"]["payments"]["edges"]) == rows
    assert len(statements.queries) <= 4, statements.queries


async def test_a_mutation_takes_one_transaction_and_two_where_somebody_else_is_asked(service: Service) -> None:
    ann = await factories.holder(service)
    key = await factories.switch_key(service)
    taken = {}

    async def take(name: str, act: Any) -> Any:
        async with counted() as statements:
            result = await act
        taken[name] = statements.transactions
        return result

    opened_id = (await take("openServiceAccount", open_service(service, ann)))["serviceAccount"]["id"]
    opened = Opened(factories.key_of_service(opened_id), "505-555-0100")
    await take("addPaymentMethod", service.ask(ADD_CARD, {"token": "tok_visa"}, token=ann.token))
    quoted = (await take("quotePayment", quote(service, ann, opened)))["quote"]["id"]
    await take("pay", pay(service, ann, quoted, await ann.card()))
    await take("authorizeCall", authorize(service, key, opened.phone))
    await take("recordCall", record(service, key, opened.phone, 60))
    await take("signOut", service.ask("mutation { signOut { accepted } }", token=ann.token))

    assert taken == {
        "openServiceAccount": 2,
        "addPaymentMethod": 2,
        "quotePayment": 1,
        "pay": 2,
        "authorizeCall": 1,
        "recordCall": 1,
        "signOut": 1,
    }


async def test_signing_in_takes_two_transactions(service: Service) -> None:
    await customer(service)

    async with counted() as statements:
        await service.ask(SIGN_IN, {"input": {"email": EMAIL, "password": PASSWORD}})

    assert statements.transactions == 2


@pytest.mark.parametrize(
    "document, variables",
    [
        (PAY, {"quoteId": "x", "paymentMethodId": "x", "idempotencyKey": "x"}),
        (
            SUBSCRIBE,
            {
                "quoteId": "x",
                "paymentMethodId": "x",
                "acceptRenewal": True,
                "agreementVersion": "x",
                "idempotencyKey": "x",
            },
        ),
    ],
)
async def test_an_id_that_is_none_costs_no_transaction(
    service: Service, document: str, variables: dict[str, Any]
) -> None:
    ann = await factories.holder(service)

    async with counted() as statements:
        await service.ask(document, {"input": variables}, token=ann.token)

    assert len(statements.queries) == 1
    assert statements.transactions == 0


@pytest.mark.rule("35")
async def test_a_change_costs_as_many_statements_for_twenty_watchers_as_for_none(service: Service) -> None:
    ann = await factories.holder(service)
    opened = await ann.advance_connect(100)
    async with counted() as alone:
        await factories.fund(service.ports, opened.key, 1)
        await heard(service)

    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(service.watch(WATCH, token=ann.token)) for _ in range(20)]
        for stream in streams:
            await next_change(stream)
        async with counted() as watched:
            await factories.fund(service.ports, opened.key, 1)
            changes = [await next_change(stream) for stream in streams]

    assert {change[0] for change in changes} == {"FUNDED"}
    assert len(watched.queries) == len(alone.queries)


@pytest.mark.rule("35")
async def test_watchers_cost_nothing_while_nothing_of_theirs_changes(service: Service) -> None:
    ann, bob = await factories.holder(service), await factories.holder(service, "bob@mail.test")
    await ann.advance_connect(100)
    opened = await bob.advance_connect(100)
    async with counted() as alone:
        await factories.fund(service.ports, opened.key, 1)
        await heard(service)

    async with AsyncExitStack() as stack:
        for _ in range(20):
            await next_change(await stack.enter_async_context(service.watch(WATCH, token=ann.token)))
        async with counted() as watched:
            await factories.fund(service.ports, opened.key, 1)
            await heard(service)

    assert len(watched.queries) == len(alone.queries)
