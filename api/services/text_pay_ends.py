"""Ending TextPay and its offers, which setting AutoPay, STOP and the holder all do."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.top_ups import OfferState, TextPayState
from api.services import due_work

OFFER_KIND = "text_offer"


async def find_text_pay(service_id: UUID) -> Row | None:
    """Return TextPay of a service, also after it was ended; None where it was never set."""
    return await fetch_one("select * from text_pays where service_account_id = $1", service_id)


async def open_offer(text_pay_id: UUID) -> Row | None:
    """Return the offer that waits for an answer, or None; it may have run out a moment ago."""
    return await fetch_one("select * from text_offers where open_for = $1", text_pay_id)


async def end_text_pay(ports: Ports, service_id: UUID) -> bool:
    """End TextPay of a service within the transaction under way, its balance locked, and take its offer back; return
    whether there was one. Call refresh_low_below after it."""
    row = await find_text_pay(service_id)
    if row is None or row["state"] == TextPayState.TERMINATED.value:
        return False
    await end_offer(ports, row, OfferState.WITHDRAWN)
    await execute(
        "update text_pays set state = 'TERMINATED', live_phone = null, ended_at = $1 where id = $2",
        ports.now(), read_uuid(row["id"]),
    )  # fmt: skip
    return True


async def end_offer(ports: Ports, text_pay: Row, state: OfferState, payment_id: UUID | None = None) -> None:
    """End the open offer of a TextPay, where there is one, within the transaction under way."""
    offer = await open_offer(read_uuid(text_pay["id"]))
    if offer is None:
        return
    await execute(
        "update text_offers set state = $1, open_for = null, ended_at = $2, payment_id = $3 where id = $4",
        state.value, ports.now(), payment_id, read_uuid(offer["id"]),
    )  # fmt: skip
    await due_work.drop(OFFER_KIND, str(read_uuid(offer["id"])))
