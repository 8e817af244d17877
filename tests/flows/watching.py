"""What the flows that follow balances live share."""

from __future__ import annotations

import asyncio
from uuid import UUID

from api.adapters import broadcast
from api.adapters.live import CHANNEL, Event
from tests import factories
from tests.factories import Holder, Opened
from tests.flows.conftest import SECONDS_MAX, Service, Stream
from tests.flows.money import BALANCE

WATCH = f"""subscription($id: ID) {{ balanceChanged(serviceAccountId: $id) {{
  cause at transaction {{ kind amount {{ amount }} }} balance {{ serviceAccountId {BALANCE} }} }} }}"""


async def next_change(stream: Stream) -> tuple[str, int, str]:
    """Return the next change's cause, revision and posted amount."""
    update = (await stream.next())["balanceChanged"]
    return update["cause"], update["balance"]["revision"], update["balance"]["posted"]["amount"]


async def heard(service: Service) -> None:
    """Return once what was announced until now has reached the mailboxes."""
    nobody = UUID(int=0)
    with service.ports.live.watch(nobody) as watcher:
        service.ports.live.announce([Event(UUID(int=1), nobody, "end", {})])
        await watcher.next(SECONDS_MAX)


async def until_watched(service: Service, count: int = 1) -> None:
    """Return once so many watchers are registered; that is told to nobody, so the loop is turned until it is so."""
    async with asyncio.timeout(SECONDS_MAX):
        while service.ports.live.watcher_count < count:  # noqa: ASYNC110
            await asyncio.sleep(0)


def lose_something(service: Service) -> None:
    """Have the process told what a broken link tells it: something may have been missed."""
    for mailbox in service.ports.live.broadcast._mailboxes[CHANNEL]:
        mailbox.put_nowait(broadcast.Event(CHANNEL, broadcast.GAP))


async def prepaid(service: Service) -> tuple[Holder, Opened]:
    ann = await factories.holder(service)
    return ann, await ann.advance_connect(1_000)
