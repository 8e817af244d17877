"""Kills at exact moments of a payment whose card is at the processor's own process: it says when it was asked."""

from __future__ import annotations

import asyncio

from tests.hammer.books import read_log
from tests.hammer.own_processor import OwnProcessor
from tests.hammer.points import Points, until_true
from tests.hammer.rounds import Hammer


class OwnPoints(Points):
    """As `Points`; the processor holds its answer back in place of a lock."""

    def __init__(self, hammer: Hammer, number: int) -> None:
        super().__init__(hammer, number)
        assert hammer.processor is not None
        self._processor: OwnProcessor = hammer.processor

    async def before_the_charge(self) -> None:
        """Kill while the order is on its way: the processor never carries it out."""
        await self._kill_while("wait", charged=False)

    async def after_the_charge(self) -> None:
        """Kill once the processor has charged and before it answered: it is credited all the same, once."""
        await self._kill_while("wait_charged", charged=True)

    async def _kill_while(self, mode: str, *, charged: bool) -> None:
        payment = await self._payment()
        before = self._ordered(mode)
        await asyncio.to_thread(self._processor.tell, next=[mode])
        asking = asyncio.create_task(self.operations.ask_to_pay(payment, self.url))

        async def is_ordered() -> bool:
            return self._ordered(mode) > before

        await until_true(is_ordered)
        await self.kill(asking)
        self._expect(await self._found(payment), "PROCESSING", charged=charged)
        await self.operations.settle_payment(payment)

    def _ordered(self, mode: str) -> int:
        return sum(line["act"] == f"ORDERED {mode}" for line in read_log(self._processor.file))
