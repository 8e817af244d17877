"""The card processor's port: what it is asked, what it answers, and how it fails."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from api.domain.payments import DeclineReason


class ChargeStatus(Enum):
    """Where a charge stands at the processor."""

    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"


class Card(NamedTuple):
    """A card on file: what may be shown of it, and the processor's token for charging it."""

    id: str
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int


class Charge(NamedTuple):
    """A charge as the processor has it: `key` is ours, `id` the processor's reference.

    `decline_reason` is set when it was declined; `action_url` while the customer must act.
    """

    key: str
    id: str
    status: ChargeStatus
    amount_cents: int
    decline_reason: DeclineReason | None
    action_url: str | None


class CardRefused(Exception):
    """The processor does not take this card or token; nothing was charged or kept."""

    def __init__(self, reason: DeclineReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class ProcessorUnavailable(Exception):
    """No answer came, so the outcome is unknown: it may have been done. Ask again by the key, never assume."""


class ProcessorConflict(ValueError):
    """The key already stands for another charge; nothing was charged."""


class Processor(Protocol):
    """Keeps cards and charges them. Every call may raise ProcessorUnavailable."""

    @property
    def name(self) -> str:
        """The provider as front ends know it: "simulated"."""
        ...

    async def attach(self, provider_token: str, *, customer: str) -> Card:
        """Keep the card behind a front end's one-time token for a customer, named by an opaque id of ours.

        Raises CardRefused. A repeat keeps a second card with an id of its own, which harms nobody.
        """
        ...

    async def charge(
        self, *, key: str, customer: str, card: str, amount_cents: int, return_url: str | None, at: datetime
    ) -> Charge:
        """Charge a kept card once per key, at product time `at`; a decline is an answer, not an error.

        A repeat with the same key, customer, card and amount returns the same charge as it stands now, charged once.
        Raises ProcessorConflict where the key stands for another charge, CardRefused where the customer has no
        such card, ValueError for an amount that is not positive.
        """
        ...

    async def inquire(self, key: str) -> Charge | None:
        """Return the charge of a key as it stands now; None when the processor never saw the key."""
        ...

    async def abandon(self, key: str) -> Charge | None:
        """Return the charge of a key; where there is none, let no charge of it succeed any more and return None.

        A processor that cannot promise this answers as `inquire` does; a charge under way must have ended by then.
        A repeat is safe.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and files; a repeat is safe."""
        ...


def open_processor(url: str, *, data_dir: Path, public_url: str) -> Processor:
    """Return the processor that PAYMENTS_URL names; it opens its file or connection on first use.

    `simulated://` keeps its file in `data_dir`, `simulated:///absolute/path.sqlite3` where it says.
    Raises ValueError with one line, which never repeats the URL since that may hold a secret key.
    """
    # The simulated one is built of the names above, so it can only be imported once they exist.
    from api.adapters.payments_simulated import SimulatedProcessor

    scheme, _, path = url.partition("://")
    if scheme != "simulated" or (path and not Path(path).is_absolute()) or path.endswith("/"):
        raise ValueError("PAYMENTS_URL must be simulated:// or simulated:///absolute/path.sqlite3")
    return SimulatedProcessor(Path(path) if path else data_dir / "processor.sqlite3", public_url)
