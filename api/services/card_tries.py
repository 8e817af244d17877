"""Declined cards: after five within an hour no further card is tried (rule 38a).

Whoever tests stolen cards tries many; counted are an account, a client's address, and an invoice's link.
"""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch_one, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, client_of, limit_fault, used_up
from api.domain.faults import Fault, Refused
from api.domain.payments import DeclineReason, PaymentChannel, PaymentStatus

Counted = tuple[Limit, str]
_CARDS = frozenset(
    channel.value for channel in (PaymentChannel.CARD_ONLINE, PaymentChannel.AUTOPAY, PaymentChannel.TEXTPAY)
)
"""AutoPay too: setting it anew with one card after the other, while the balance is low, tries each of them."""


def card_tries(*, account_id: object = None, client: str = "", link: str = "") -> list[Counted]:
    """Return whose declines count: an account, a client's address, an invoice's link; what is left out does not."""
    named = (
        (Limit.DECLINES_PER_ACCOUNT, str(account_id or "")),
        (Limit.DECLINES_PER_LINK, link),
        (Limit.DECLINES_PER_CLIENT, client_of(client) if client else ""),
    )
    return [(limit, who) for limit, who in named if who]


async def tries_fault(ports: Ports, tries: list[Counted]) -> Fault | None:
    """Return RATE_LIMITED where one of these has had its declines, or None; nothing is counted."""
    for limit, who in tries:
        if fault := await used_up(ports, limit, who):
            return fault
    return None


async def cards_at_once_fault(ports: Ports, account_id: UUID, method_id: UUID) -> Fault | None:
    """Return RATE_LIMITED where as many other cards of an account are being charged as may still be declined, or None.

    Ask under `lock_spending`: many cards at once would all be tried before the first decline counts.
    """
    row = await fetch_one(
        "select count(distinct method_id) as n from payments where account_id = $1 and status = $2 and channel = $3"
        " and method_id <> $4",
        account_id, PaymentStatus.PROCESSING.value, PaymentChannel.CARD_ONLINE.value, method_id,
    )  # fmt: skip
    under_way = int(row["n"]) if row else 0
    return await used_up(ports, Limit.DECLINES_PER_ACCOUNT, str(account_id), under_way) if under_way else None


async def refuse_card_tries(ports: Ports, tries: list[Counted]) -> None:
    """Raise Refused with RATE_LIMITED where one of these has had its declines; nothing is counted."""
    if fault := await tries_fault(ports, tries):
        raise Refused(fault)


@transactional
async def count_declines(ports: Ports, tries: list[Counted]) -> None:
    """Count a declined card for each of these, in a transaction of its own."""
    for limit, who in tries:
        await limit_fault(ports, limit, who)


async def note_decline(ports: Ports, payment: Row) -> None:
    """Count a payment that the card's bank declined for its account, or for the invoice's link that began it, within
    the transaction that settles it: so a bank's check that fails later counts too."""
    if not was_declined(payment):
        return
    for limit, who in card_tries(
        account_id=payment["account_id"], link="" if payment["account_id"] else str(payment["invoice_id"] or "")
    ):
        await limit_fault(ports, limit, who)


def was_declined(payment: Row) -> bool:
    """Tell whether a card that somebody gave was declined; a processor that was not reached says nothing of it."""
    is_decline = payment["decline_reason"] != DeclineReason.PROCESSOR_UNAVAILABLE.value
    return is_decline and payment["status"] == PaymentStatus.FAILED.value and payment["channel"] in _CARDS
