"""The card processor's port: what it is asked, what it answers, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class CardSetup(NamedTuple):
    """What the processor's own form needs to take a card: `client_secret` is for this customer and this once.

    `publishable_key` is None where the form needs none.
    """

    client_secret: str
    publishable_key: str | None


class RefundStatus(Enum):
    """Where a refund stands at the processor."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    REFUSED = "REFUSED"


class Refund(NamedTuple):
    """A refund as the processor has it: `key` is ours, `id` and `charge` the processor's references."""

    key: str
    id: str
    charge: str
    status: RefundStatus
    amount_cents: int


class DisputeStatus(Enum):
    """Where a chargeback stands at the processor. Its money is away while it is open and once it is lost."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class Dispute(NamedTuple):
    """A chargeback as the processor has it: `charge_key` is the key of its charge, None where that was not ours."""

    id: str
    charge_key: str | None
    amount_cents: int
    status: DisputeStatus
    opened_at: datetime


class Subject(Enum):
    """What an event of the processor is about. OTHER: nothing that is ours, to be kept and left alone."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"
    OTHER = "OTHER"


class Event(NamedTuple):
    """What a webhook tells: that something changed, never how, since the processor is asked for that.

    `id` is the same each time it is sent. `reference` is our key of a charge or refund, the processor's of a dispute;
    empty for OTHER.
    """

    id: str
    kind: str
    subject: Subject
    reference: str


class MovementKind(Enum):
    """Why money moved at the processor."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


class Movement(NamedTuple):
    """Money that moved at the processor, to be compared with the ledger: `cents` is what it still stands for, below
    zero where money left. `key` is ours, of a dispute the processor's."""

    kind: MovementKind
    key: str
    cents: int
    at: datetime


class WebhookRefused(Exception):
    """The call is not the processor's, is for another merchant, or is too old; one line that repeats no secret."""


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

    @property
    def publishable_key(self) -> str:
        """What a front end's own form of the processor needs to know; empty where it needs nothing."""
        ...

    async def set_up(self, *, customer: str) -> CardSetup:
        """Open the processor's own form for a customer, named by an opaque id of ours.

        A repeat opens another one, which harms nobody.
        """
        ...

    async def attach(self, provider_token: str, *, customer: str) -> Card:
        """Keep the card behind a front end's one-time token for a customer, named by an opaque id of ours.

        Raises CardRefused. A repeat keeps the same card, or a second one with an id of its own, which harms nobody.
        """
        ...

    async def charge(
        self, *, key: str, customer: str, card: str, amount_cents: int, return_url: str | None, at: datetime
    ) -> Charge:
        """Charge a kept card once per key, at product time `at`; a decline is an answer, not an error.

        `key` is a UUID of version 7, made just before. Without a `return_url` nobody is there to act, so that a
        processor may decline with AUTHENTICATION_REQUIRED instead of asking for it.
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

        A charge under way must have ended by then. A repeat is safe.
        """
        ...

    async def cancel(self, key: str) -> Charge | None:
        """End a charge that still waits for its customer, DECLINED for AUTHENTICATION_REQUIRED; return it.

        Any other is returned as it stands, None where there is none. A repeat is safe.
        """
        ...

    async def refund(self, *, key: str, charge: str, amount_cents: int, at: datetime) -> Refund:
        """Give back a part of a charge, by the processor's reference of it, once per key, at product time `at`.

        More than is left of the charge is REFUSED, as is what the card's bank does not take. A repeat returns the
        refund as it stands. Raises ProcessorConflict where the key stands for another refund.
        """
        ...

    async def inquire_refund(self, key: str, *, charge: str, at: datetime) -> Refund | None:
        """Return the refund of a key as it stands at product time `at`; None when the processor never saw the key."""
        ...

    async def dispute(self, reference: str) -> Dispute | None:
        """Return a chargeback by the processor's reference of it, as it stands now; None when there is none."""
        ...

    async def disputes_of(self, key: str, *, charge: str) -> Sequence[Dispute]:
        """Return the chargebacks of a charge, by our key and the processor's reference of it; those the bank only asks
        about are left out."""
        ...

    async def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return what a signed call tells; `headers` by lower-case names. The signature binds the body and its time.

        Raises WebhookRefused where it is not the processor's, or is older than five minutes by machine time.
        """
        ...

    async def movements(self, since: datetime, until: datetime) -> Sequence[Movement]:
        """Return the money that moved at the processor from `since` until before `until`, by its own time.

        A movement whose key is not ours is left out. Raises ProcessorUnavailable also where there are too many.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and files; a repeat is safe."""
        ...


def open_processor(url: str, *, data_dir: Path, public_url: str, api_base: str = "") -> Processor:
    """Return the processor that PAYMENTS_URL names; it opens its file or connection on first use.

    `simulated://` keeps its file in `data_dir`, `simulated:///absolute/path.sqlite3` where it says.
    `stripe://SECRET_KEY?webhook_secret=…&publishable_key=…` is Stripe, reached at `api_base` where that is not empty.
    Raises ValueError with one line, which never repeats the URL since that may hold a secret key.
    """
    scheme, _, path = url.partition("://")
    # Both are built of the names above, so they can only be imported once they exist; Stripe's SDK loads for long.
    if scheme == "stripe":
        from api.adapters.payments_stripe_keys import keys_of

        keys = keys_of(url)
        from api.adapters.payments_stripe import StripeProcessor

        return StripeProcessor(*keys, api_base)
    from api.adapters.payments_simulated import SimulatedProcessor

    if scheme != "simulated" or (path and not Path(path).is_absolute()) or path.endswith("/"):
        raise ValueError("PAYMENTS_URL must be stripe://… or simulated:// or simulated:///absolute/path.sqlite3")
    return SimulatedProcessor(Path(path) if path else data_dir / "processor.sqlite3", public_url)
