"""What a refund would be, by the functions that make it: where it goes, how it is spread, and by when (rule 23)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.refunds import RefundMethod, Window, spread
from api.domain.service_accounts import Product
from api.domain.texts import render
from api.services.ledger import Balance
from api.services.refund_destinations import Destination, destination_of, lock_charges, window_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What would go back to one destination, in cents. `balance` and `deducted` are of the product as a whole."""

    product: Product
    balance: int
    deducted: int
    refundable: int
    method: RefundMethod
    window: Window
    card: tuple[str, str] | None
    place: tuple[str, str, str]

    def destination(self, locale: str) -> str:
        """Return where it goes: brand and last four digits, or city, state and ZIP."""
        if self.card is not None:
            return render(locale, "refunds.to_card", {"brand": self.card[0], "last4": self.card[1]})
        return render(locale, "refunds.to_place", dict(zip(("city", "state", "zip"), self.place, strict=True)))


async def estimate(ports: Ports, account: Row, service: Row, balance: Balance, now: datetime) -> Sequence[Estimate]:
    """Return what would go back of a service, one a destination, were it asked for at `now`.

    What is held for calls counts as used up. Nothing goes back of Direct Bill unless more was paid than is owed.
    """
    owes = balance.product is Product.DIRECT_BILL
    credit = -balance.posted if owes else balance.posted
    if owes and credit <= 0:
        return []
    deducted = 0 if owes else balance.held
    due = max(0, credit - deducted)
    destination = await destination_of(read_uuid(service["id"]))
    by_card, rest = await _spread(ports, destination, due)
    found = []
    for method, amount in ((RefundMethod.CARD, by_card), (RefundMethod.CHECK, rest)):
        if amount or (due == 0 and method is destination.method):
            found.append(
                Estimate(
                    product=balance.product,
                    balance=credit,
                    deducted=deducted,
                    refundable=amount,
                    method=method,
                    window=window_of(method, now),
                    card=await _card(destination) if method is RefundMethod.CARD else None,
                    place=(account["city"], account["state"], account["zip"]),
                )
            )
    return found


async def _spread(ports: Ports, destination: Destination, due: int) -> tuple[int, int]:
    """Return what the card's charges cover, and the rest."""
    if destination.payment_method_id is None:
        return 0, due
    parts, rest = spread(due, await lock_charges(destination.payment_method_id, ports.processor.name))
    return sum(part.left for part in parts), rest


async def _card(destination: Destination) -> tuple[str, str] | None:
    row = await fetch_one("select brand, last4 from payment_methods where id = $1", destination.payment_method_id)
    return (row["brand"], row["last4"]) if row else None
