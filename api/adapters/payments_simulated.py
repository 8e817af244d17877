"""A card processor for the sandbox and for tests.

It is an outside party on purpose: its books are not the product's database, so whatever the product forgets or does
twice shows when the two are compared.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar, get_args

from api.adapters.payments import (
    Card,
    CardSetup,
    Charge,
    Dispute,
    DisputeStatus,
    Event,
    Movement,
    ProcessorUnavailable,
    Refund,
    Subject,
    WebhookRefused,
)
from api.adapters.payments_simulated_books import Books, Order
from api.adapters.payments_simulated_file import Behaviour, ChargeBehaviour, LogEntry, RefundBehaviour, Webhook
from api.adapters.payments_simulated_reversals import Reversals
from api.adapters.signatures import BadSignature, sign, verify

T = TypeVar("T")
SIGNATURE_HEADER = "webhook-signature"
SENT_AT_ONCE = 20
LOOK_EVERY_SECONDS = 1.0
MOVEMENTS_MAX = 50_000

Send = Callable[[bytes, Mapping[str, str]], Awaitable[int]]
"""Makes a call with a body and headers; returns the answer's status."""


class SimulatedProcessor:
    """Act as a card processor does, by sandbox tokens and by the behaviour that was set from outside."""

    name = "simulated"
    publishable_key = ""

    def __init__(self, path: Path, public_url: str, answer_delay_seconds: float = 0.0) -> None:
        """Prepare; the file is opened on first use, and made where there is none.

        `answer_delay_seconds` lies between a committed charge and its answer, as on a slow network.
        """
        self.path = path
        self._public_url = public_url
        self._answer_delay_seconds = answer_delay_seconds
        self._books: Reversals | None = None
        # SQLite blocks, so it gets a thread; a single one, so that its connection needs no lock.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="simulated-processor")

    async def set_up(self, *, customer: str) -> CardSetup:
        """Return a secret for a form that the sandbox does not have: its tokens are given to attach as they are."""
        return CardSetup(await self._ask(lambda books: books.set_up(customer)), None)

    async def attach(self, provider_token: str, *, customer: str) -> Card:
        """Keep the card that a sandbox token stands for; CardRefused for any other token."""
        return await self._ask(lambda books: books.attach(provider_token, customer))

    async def charge(
        self, *, key: str, customer: str, card: str, amount_cents: int, return_url: str | None, at: datetime
    ) -> Charge:
        """Charge a kept card once per key, as the card and the behaviour have it; errors as the port states.

        In both time-out modes ProcessorUnavailable comes also for a key that was charged before.
        """
        if amount_cents <= 0:
            raise ValueError("amount_cents must be positive")
        order = Order(key, customer, card, amount_cents, return_url, at)
        charge = await self._ask(lambda books: books.charge(order))
        if self._answer_delay_seconds:
            await asyncio.sleep(self._answer_delay_seconds)
        if charge is None:
            raise ProcessorUnavailable("the simulated processor timed out")
        return charge

    async def inquire(self, key: str) -> Charge | None:
        """Return the charge of a key, truthfully in every mode; None when the key was never seen."""
        return await self._ask(lambda books: books.by_key(key))

    async def abandon(self, key: str) -> Charge | None:
        """Return the charge of a key; None when there is none, and from now on none will come."""
        return await self._ask(lambda books: books.abandon(key))

    async def cancel(self, key: str) -> Charge | None:
        """End a charge that waits for its customer; return the charge of a key as it stands, None where none is."""
        return await self._ask(lambda books: books.cancel(key))

    async def refund(self, *, key: str, charge: str, amount_cents: int, at: datetime) -> Refund:
        """Refund a part of a charge once per key: PENDING until the last day of its promise, or REFUSED at once."""
        if amount_cents <= 0:
            raise ValueError("amount_cents must be positive")
        return await self._ask(lambda books: books.refund(key, charge, amount_cents, at))

    async def inquire_refund(self, key: str, *, charge: str, at: datetime) -> Refund | None:
        """Return the refund of a key as it stands at product time `at`; None when the key was never seen."""
        return await self._ask(lambda books: books.refund_by_key(key, at))

    async def dispute(self, reference: str) -> Dispute | None:
        """Return a chargeback as it stands now; None when there is none."""
        return await self._ask(lambda books: books.dispute(reference))

    async def movements(self, since: datetime, until: datetime) -> Sequence[Movement]:
        """Return what was captured, refunded and charged back within a time of product time."""
        found = await self._ask(lambda books: books.movements(since, until, MOVEMENTS_MAX))
        if len(found) >= MOVEMENTS_MAX:
            raise ProcessorUnavailable("there are too many movements")
        return found

    async def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Event:
        """Return what a call of this processor's tells; another file's calls are another merchant's."""
        secret = await self._ask(Books.webhook_secret)
        try:
            verify(secret, body, headers.get(SIGNATURE_HEADER), time.time())
            told = json.loads(body)
            return Event(str(told["id"]), str(told["type"]), Subject(told["subject"]), str(told["reference"]))
        except BadSignature as error:
            raise WebhookRefused(str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise WebhookRefused("its body cannot be read") from error

    async def webhooks(self) -> Sequence[Webhook]:
        """Return all calls that were ever to be made, oldest first; to be sent late, twice or in any order by tests."""
        return await self._ask(Books.webhooks)

    async def signed(self, body: bytes, at_seconds: float | None = None) -> Mapping[str, str]:
        """Return the headers of a call with this body that is sent now, or at another moment since 1970."""
        secret = await self._ask(Books.webhook_secret)
        return {SIGNATURE_HEADER: sign(secret, body, int(time.time() if at_seconds is None else at_seconds))}

    async def send_webhooks(self, send: Send) -> int:
        """Make the calls that are due, each again some seconds later until it is answered with 2xx; return how many."""
        taken = await self._ask(lambda books: books.take_webhooks(SENT_AT_ONCE))
        for webhook in taken:
            status = await send(webhook.body, await self.signed(webhook.body))
            if 200 <= status < 300:
                await self._ask(lambda books, sequence=webhook.sequence: books.delivered(sequence))  # type: ignore[misc]
        return len(taken)

    async def open_dispute(self, key: str, at: datetime, amount_cents: int | None = None) -> Dispute | None:
        """Have the bank take back what is left of a charge, or a part of it; None where there is nothing to take."""
        return await self._ask(lambda books: books.open_dispute(key, at, amount_cents))

    async def end_dispute(self, reference: str, won: bool) -> Dispute | None:
        """End a chargeback for the operator (`won`) or for the bank; the first end counts."""
        status = DisputeStatus.WON if won else DisputeStatus.LOST
        return await self._ask(lambda books: books.end_dispute(reference, status))

    async def disputes_of(self, key: str, *, charge: str = "") -> Sequence[Dispute]:
        """Return the chargebacks of a charge by our key, which is enough here, oldest first."""
        return await self._ask(lambda books: books.disputes_of(key))

    async def finish_action(self, charge_id: str, ok: bool) -> Charge | None:
        """End a 3-D Secure as the customer did; None when there is no such charge.

        The first end counts: a repeat, or a charge that does not wait, is returned as it stands.
        """
        return await self._ask(lambda books: books.finish(charge_id, ok))

    async def return_url(self, charge_id: str) -> str | None:
        """Return where the customer's browser goes after a 3-D Secure; None when no place was given."""
        return await self._ask(lambda books: books.return_url(charge_id))

    async def behave(self, next: ChargeBehaviour | None = None, refund: RefundBehaviour | None = None) -> Behaviour:
        """Set how charges and refunds go from now on, in every process; None leaves a part as it is.

        Returns what holds now. Raises ValueError for other words. A repeat is safe.
        """
        for name, word, words in (
            ("next", next, get_args(ChargeBehaviour)),
            ("refund", refund, get_args(RefundBehaviour)),
        ):
            if word is not None and word not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}")
        return await self._ask(lambda books: books.behave(next, refund))

    async def captured_cents(self) -> int:
        """Return the sum of all charges that succeeded, to be compared with the ledger."""
        return await self._ask(Books.captured_cents)

    async def charges(self) -> list[Charge]:
        """Return every charge as it stands now, in the order in which they were made."""
        return await self._ask(Books.charges)

    async def log(self) -> list[LogEntry]:
        """Return all that was ever done, in order; the file itself refuses to change or drop an entry."""
        return await self._ask(Books.log)

    async def close(self) -> None:
        """Close the file; a repeat is safe, and the next call opens it again."""
        await self._in_thread(self._close_books)

    def _close_books(self) -> None:
        if self._books is not None:
            self._books.close()
            self._books = None

    async def _ask(self, question: Callable[[Reversals], T]) -> T:
        def answer() -> T:
            if self._books is None:
                self._books = Reversals(self.path, self._public_url)
            return question(self._books)

        try:
            return await self._in_thread(answer)
        except (sqlite3.OperationalError, OSError) as error:
            # A full disk, or a lock held too long: seen from outside, a processor that does not answer.
            raise ProcessorUnavailable("the simulated processor's file cannot be used") from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
