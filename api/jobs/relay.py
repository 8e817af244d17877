"""The outbox relay: notes what this process published, publishes what stayed behind, and drops what is old."""

from __future__ import annotations

import asyncio

import structlog

from api.adapters.database import DatabaseUnavailable
from api.adapters.ports import Ports
from api.auth import limits
from api.services import challenges, email_changes, inbound_texts, outbox, recovery, sign_ups, used_emails

MARK_EVERY_SECONDS = 0.5
SWEEP_EVERY = 4
PRUNE_EVERY = 7_200

_log = structlog.get_logger("api.relay")


async def relay(ports: Ports) -> None:
    """Work until cancelled; every serving process has one, since each of them publishes."""
    rounds = 0
    while True:
        await asyncio.sleep(MARK_EVERY_SECONDS)
        rounds += 1
        try:
            await outbox.mark_published(ports)
            if rounds % SWEEP_EVERY == 0:
                await outbox.sweep(ports)
            if rounds % PRUNE_EVERY == 0:
                await outbox.prune()
                await used_emails.keep_key(ports)
                await limits.prune(ports.now())
                await sign_ups.prune(ports.now())
                await challenges.prune(ports.now())
                await recovery.prune(ports.now())
                await email_changes.prune(ports.now())
                await inbound_texts.prune(ports.now())
        except DatabaseUnavailable:
            _log.warning("the database did not answer")
        except Exception:
            _log.exception("relaying the outbox failed")
