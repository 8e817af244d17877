"""Live delivery inside a process: events come from the broadcast once and go to the watchers of their account.

Every process hears one channel. A watcher registers first, then reads the state, then follows; so no change between
the two is missed. An event names its account's number and carries the whole new state, never a difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from api.adapters.broadcast import GAP, Broadcast, BroadcastUnavailable
from api.adapters.sockets import Sockets

CHANNEL = "events"
MAILBOX_MAX = 64
"""Events that wait for one watcher; past that it is told to read the state anew, and loses nothing by it."""
OUTGOING_MAX = 10_000
"""Events that wait to be published; past that they are left to the outbox."""

_log = structlog.get_logger("api.live")


class Event(NamedTuple):
    """What the watchers of an account are told; `body` is JSON."""

    id: UUID
    account_id: UUID
    kind: str
    body: dict[str, Any]

    def message(self) -> str:
        """Return the event as text for the broadcast."""
        return json.dumps({"id": str(self.id), "account": str(self.account_id), "kind": self.kind, **self.body})


class WatcherEnded(Exception):
    """The watcher's sign-in has ended, or the process is going down."""


class Watcher:
    """One reader's bounded mailbox. `None` among its items means: read the state anew, something was lost."""

    def __init__(self, sign_in_id: UUID | None) -> None:
        self.sign_in_id = sign_in_id
        self._items: deque[dict[str, Any] | None] = deque()
        self._arrived = asyncio.Event()
        self._ended = False

    def put(self, item: dict[str, Any] | None) -> None:
        """Leave an event. A reader that is too slow finds one request to read anew instead of a growing queue."""
        if self._ended:
            return
        if item is None or len(self._items) >= MAILBOX_MAX:
            self._items.clear()
            item = None
        self._items.append(item)
        self._arrived.set()

    def end(self) -> None:
        """Make the reader stop once it has read what came before; what comes later is dropped."""
        self._ended = True
        self._arrived.set()

    async def next(self, timeout_seconds: float | None = None) -> dict[str, Any] | None:
        """Return the next event or None; raises TimeoutError, and WatcherEnded when there is nobody to tell."""
        while not self._items and not self._ended:
            self._arrived.clear()
            async with asyncio.timeout(timeout_seconds):
                await self._arrived.wait()
        if not self._items:
            raise WatcherEnded
        return self._items.popleft()


class Live:
    """The process's ear on the broadcast, its watchers, and the events that still have to be published."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self.published: deque[UUID] = deque(maxlen=100_000)
        self._outgoing: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._watchers: dict[str, set[Watcher]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.sockets = Sockets()
        self.gaps = 0
        """How often messages may have been lost, ends of sign-ins among them."""

    async def start(self) -> None:
        """Begin to hear and to publish; returns once events arrive."""
        await self.broadcast.connect()
        hearing = asyncio.Event()
        self._tasks = [asyncio.create_task(self._hear(hearing)), asyncio.create_task(self._publish())]
        async with asyncio.timeout(10):
            await hearing.wait()

    async def stop(self) -> None:
        """End every watcher and let go of the broadcast."""
        for watchers in list(self._watchers.values()):
            for watcher in list(watchers):
                watcher.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.broadcast.disconnect()

    def announce(self, events: Sequence[Event]) -> None:
        """Publish committed events soon. Those that cannot be stay in the outbox, which the relay sweeps."""
        if len(self._outgoing) + len(events) <= OUTGOING_MAX:
            self._outgoing.extend(events)
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        """True when nothing waits to be published."""
        return not self._outgoing

    @contextmanager
    def watch(self, account_id: UUID, sign_in_id: UUID | None = None) -> Iterator[Watcher]:
        """Register a watcher of an account's events for as long as the block lasts."""
        watcher = Watcher(sign_in_id)
        watchers = self._watchers.setdefault(str(account_id), set())
        watchers.add(watcher)
        try:
            yield watcher
        finally:
            watchers.discard(watcher)
            if not watchers and self._watchers.get(str(account_id)) is watchers:
                del self._watchers[str(account_id)]

    def sign_ins(self) -> set[UUID]:
        """Return the sign-ins that have an open socket or stream in this process."""
        watchers = {watcher for watchers in self._watchers.values() for watcher in watchers}
        return self.sockets.sign_ins() | {watcher.sign_in_id for watcher in watchers if watcher.sign_in_id}

    def end_sign_in(self, sign_in_id: UUID) -> None:
        """End what one sign-in has open in this process; a repeat changes nothing."""
        for watcher in [watcher for watchers in self._watchers.values() for watcher in watchers]:
            if watcher.sign_in_id == sign_in_id:
                watcher.end()
        self.sockets.end_sign_in(sign_in_id)

    @property
    def watcher_count(self) -> int:
        """How many readers there are, for the tests and the metrics."""
        return sum(len(watchers) for watchers in self._watchers.values())

    async def _publish(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outgoing:
                batch = [self._outgoing.popleft() for _ in range(min(len(self._outgoing), 200))]
                try:
                    await self.broadcast.publish_many(CHANNEL, [event.message() for event in batch])
                except (BroadcastUnavailable, ValueError) as error:
                    _log.warning("events stay in the outbox", count=len(batch), reason=str(error))
                else:
                    self.published.extend(event.id for event in batch)

    async def _hear(self, hearing: asyncio.Event) -> None:
        async with self.broadcast.subscribe(CHANNEL) as subscription:
            hearing.set()
            while True:
                event = await subscription.get()
                try:
                    if event.message == GAP:
                        self._tell_everybody()
                    else:
                        self._tell(event.message)
                except Exception:
                    # One event that cannot be read must not make this process deaf to all that follow.
                    _log.exception("an event could not be told")

    def _tell_everybody(self) -> None:
        self.gaps += 1
        for watchers in list(self._watchers.values()):
            for watcher in watchers:
                watcher.put(None)

    def _tell(self, message: str) -> None:
        event = None
        with contextlib.suppress(ValueError):
            event = json.loads(message)
        if not isinstance(event, dict):
            _log.warning("a message on the channel is not an event")
            return
        if event.get("kind") == "sign_in_ended":
            self._end(event)
            return
        for watcher in list(self._watchers.get(event.get("account", ""), ())):
            watcher.put(event)

    def _end(self, event: dict[str, Any]) -> None:
        """End one sign-in ("sign_in"), or with None all of the owner's but the one that is spared ("spared")."""
        owner_id, spared = UUID(event["account"]), event.get("spared")
        if event["sign_in"] is not None:
            self.end_sign_in(UUID(event["sign_in"]))
            return
        for watcher in list(self._watchers.get(event["account"], ())):
            # Who watches by a receipt has no sign-in that could end.
            if watcher.sign_in_id is not None and str(watcher.sign_in_id) != spared:
                watcher.end()
        self.sockets.end_owner(owner_id, spared=UUID(spared) if spared else None)
