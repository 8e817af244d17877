"""Mails about renewals: before one, when one failed, and at a plan's end."""

from __future__ import annotations

from datetime import datetime

from api.adapters.database import Row, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.days import day_of
from api.domain.money import format_money
from api.domain.notifications import NotificationTopic
from api.domain.texts import render
from api.services.mails import queue_mail
from api.services.notifications import notify
from api.services.plans import plan_of


async def remind(ports: Ports, row: Row, plan: Row, total: int) -> None:
    """Tell a subscription's holder when it renews, what that costs, by which card, and how to unsubscribe."""
    account = await _account(row)
    params = await _params(row, plan, account["locale"], total)
    params |= {"date": day_of(read_time(row["renews_at"]), plan["f_time_zone"]).isoformat()}
    key = f"renewal-reminder-{read_uuid(row['id'])}-{row['months']}"
    await notify(ports, account, NotificationTopic.RENEWAL, "renewals.reminder", key=key, params=params)


async def tell_failure(ports: Ports, row: Row, plan: Row, why: str, total: int, again_at: datetime) -> None:
    """Tell a subscription's holder why it could not be renewed, and when it is tried again."""
    account = await _account(row)
    params = await _params(row, plan, account["locale"], total) | {
        "why": render(account["locale"], f"renewals.why_{why}"),
        "date": day_of(again_at, plan["f_time_zone"]).isoformat(),
    }
    key = f"renewal-failed-{read_uuid(row['id'])}-{row['months']}-{ports.now():%Y%m%d%H%M%S%f}"
    await notify(ports, account, NotificationTopic.RENEWAL, "renewals.failed", key=key, params=params)


async def tell_end(ports: Ports, row: Row, plan: Row, why: str, total: int) -> None:
    """Tell a subscription's holder that it has ended, since it could not be renewed; nobody can turn that off."""
    account = await _account(row)
    params = await _params(row, plan, account["locale"], total)
    params |= {"why": render(account["locale"], f"renewals.why_{why}")}
    await queue_mail(
        ports, "renewals.ended", to=account["email"], locale=account["locale"],
        key=f"renewal-ended-{read_uuid(row['id'])}", params=params,
    )  # fmt: skip


async def tell_cancelled(ports: Ports, row: Row) -> None:
    """Tell a subscription's holder that it has ended as it was cancelled, and that nothing was charged."""
    plan = await plan_of(row)
    account = await _account(row)
    params = {"plan": plan[f"p_name_{account['locale']}"], "facility": plan["f_name"]}
    key = f"renewal-cancelled-{read_uuid(row['id'])}"
    await notify(ports, account, NotificationTopic.RENEWAL, "renewals.cancelled", key=key, params=params)


async def _account(row: Row) -> Row:
    account = await fetch_one("select * from accounts where id = $1", read_uuid(row["account_id"]))
    assert account is not None, "accounts are never deleted"
    return account


async def _params(row: Row, plan: Row, locale: str, total: int) -> dict[str, str]:
    card = await fetch_one("select last4 from payment_methods where id = $1", read_uuid(row["payment_method_id"]))
    assert card is not None, "cards are never deleted"
    return {
        "plan": plan[f"p_name_{locale}"], "facility": plan["f_name"], "total": format_money(total, locale),
        "last4": card["last4"],
    }  # fmt: skip
