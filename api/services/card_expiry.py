"""Notices that a card soon expires: due work that is made with the card, and dropped when the card is removed."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.cards import expiry_notices, last_day
from api.domain.notifications import NotificationTopic
from api.domain.payment_data import payment_limits
from api.services import due_work
from api.services.notifications import notify

WORK_KIND = "card_expiry"


async def enqueue_notices(ports: Ports, method_id: UUID, expiry_month: int, expiry_year: int) -> None:
    """Make a card's notices due within the transaction under way; those whose day is over are left out."""
    limits = payment_limits()
    for notice in expiry_notices(
        expiry_month, expiry_year, limits.expiry_notice_days, limits.expiry_notice_hour, ports.now()
    ):
        await due_work.enqueue(WORK_KIND, f"{method_id}.{notice.days}", notice.due_at, {"method": str(method_id)})


async def drop_notices(method_id: UUID) -> None:
    """Drop what is still to be told of a card within the transaction under way."""
    for days in payment_limits().expiry_notice_days:
        await due_work.drop(WORK_KIND, f"{method_id}.{days}")


@transactional
async def tell(ports: Ports, claim: due_work.Claim) -> None:
    """Tell a card's holder that it soon expires; due work of kind "card_expiry"."""
    await due_work.complete(claim)
    row = await fetch_one(
        "select m.last4, m.brand, m.expiry_month, m.expiry_year, a.* from payment_methods m"
        " join accounts a on a.id = m.account_id where m.id = $1 and m.removed_at is null and a.status = $2",
        UUID(claim.payload["method"]), AccountStatus.ACTIVE.value,
    )  # fmt: skip
    if row is None:
        return
    assert read_uuid(row["id"])
    ends_on = last_day(row["expiry_month"], row["expiry_year"])
    await notify(
        ports,
        row,
        NotificationTopic.PAYMENT,
        "card_expiry.notice",
        key=f"card-expiry-{claim.key}",
        params={"brand": row["brand"], "last4": row["last4"], "date": ends_on.isoformat()},
    )
