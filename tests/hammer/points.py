"""Kills at exact moments of a payment or a call, found without a hook in the service.

The service waits wherever somebody else holds a lock that it needs: the processor's file, or the balance. So a lock
taken from outside stops it at that moment, its traces on disk tell that it got there, and then it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from tests.hammer.acknowledged import Payment, price_cents
from tests.hammer.books import Row, read_charges, read_tables
from tests.hammer.client import RECORD, NoAnswer
from tests.hammer.outside import somebody_waits
from tests.hammer.rounds import Hammer

WAIT_SECONDS_MAX = 8.0
"""Shorter than the service waits for any lock."""
LOOK_AGAIN_SECONDS = 0.02


class Points:
    """Kills of one process of a hammer's world; what must be true afterwards goes to the hammer's differences."""

    def __init__(self, hammer: Hammer, number: int) -> None:
        self.hammer, self.number = hammer, number
        self.operations, self.world = hammer.operations, hammer.world
        self.url = hammer.fleet.servers[number].url

    async def before_the_charge(self) -> None:
        """Kill once the intent is committed and before the processor is asked: nobody is ever charged for it."""
        payment = await self._payment()
        with locked_file(self.world.processor_file):
            asking = asyncio.create_task(self.operations.ask_to_pay(payment, self.url))
            await self._until(payment, lambda row, charge: row is not None)
            await self.kill(asking)
        self._expect(await self._found(payment), "PROCESSING", charged=False)
        await self.operations.settle_payment(payment)

    async def after_the_charge(self) -> None:
        """Kill once the processor has charged and before that is committed: it is credited all the same, once."""
        payment = await self._payment()
        async with contextlib.AsyncExitStack() as balance:
            with locked_file(self.world.processor_file):
                asking = asyncio.create_task(self.operations.ask_to_pay(payment, self.url))
                await self._until(payment, lambda row, charge: row is not None)
                await balance.enter_async_context(self.locked_balance(payment.holder.service_key))
            await self._until(payment, lambda row, charge: charge is not None)
            await self.kill(asking)
        self._expect(await self._found(payment), "PROCESSING", charged=True)
        await self.operations.settle_payment(payment)

    async def before_the_answer(self) -> None:
        """Kill once the outcome is committed and while nobody listens: the same key then gives that payment."""
        payment = await self._payment()
        with locked_file(self.world.processor_file):
            asking = asyncio.create_task(self.operations.ask_to_pay(payment, self.url))
            await self._until(payment, lambda row, charge: row is not None)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await self._until(payment, lambda row, charge: row is not None and row["status"] == "SUCCEEDED")
        await self.kill(asking)
        await self.operations.settle_payment(payment)
        self._expect(await self._found(payment), "SUCCEEDED", charged=True)
        if payment.fresh or payment.answers[-1][1] != "SUCCEEDED":
            self.hammer.differences.append(f"a lost answer was not replayed: {payment.answers}")

    async def within_a_charge_of_a_call(self) -> None:
        """Kill while a report waits for its balance: nothing of it stays, and the next report charges the call."""
        holder = self.world.holders[0]
        call = self.operations.new_call(holder, "0.14")
        await self.operations.authorize(call, 0)
        report = self.operations.report_of(call, 60)
        async with self.locked_balance(holder.service_key):
            asking = asyncio.create_task(self._report_once(report))
            await until_true(lambda: somebody_waits(self.world.database_url))
            await self.kill(asking)
        await self.operations.report(call, report)
        if call.fresh != 1 or price_cents("0.14", 60) != 14:
            self.hammer.differences.append(f"a report that was cut off left something behind: {call.answers}")

    async def _payment(self) -> Payment:
        await self.hammer.fleet.whole()
        # The holder may have had five declines within the hour.
        await self.hammer.client.sandbox("clock", {"advance": "PT65M"})
        payment = await self.operations.new_payment(self.world.holders[0], "tok_visa")
        assert payment is not None
        return payment

    async def _report_once(self, report: Row) -> None:
        with contextlib.suppress(NoAnswer):
            await self.hammer.client.once(RECORD, {"input": report}, self.world.switch_token, self.url)

    async def kill(self, asking: asyncio.Task[Any]) -> None:
        """Kill the process, and whoever waits for its answer gives up; it is started again meanwhile."""
        self.hammer.fleet.kill(self.number)
        await asyncio.gather(asking, return_exceptions=True)
        self.hammer.fleet.restart_soon()

    async def _found(self, payment: Payment) -> tuple[Row | None, Row | None]:
        """Return the payment of a key and its charge at the processor as they are on disk."""
        tables = await read_tables(self.world.database_url, ("idempotency_keys", "payments"))
        scope = str(payment.holder.account)
        ids = [
            row["result_id"] for row in tables["idempotency_keys"] if (row["scope"], row["key"]) == (scope, payment.key)
        ]
        rows = [row for row in tables["payments"] if row["id"] in ids]
        charges = [charge for charge in read_charges(self.world.processor_file) if charge["key"] in ids]
        return rows[0] if rows else None, charges[0] if charges else None

    async def _until(self, payment: Payment, there: Callable[[Row | None, Row | None], bool]) -> None:
        async def look() -> bool:
            return there(*await self._found(payment))

        await until_true(look)

    def _expect(self, found: tuple[Row | None, Row | None], status: str, *, charged: bool) -> None:
        row, charge = found
        if row is None or row["status"] != status or (charge is not None) != charged:
            self.hammer.differences.append(f"the kill did not hit its point: {row}, {charge}")

    @contextlib.asynccontextmanager
    async def locked_balance(self, service_key: UUID) -> AsyncIterator[None]:
        """Keep everybody else from changing a balance; on SQLite, from writing at all."""
        url = self.world.database_url
        if url.startswith("sqlite://"):
            with locked_file(Path(url.removeprefix("sqlite://"))):
                yield
            return
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await connection.execute(
                    "select id from balances where service_account_id = $1 for update", service_key
                )
                yield
        finally:
            await connection.close()


async def until_true(look: Callable[[], Awaitable[bool]], seconds_max: float = WAIT_SECONDS_MAX) -> None:
    """Wait until this is seen; fail when it takes too long."""
    async with asyncio.timeout(seconds_max):
        while True:
            if await look():
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


@contextlib.contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold a SQLite file's write lock; readers go on."""
    with closing(sqlite3.connect(path, timeout=WAIT_SECONDS_MAX, isolation_level=None)) as file:
        file.execute("begin immediate")
        try:
            yield
        finally:
            file.execute("rollback")
