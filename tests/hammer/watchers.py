"""Live sockets that follow balances through kills, and what they must have seen once all is quiet (I10)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import websockets

from tests.hammer.fleet import Fleet
from tests.hammer.world import Holder

QUIET_SECONDS_MAX = 15.0
COME_BACK_SECONDS = 0.2
SUBSCRIBE = """subscription { balanceChanged { cause balance { revision posted { amount } held { amount }
  incoming { amount } } } }"""


def _was_refused(message: dict[str, Any]) -> bool:
    """Tell whether the server said that it cannot serve a stream now."""
    payload = message.get("payload") or []
    errors = payload if isinstance(payload, list) else payload.get("errors") or []
    return bool(errors) and all(error["extensions"]["code"] == "INTERNAL" for error in errors)


class Watcher:
    """One holder's socket; when its process dies it connects to another, as a front end does."""

    def __init__(self, fleet: Fleet, holder: Holder, pick: random.Random) -> None:
        self.holder = holder
        self.connections = 0
        self.updates = 0
        self.last: dict[str, Any] | None = None
        self.differences: list[str] = []
        self._fleet, self._pick = fleet, pick
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException, TimeoutError, EOFError):
                await self._follow(await self._fleet.url(self._pick))

    async def saw(self, revision: int) -> bool:
        """Tell whether this revision arrives in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS_MAX), self._changed:
                await self._changed.wait_for(lambda: self.last is not None and self.last["revision"] >= revision)
        return self.last is not None and self.last["revision"] == revision

    async def _follow(self, url: str) -> None:
        address = url.replace("http://", "ws://") + "/graphql"
        async with websockets.connect(address, subprotocols=["graphql-transport-ws"], open_timeout=10) as socket:  # type: ignore[list-item]
            payload = {"authorization": f"Bearer {self.holder.token}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIBE}}))
            self.connections += 1
            before = -1
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "ping":
                    await socket.send(json.dumps({"type": "pong"}))
                elif before < 0 and _was_refused(message):
                    # It began while the database was away: a front end comes back.
                    await asyncio.sleep(COME_BACK_SECONDS)
                    return
                elif message["type"] == "next":
                    before = await self._take(message["payload"]["data"]["balanceChanged"], before)
                elif message["type"] != "connection_ack":
                    self.differences.append(f"I10: the socket said {message}")
                    return

    async def _take(self, update: dict[str, Any], before: int) -> int:
        balance, first = update["balance"], before < 0
        if first and update["cause"] != "SNAPSHOT":
            self.differences.append(f"I10: the first update is no snapshot: {update}")
        if balance["revision"] <= before:
            self.differences.append(f"I10: revision {balance['revision']} came after {before}")
        if first and self.last is not None and balance["revision"] < self.last["revision"]:
            self.differences.append(f"I10: {balance['revision']} was read after {self.last['revision']} was seen")
        async with self._changed:
            self.last = balance
            self.updates += 1
            self._changed.notify_all()
        return int(balance["revision"])


@contextlib.asynccontextmanager
async def watching(fleet: Fleet, holders: Sequence[Holder], pick: random.Random) -> AsyncIterator[list[Watcher]]:
    """Yield a watcher for each of these holders, following for as long as the block lasts."""
    watchers = [Watcher(fleet, holder, pick) for holder in holders]
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
    try:
        yield watchers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
