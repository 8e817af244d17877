"""Tell every process of what happened: the pub/sub port, in memory, over Redis or over PostgreSQL.

Delivery is at most once and every loss is told: a reader that meets a GAP reads the state again. The product uses one
channel per group of processes; a hub within each process fans out to its watchers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

import broadcaster
from broadcaster import Event
from broadcaster._base import Subscriber, Unsubscribed

from api.adapters.broadcast_link import GAP, Backend, BroadcastUnavailable, Mailbox, without_secrets

__all__ = ["GAP", "Broadcast", "BroadcastUnavailable", "Event", "Subscription", "Unsubscribed", "open_broadcast"]

CAPACITY = 10_000
MESSAGE_BYTES_MAX = 65_536
# PostgreSQL's names are that long at most, and every backend keeps the same contract.
CHANNEL_BYTES_MAX = 63


class Subscription(Subscriber):
    """Read the events of one channel, with `get` or `async for`; both end on `disconnect`."""

    async def get(self) -> Event:
        """Return the next event; raise Unsubscribed when no more will come."""
        event = await self._queue.get()
        if event is None:
            # The end stays where it is, for whoever asks again.
            self._queue.put_nowait(None)
            raise Unsubscribed
        return event

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        try:
            while True:
                yield await self.get()
        except Unsubscribed:
            return


class Broadcast(broadcaster.Broadcast):
    """Publish and subscribe through a backend, with a bounded mailbox for every subscription.

    broadcaster's own class lets queues grow without bound, loses all but one of several simultaneous first
    subscribers, and leaves its readers waiting after a disconnect.
    """

    _backend: Backend

    def __init__(self, backend: Backend, capacity: int = CAPACITY) -> None:
        super().__init__(backend=backend)
        self._capacity = capacity
        self._mailboxes: dict[str, set[Mailbox]] = {}
        self._registering = asyncio.Lock()
        self._deliverer: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Say whether events arrive at present; a silently dead connection is noticed within 5 s."""
        return self._backend.healthy and self._deliverer is not None and not self._deliverer.done()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def connect(self) -> None:
        """Reach the server; raise BroadcastUnavailable within 5 s when it is not there."""
        await self._backend.connect()
        self._deliverer = asyncio.create_task(self._deliver(), name="broadcast deliverer")

    async def disconnect(self) -> None:
        """End every subscription and leave no task; a repeat changes nothing."""
        if self._deliverer is not None:
            self._deliverer.cancel()
            await asyncio.gather(self._deliverer, return_exceptions=True)
            self._deliverer = None
        for mailboxes in self._mailboxes.values():
            for mailbox in mailboxes:
                mailbox.put_nowait(None)
        await self._backend.disconnect()

    async def publish(self, channel: str, message: str) -> None:
        """Publish one message; see `publish_many`."""
        await self.publish_many(channel, [message])

    async def publish_many(self, channel: str, messages: Sequence[str]) -> None:
        """Publish the messages in order and in one round trip.

        A message has at most 64 KiB of UTF-8 and no NUL, else ValueError. BroadcastUnavailable comes within 3 s and
        leaves it unknown which messages went out: publishing them again is safe where events may come twice.
        """
        _refuse_bad_channel(channel)
        for message in messages:
            if "\x00" in message or len(message.encode()) > MESSAGE_BYTES_MAX:
                raise ValueError(f"a message has at most {MESSAGE_BYTES_MAX} bytes and no NUL")
        if messages:
            await self._backend.publish_many(channel, messages)

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncIterator[Subscription]:
        """Subscribe to a channel; whatever is published from now on arrives, or a GAP in its place.

        While the server is away this returns at once, and the first event is the GAP of the reconnect.
        """
        _refuse_bad_channel(channel)
        mailbox = Mailbox(self._capacity)
        try:
            async with self._registering:
                first = channel not in self._mailboxes
                self._mailboxes.setdefault(channel, set()).add(mailbox)
                if first:
                    await self._backend.subscribe(channel)
            yield Subscription(mailbox)
        finally:
            mailbox.put_nowait(None)
            await self._leave(channel, mailbox)

    async def _leave(self, channel: str, mailbox: Mailbox) -> None:
        # Leaving needs no lock and so survives a second cancellation; at worst the server goes on sending in vain.
        remaining = self._mailboxes.get(channel, set())
        remaining.discard(mailbox)
        if not remaining:
            self._mailboxes.pop(channel, None)
        async with self._registering:
            if channel not in self._mailboxes:
                await self._backend.unsubscribe(channel)

    async def _deliver(self) -> None:
        while True:
            event = await self._backend.next_published()
            for mailbox in self._mailboxes.get(event.channel, ()):
                mailbox.offer(event)


class MemoryBackend(Backend):
    """Carry events within this process alone."""

    def __init__(self, capacity: int) -> None:
        self._inbox = Mailbox(capacity)
        self._channels: set[str] = set()
        self._up = False

    @property
    def healthy(self) -> bool:
        return self._up

    async def connect(self) -> None:
        self._up = True

    async def disconnect(self) -> None:
        self._up = False

    async def subscribe(self, channel: str) -> None:
        self._channels.add(channel)

    async def unsubscribe(self, channel: str) -> None:
        self._channels.discard(channel)

    async def publish_many(self, channel: str, messages: Sequence[str]) -> None:
        if not self._up:
            raise BroadcastUnavailable("memory: not connected")
        if channel in self._channels:
            for message in messages:
                self._inbox.offer(Event(channel, message))

    async def next_published(self) -> Event:
        while True:
            event = await self._inbox.get()
            if event is not None:
                return event


def open_broadcast(url: str, capacity: int = CAPACITY) -> Broadcast:
    """Return the port for memory://, redis://, rediss://, postgres:// or postgresql://, not yet connected.

    `capacity` bounds the events that wait for one reader. A PostgreSQL URL is one of the driver's: settings of the
    ORM's pool in its query are refused by the server. Another scheme raises ValueError.
    """
    scheme = url.partition("://")[0]
    # The drivers are imported where they are used: a process in memory mode does without both.
    if scheme == "memory":
        return Broadcast(MemoryBackend(capacity), capacity)
    if scheme in ("redis", "rediss"):
        from api.adapters.broadcast_redis import RedisBackend

        return Broadcast(RedisBackend(url, capacity), capacity)
    if scheme in ("postgres", "postgresql"):
        from api.adapters.broadcast_postgres import PostgresBackend

        return Broadcast(PostgresBackend(url, capacity), capacity)
    raise ValueError(f"no pub/sub over {without_secrets(url)}")


def _refuse_bad_channel(name: str) -> None:
    if not 0 < len(name.encode()) <= CHANNEL_BYTES_MAX or "\x00" in name:
        raise ValueError(f"a channel's name has 1 to {CHANNEL_BYTES_MAX} bytes and no NUL")
