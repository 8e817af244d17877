"""Turns: tries of one account's secrets go one after another, so that right ones at once are not taken for guesses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from api.domain.sign_ins import sign_in_data


class _Queue:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.there = 0


class Turns:
    """Queues of a process, by whose secret is tried; other processes have their own."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def of(self, who: str) -> AsyncIterator[None]:
        """Let the block run once those before it have ended.

        Behind a crowd, or after some seconds, it runs at once: the budget of guesses is what stops anybody, and whoever
        floods an address with tries must not keep its holder waiting here.
        """
        bounds = sign_in_data()
        queue = self._queues.setdefault(who, _Queue())
        queue.there += 1
        has_turn = False
        try:
            if queue.there <= bounds.turns_max:
                with suppress(TimeoutError):
                    async with asyncio.timeout(bounds.turn_wait.total_seconds()):
                        await queue.lock.acquire()
                        has_turn = True
            yield
        finally:
            if has_turn:
                queue.lock.release()
            queue.there -= 1
            if not queue.there:
                del self._queues[who]
