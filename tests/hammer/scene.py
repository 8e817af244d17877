"""A world without servers: the process of the test is the service, so that use cases meet within it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from api.adapters.database import fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.ids import NodeKind, key_of
from api.domain.payments import PaymentPurpose
from api.services import calls, payments
from api.services.quotes import quote_payment
from tests.hammer.acknowledged import Acknowledged
from tests.hammer.books import read_tables
from tests.hammer.invariants import broken_promises, differences
from tests.hammer.world import Holder, World, ports_of

RATE = Decimal("1.25")
SECONDS_MAX = 60


@dataclass
class Scene:
    """Use cases as one holder and the switch call them."""

    ports: Ports
    world: World
    switch: UUID
    number: int = 0

    @property
    def holder(self) -> Holder:
        return self.world.holders[0]

    def name(self) -> str:
        self.number += 1
        return f"call-{self.number}"

    async def order(self, cents: int) -> payments.Order:
        """Return an order to pay a new quote, under a new key."""
        holder, amount = self.holder, Decimal(cents) / 100
        purpose = PaymentPurpose.FUND_ADVANCE_CONNECT
        quoted = await quote_payment(self.ports, holder.account, purpose, holder.service_key, amount)
        card = key_of(holder.cards["tok_visa"], NodeKind.PAYMENT_METHOD)
        assert card is not None
        return payments.Order(read_uuid(quoted.row["id"]), card, None, self.name())

    async def pay(self, order: payments.Order) -> payments.Paid:
        """Pay an order."""
        return await payments.pay(self.ports, self.holder.account, order)

    async def fund(self, cents: int, copies: int = 1) -> list[payments.Paid]:
        """Pay a quote with one key, `copies` times at once."""
        order = await self.order(cents)
        return await asyncio.gather(*(self.pay(order) for _ in range(copies)))

    async def ask(self, call_id: str, phone: str | None = None) -> calls.CallAnswer:
        ask = calls.Ask(call_id, 0, phone or self.holder.phone, None, RATE)
        return await calls.authorize(self.ports, self.switch, ask)

    async def report(self, call_id: str, seconds: int, phone: str | None = None) -> calls.CallAnswer:
        started_at = self.ports.now() - timedelta(seconds=seconds)
        report = calls.Report(call_id, phone or self.holder.phone, None, started_at, seconds, RATE)
        return await calls.record(self.ports, self.switch, report)

    async def posted_cents(self) -> int:
        row = await fetch_one("select posted from balances where service_account_id = $1", self.holder.service_key)
        assert row is not None
        return int(row["posted"])

    async def differences(self) -> list[str]:
        """Return what is wrong with the books; nothing here publishes, so unpublished events are none of it."""
        tables = await read_tables(self.world.database_url)
        found = differences(tables, self.world.processor_file) + broken_promises(tables, Acknowledged())
        return [difference for difference in found if "never published" not in difference]


@contextlib.asynccontextmanager
async def set_up(world: World, database_url: str | None = None) -> AsyncIterator[Scene]:
    """Yield a scene on a world, reached by another URL where one is given."""
    async with (
        asyncio.timeout(SECONDS_MAX),
        ports_of(database_url or world.database_url, world.processor_file) as ports,
    ):
        switch = await fetch_one("select id from api_keys")
        assert switch is not None
        yield Scene(ports, world, read_uuid(switch["id"]))
