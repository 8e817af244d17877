"""Ends the sockets and streams of sign-ins that ran out, and of those whose end this process was not told of."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

import structlog

from api.adapters.database import DatabaseUnavailable
from api.adapters.ports import Ports
from api.auth.sign_ins import follow_sandbox_clock, lasting

LOOK_EVERY_SECONDS = 1.0
LOOK_AT_ALL_EVERY = 10
"""Rounds after which every open one is read again, in case a message was lost on its way."""
READ_MAX = 500

_log = structlog.get_logger("api.open_sockets")


class OpenSockets:
    """Remembers until when each sign-in lasts unless it is used again, so that few of them are read each second."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._until: dict[UUID, datetime] = {}
        self._gaps = 0

    async def look(self, *, at_all: bool = False) -> None:
        """End what is over. A sign-in that has just come is read at once: it may have ended before it was known."""
        live = self._ports.live
        # After a gap in the broadcast nobody knows which ends went by.
        at_all, self._gaps = at_all or live.gaps != self._gaps, live.gaps
        open_ones = live.sign_ins()
        if not open_ones:
            self._until.clear()
            return
        await follow_sandbox_clock(self._ports)
        now = self._ports.now()
        due = [key for key in open_ones if at_all or self._until.get(key, now) <= now]
        self._until = {key: until for key, until in self._until.items() if key in open_ones}
        for start in range(0, len(due), READ_MAX):
            part = due[start : start + READ_MAX]
            until = await lasting(self._ports, part)
            self._until |= until
            for key in part:
                if key not in until:
                    live.end_sign_in(key)


async def watch_open_sockets(ports: Ports) -> None:
    """Look each second until cancelled; every serving process has one."""
    sockets, rounds = OpenSockets(ports), 0
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        rounds += 1
        try:
            await sockets.look(at_all=rounds % LOOK_AT_ALL_EVERY == 0)
        except DatabaseUnavailable:
            _log.warning("the database did not answer")
        except Exception:
            _log.exception("looking for sign-ins that ran out failed")
