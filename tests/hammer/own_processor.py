"""The processor's process as its users see it: started, told what to do, killed, and the world that pays through it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from api.adapters.database import read_uuid
from api.adapters.payments_stripe import StripeProcessor
from api.domain.ids import NodeKind, global_id
from api.services.payment_methods import add_method
from tests.hammer.processor import DECLINING
from tests.hammer.world import World, ports_of
from tests.live_servers import ROOT, free_port

START_SECONDS_MAX = 60.0
WEBHOOK_SECRET = "whsec_of_the_hammer"
SECRET_KEY, PUBLISHABLE_KEY = "sk_test_of_the_hammer", "pk_test_of_the_hammer"
PAYMENTS_URL = f"stripe://{SECRET_KEY}?webhook_secret={WEBHOOK_SECRET}&publishable_key={PUBLISHABLE_KEY}"
CARDS = {"tok_visa": "pm_card_visa", "tok_declined": DECLINING, "tok_3ds": "pm_card_mastercard"}


class OwnProcessor:
    """A processor's process; `file` holds its books and its log."""

    def __init__(self, file: Path, seed: str) -> None:
        self.file, self._seed, self._port = file, seed, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "tests.hammer.processor", str(self._port), str(self.file), self._seed]
        self._process = subprocess.Popen(command, cwd=ROOT)
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            assert self._process.poll() is None, "the processor did not start"
            with contextlib.suppress(httpx.HTTPError):
                self.tell()
                return
            time.sleep(0.05)
        raise AssertionError("the processor did not answer")

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def tell(self, **told: Any) -> dict[str, int]:
        """Tell it what to do with the next orders, see its control door; return what it says of its calls."""
        answer = httpx.post(f"{self.url}/control", json=told, timeout=10, trust_env=False)
        answer.raise_for_status()
        found: dict[str, int] = answer.json()
        return found


@contextlib.contextmanager
def own_processor(folder: Path, seed: str) -> Iterator[OwnProcessor]:
    """Run a processor for as long as the block lasts."""
    processor = OwnProcessor(folder / "own-processor.sqlite3", seed)
    try:
        processor.start()
        yield processor
    finally:
        processor.stop()


async def paying_through(world: World, processor: OwnProcessor) -> World:
    """Return the world with cards at this processor in place of the simulated ones."""
    at_stripe = StripeProcessor(SECRET_KEY, WEBHOOK_SECRET, PUBLISHABLE_KEY, processor.url)
    holders = []
    async with ports_of(world.database_url, processor.file, at_stripe) as ports:
        for holder in world.holders:
            cards = {}
            for name, token in CARDS.items():
                row = await add_method(ports, holder.account, token, make_default=False)
                cards[name] = global_id(NodeKind.PAYMENT_METHOD, read_uuid(row["id"]))
            holders.append(holder._replace(cards=cards))
    return world._replace(
        holders=tuple(holders),
        processor_file=processor.file,
        settings={"SANDBOX": "shared", "PAYMENTS_URL": PAYMENTS_URL, "STRIPE_API_BASE": processor.url},
    )
