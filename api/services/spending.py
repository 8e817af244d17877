"""Caps on what an account spends with cards: by Central days and months, whatever it is for."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from api.adapters.database import fetch_one
from api.domain.days import day_of, month_of, start_of
from api.domain.faults import ErrorCode, Fault
from api.domain.money import format_money
from api.domain.payment_data import spending_caps
from api.domain.payments import PaymentChannel

CARD_CHANNELS = (PaymentChannel.CARD_ONLINE, PaymentChannel.AUTOPAY, PaymentChannel.TEXTPAY)


async def lock_spending(account_id: UUID) -> None:
    """Let no other charge of an account begin until the transaction ends; lock its balance first."""
    await fetch_one("select id from accounts where id = $1 for update", account_id)


async def cap_fault(account_id: UUID, total: int, now: datetime, *path: str) -> Fault | None:
    """Return LIMIT_EXCEEDED where a charge of `total` cents goes over what the account may still spend, or None.

    Every charge counts from its intent on, unless it failed. Ask under `lock_spending` when it is to be charged: two
    at once could both fit alone. Of two caps that are passed the one that lasts longer is told.
    """
    day = day_of(now)
    month_begins, month_ends = month_of(now)
    caps = spending_caps()
    today, this_month = await _spent(account_id, start_of(day), month_begins)
    for key, cap, spent, resets_at in (
        ("payments.cap_of_month", caps.per_month, this_month, month_ends),
        ("payments.cap_of_day", caps.per_day, today, start_of(day + timedelta(days=1))),
    ):
        if spent + total > cap:
            remaining = max(0, cap - spent)
            facts = {"limit": cap, "remaining": remaining, "resets_at": resets_at}
            params = {"limit": format_money(cap, "en"), "remaining": format_money(remaining, "en")}
            return Fault(ErrorCode.LIMIT_EXCEEDED, key, path, params, facts)
    return None


async def _spent(account_id: UUID, day_begins: datetime, month_begins: datetime) -> tuple[int, int]:
    """Return the cents that an account has spent today and this month."""
    places = ", ".join(f"${n + 4}" for n in range(len(CARD_CHANNELS)))
    row = await fetch_one(
        "select coalesce(sum(total), 0) as this_month,"
        " coalesce(sum(case when created_at >= $3 then total else 0 end), 0) as today from payments"
        f" where account_id = $1 and created_at >= $2 and status <> 'FAILED' and channel in ({places})",
        account_id, month_begins, day_begins, *(channel.value for channel in CARD_CHANNELS),
    )  # fmt: skip
    assert row is not None
    return int(row["today"]), int(row["this_month"])
