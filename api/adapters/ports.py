"""The outside world as the services see it: one bundle, made by the composition roots."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.adapters.clock import Clock
from api.adapters.database import Committed
from api.adapters.live import Live
from api.adapters.mail import Mailer
from api.adapters.payments import Processor
from api.adapters.secrets import Secrets
from api.adapters.sms import Texter
from api.domain.sign_ins import Lifetimes


@dataclass
class Ports(Committed):
    """Everything outside of the process and the database, and the few settings that rules speak of."""

    clock: Clock
    live: Live
    mailer: Mailer
    texter: Texter
    processor: Processor
    secrets: Secrets
    public_url: str
    return_urls: tuple[str, ...]
    operator_name: str
    sandbox: bool
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    machine_seconds: Callable[[], float] = time.time
    """Machine time, in seconds since 1970: a phone's codes know nothing of a sandbox's clock."""
    wake_worker: Callable[[], None] = field(default=lambda: None)

    def now(self) -> datetime:
        """Return product time."""
        return self.clock.now()

    def announce(self, events: Sequence[Any]) -> None:
        """Publish committed events, and look at once for work that they made due."""
        self.live.announce([event for event in events if event is not WORK])
        if WORK in events:
            self.wake_worker()


WORK = object()
"""Added as an event by a transaction that made work due."""
