"""The calls that the processor's process makes: late, repeated, in another order, and again until they are taken."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import stripe

TIMES = (1, 1, 2, 5)
LATE_SECONDS = (0.0, 0.2)
AGAIN_SECONDS = 0.3


class Calls:
    """Send every event to one of the given doors, signed as Stripe signs; nothing is sent until `begin`."""

    def __init__(self, pick: random.Random, note: Callable[[str, str], None]) -> None:
        self._pick, self._note = pick, note
        self._doors: Sequence[str] = ()
        self._secret = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent = 0

    @property
    def waiting(self) -> int:
        """How many calls were not taken yet."""
        return len(self._tasks)

    def begin(self, doors: Sequence[str], secret: str) -> None:
        """Send from now on."""
        self._doors, self._secret = doors, secret

    def tell(self, kind: str, about: dict[str, Any]) -> None:
        """Send an event as often and as late as the seed has it; copies overtake each other."""
        if not self._doors:
            return
        event = {"id": f"evt_{secrets.token_hex(8)}", "object": "event", "type": kind, "livemode": False}
        body = json.dumps(event | {"data": {"object": about}})
        for _ in range(self._pick.choice(TIMES)):
            task = asyncio.create_task(self._send(body, event["id"], self._pick.uniform(*LATE_SECONDS)))  # type: ignore[arg-type]
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, body: str, event_id: str, after: float) -> None:
        await asyncio.sleep(after)
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            while True:
                header = stripe.WebhookSignature.generate_signature_header(body, self._secret)
                self.sent += 1
                try:
                    answer = await http.post(
                        self._pick.choice(self._doors), content=body, headers={"stripe-signature": header}
                    )
                    self._note(f"TOLD {answer.status_code}", event_id)
                    if answer.is_success:
                        return
                except httpx.TransportError:
                    self._note("TOLD nobody", event_id)
                await asyncio.sleep(AGAIN_SECONDS)
