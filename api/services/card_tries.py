"""Declined cards: after five within an hour no further card is tried (rule 38a).

Whoever tests stolen cards tries many; counted are an account, a client's address, and an invoice's link.
"""

from __future__ import annotations

from api.adapters.database import Row, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, client_of, limit_fault, used_up
from api.domain.faults import Fault, Refused
from api.domain.payments import DeclineReason, PaymentChannel, PaymentStatus

Counted = tuple[Limit, str]


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
    """Count a payment that the card's bank declined for its account, within the transaction that settles it: so a
    bank's check that fails later counts too."""
    if payment["account_id"] and was_declined(payment):
        await limit_fault(ports, Limit.DECLINES_PER_ACCOUNT, str(payment["account_id"]))


def was_declined(payment: Row) -> bool:
    """Tell whether a card that somebody gave was declined; a processor that was not reached says nothing of it."""
    failed_online = (PaymentStatus.FAILED.value, PaymentChannel.CARD_ONLINE.value)
    is_decline = payment["decline_reason"] != DeclineReason.PROCESSOR_UNAVAILABLE.value
    return is_decline and (payment["status"], payment["channel"]) == failed_online
