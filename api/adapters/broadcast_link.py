"""Keep the listening connection to a pub/sub server alive, and tell of every gap in what it heard."""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from broadcaster import BroadcastBackend, Event

log = logging.getLogger(__name__)

GAP = "\x00gap"
"""The message of an event that says: something may have been missed, read the state again."""

CONNECT_SECONDS_MAX = 4.5
REOPEN_SECONDS_MAX = 3.0
PUBLISH_SECONDS_MAX = 2.5
# A probe every 1.5 s that must be answered within 2 s finds a silently dead connection in 3.5 s.
PROBE_SECONDS = 1.5
ANSWER_SECONDS_MAX = 2.0
BACKOFF_SECONDS_MIN = 0.05
BACKOFF_SECONDS_MAX = 2.0

_jitter = random.SystemRandom()


class BroadcastUnavailable(Exception):
    """The pub/sub server did not take a message, or could not be reached at the start."""


class Mailbox(asyncio.Queue[Event | None]):
    """Queue events for one reader who may be slow; None means that no more will come.

    When `capacity` events wait, they are all replaced by one gap for each channel among them: a reader who is that late
    is served better by the state itself.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity

    def offer(self, event: Event) -> None:
        if self.qsize() < self._capacity:
            self.put_nowait(event)
            return
        channels = {event.channel}
        while not self.empty():
            queued = self.get_nowait()
            if queued is not None:
                channels.add(queued.channel)
        for channel in sorted(channels):
            self.put_nowait(Event(channel, GAP))


class Backend(BroadcastBackend, ABC):
    """Add batches and health to what broadcaster asks of a backend."""

    @property
    @abstractmethod
    def healthy(self) -> bool: ...

    @abstractmethod
    async def publish_many(self, channel: str, messages: Sequence[str]) -> None: ...

    async def publish(self, channel: str, message: str) -> None:
        await self.publish_many(channel, [message])


class LinkBackend(Backend):
    """Listen on one supervised connection and publish through a pool.

    The supervisor probes the connection, opens it anew when it is lost, for ever until `disconnect`, and then puts a
    gap on every channel. A subscription made meanwhile is kept and takes effect, with its gap, on the reconnect.
    Subclasses speak the server's language in the abstract methods; they call `_hear` for an event and `_lose` when
    they learn that the connection is gone.
    """

    errors: ClassVar[tuple[type[Exception], ...]]
    """What the driver raises when the server is away, refuses or is late."""

    def __init__(self, url: str, capacity: int) -> None:
        self._url = url
        self._inbox = Mailbox(capacity)
        self._channels: set[str] = set()
        # One request at a time on the listening connection: subscribing, probing, opening.
        self._wire = asyncio.Lock()
        self._up = False
        self._lost: asyncio.Future[Exception] | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @abstractmethod
    async def _open_publisher(self) -> None: ...

    @abstractmethod
    async def _close_publisher(self) -> None: ...

    @abstractmethod
    async def _send(self, channel: str, messages: Sequence[str]) -> None:
        """Publish the messages in one round trip."""

    @abstractmethod
    async def _open(self, channels: Sequence[str]) -> None:
        """Open the listening connection; return when the server has confirmed every channel."""

    @abstractmethod
    async def _shut(self) -> None:
        """Drop the listening connection, if any, without waiting for the server and without raising."""

    @abstractmethod
    async def _read(self) -> None:
        """Take in what the server sends, until cancelled or until the connection fails."""

    @abstractmethod
    async def _ping(self) -> None:
        """Return when the server has answered on the listening connection."""

    @abstractmethod
    async def _listen(self, channel: str) -> None:
        """Return when the server has confirmed the channel."""

    @abstractmethod
    async def _unlisten(self, channel: str) -> None: ...

    @property
    def healthy(self) -> bool:
        return self._up

    async def connect(self) -> None:
        """Reach the server, or raise BroadcastUnavailable at the first failure and after 5 s at most."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await self._open_publisher()
                await self._establish()
        except BaseException as error:
            await self.disconnect()
            if isinstance(error, ValueError):
                # A malformed URL: the parser quotes pieces of it, and one may be the password.
                raise BroadcastUnavailable(f"{without_secrets(self._url)}: the URL is malformed") from None
            if isinstance(error, Exception):
                raise self._unavailable(error) from error
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="broadcast supervisor")

    async def disconnect(self) -> None:
        self._up = False
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        await self._shut()
        await self._close_publisher()

    async def subscribe(self, channel: str) -> None:
        """Return when the server has confirmed the channel, or at once while the connection is down."""
        await self._request(channel, wanted=True)

    async def unsubscribe(self, channel: str) -> None:
        await self._request(channel, wanted=False)

    async def publish_many(self, channel: str, messages: Sequence[str]) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                await self._send(channel, messages)
        except self.errors as error:
            raise self._unavailable(error) from error

    async def next_published(self) -> Event:
        while True:
            event = await self._inbox.get()
            if event is not None:
                return event

    def _hear(self, channel: str, message: str) -> None:
        self._inbox.offer(Event(channel, message))

    def _lose(self, cause: Exception) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(cause)

    def _unavailable(self, error: Exception) -> BroadcastUnavailable:
        return BroadcastUnavailable(f"{without_secrets(self._url)}: {type(error).__name__}: {error}")

    async def _request(self, channel: str, *, wanted: bool) -> None:
        async with self._wire:
            (self._channels.add if wanted else self._channels.discard)(channel)
            if not self._up:
                return
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    await (self._listen(channel) if wanted else self._unlisten(channel))
            except self.errors as error:
                self._lose(error)

    async def _establish(self) -> None:
        async with self._wire:
            self._lost = asyncio.get_running_loop().create_future()
            await self._open(sorted(self._channels))
            self._up = True

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        delay_seconds = BACKOFF_SECONDS_MIN
        opened_at = loop.time()
        while True:
            cause = await self._until_lost()
            self._up = False
            log.warning("the link to %s is lost: %r", without_secrets(self._url), cause)
            await self._shut()
            # A link that is accepted and dropped at once, as by a proxy without its server, goes on backing off.
            if loop.time() - opened_at > BACKOFF_SECONDS_MAX:
                delay_seconds = BACKOFF_SECONDS_MIN
            delay_seconds = await self._reopen(delay_seconds)
            opened_at = loop.time()
            log.warning("the link to %s is up again", without_secrets(self._url))
            for channel in sorted(self._channels):
                self._hear(channel, GAP)

    async def _reopen(self, delay_seconds: float) -> float:
        while True:
            await asyncio.sleep(_jitter.uniform(delay_seconds / 2, delay_seconds))
            delay_seconds = min(2 * delay_seconds, BACKOFF_SECONDS_MAX)
            try:
                async with asyncio.timeout(REOPEN_SECONDS_MAX):
                    await self._establish()
                return delay_seconds
            # Whatever the reason, giving up would leave every reader waiting for ever.
            except Exception as error:
                log.info("the link to %s is still down: %r", without_secrets(self._url), error)
                await self._shut()

    async def _until_lost(self) -> BaseException | None:
        workers = [asyncio.create_task(work) for work in (self._read(), self._probe(), self._raise_when_lost())]
        try:
            done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).exception()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _raise_when_lost(self) -> None:
        assert self._lost is not None
        raise await self._lost

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            async with self._wire, asyncio.timeout(ANSWER_SECONDS_MAX):
                await self._ping()


def without_secrets(url: str) -> str:
    """Return scheme, host and path alone: user and password stand before the last @, more may stand in the query."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
