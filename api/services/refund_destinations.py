"""Where a refund goes, by when, and against which charges (rule 23)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from api.adapters.business_days import is_business_day
from api.adapters.database import fetch, fetch_one, read_uuid
from api.domain.days import day_of
from api.domain.payments import PaymentChannel
from api.domain.refund_data import refund_data
from api.domain.refunds import Charge, RefundMethod, Window, card_window, days_window, method_after

CHARGES_MAX = 200
"""Charges of a card that a refund is spread over, newest first; what they do not cover goes by check."""

_FUNDINGS = "('FUND_ADVANCE_CONNECT', 'PAY_INVOICE')"
"""Purposes of money that can come back; stamps, deposits to others and video cannot (rule 25)."""


class Destination(NamedTuple):
    """How money goes back, by what channel it last came in (None: it never did), and to which card."""

    method: RefundMethod
    channel: PaymentChannel | None = None
    payment_method_id: UUID | None = None


BY_CHECK = Destination(RefundMethod.CHECK)


async def destination_of(service_account_id: UUID) -> Destination:
    """Return where a service's balance goes: the way of the last successful funding that was not charged back.

    A card that was removed since stays the card. A card that is no account's, of one who paid by an invoice's link,
    cannot be named to the holder, so that money goes by check.
    """
    row = await fetch_one(
        f"select channel, method_id from payments where service_account_id = $1 and purpose in {_FUNDINGS}"
        " and status in ('SUCCEEDED', 'PARTIALLY_REFUNDED', 'REFUNDED')"
        " order by coalesce(applied_at, settled_at) desc, id desc limit 1",
        service_account_id,
    )
    if row is None:
        return BY_CHECK
    channel = PaymentChannel(row["channel"])
    method = method_after(channel)
    if method is RefundMethod.CHECK or row["method_id"] is None:
        return Destination(RefundMethod.CHECK, channel)
    return Destination(method, channel, read_uuid(row["method_id"]))


async def lock_charges(payment_method_id: UUID, processor: str) -> list[Charge]:
    """Lock a card within the transaction under way; return its charges, newest first, and what is left of each.

    What was charged back, given back, or is being given back is not left. The lock keeps two refunds from counting on
    the same charge; a chargeback that comes at the same time is the processor's to decide, which then refuses.
    """
    await fetch_one("select id from payment_methods where id = $1 for update", payment_method_id)
    rows = await fetch(
        "select p.id, p.amount,"
        " (select sum(r.amount) from refund_parts r where r.payment_id = p.id and r.status <> 'REFUSED') as given_back,"
        " (select sum(d.amount) from disputes d where d.payment_id = p.id and d.status <> 'WON') as taken_back"
        f" from payments p where p.method_id = $1 and p.processor = $2 and p.purpose in {_FUNDINGS}"
        " and p.status in ('SUCCEEDED', 'PARTIALLY_REFUNDED') and p.processor_reference is not null"
        f" order by p.settled_at desc, p.id desc limit {CHARGES_MAX}",
        payment_method_id, processor,
    )  # fmt: skip
    charges = [
        Charge(read_uuid(row["id"]), row["amount"] - int(row["given_back"] or 0) - int(row["taken_back"] or 0))
        for row in rows
    ]
    return [charge for charge in charges if charge.left > 0]


def window_of(method: RefundMethod, requested_at: datetime) -> Window:
    """Return when a refund arrives, by the Central day of its request."""
    requested_on, data = day_of(requested_at), refund_data()
    if method is RefundMethod.CARD:
        return card_window(requested_on, *data.card_business_days, is_business_day)
    return days_window(requested_on, *data.check_days)
