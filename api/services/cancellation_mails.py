"""What a holder is told of a plan that was cancelled or taken back: by mail, and among the account's activity."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from api.adapters.database import Row, read_time, read_uuid
from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.money import format_money
from api.domain.plans import SubscriptionStatus
from api.services.activity import note
from api.services.mails import queue_mail


async def tell_cancelled(ports: Ports, viewer: Viewer, subscription: Row, cancellation_id: UUID) -> None:
    """Confirm a cancellation, with the date on which the plan ends, within the transaction under way."""
    has_ended = subscription["status"] == SubscriptionStatus.ENDED.value
    template = "cancellations.ended_at_once" if has_ended else "cancellations.cancelled"
    until = facility_time(read_time(subscription["access_until"]), subscription["f_time_zone"])
    await _tell(
        ports, viewer, subscription, "plan_cancelled", template, f"plan-cancelled-{cancellation_id}", {"until": until}
    )


async def tell_resumed(ports: Ports, viewer: Viewer, subscription: Row) -> None:
    """Confirm that a plan renews again, within the transaction under way."""
    renews_at = facility_time(read_time(subscription["renews_at"]), subscription["f_time_zone"])
    key = f"plan-resumed-{read_uuid(subscription['id'])}-{ports.now():%Y%m%d%H%M%S%f}"
    await _tell(ports, viewer, subscription, "plan_resumed", "cancellations.resumed", key, {"renews_at": renews_at})


async def _tell(
    ports: Ports, viewer: Viewer, subscription: Row, action: str, template: str, key: str, more: dict[str, str]
) -> None:
    account = viewer.account
    assert account is not None, "a plan is a holder's"
    params = {
        "plan": subscription[f"p_name_{account['locale']}"],
        "facility": subscription["f_name"],
        "price": format_money(subscription["price"], account["locale"]),
    }
    noted = {name: params[name] for name in ("plan", "facility")}
    await note(ports, read_uuid(account["id"]), action, channel=viewer.channel, params=noted)
    await queue_mail(ports, template, to=account["email"], locale=account["locale"], key=key, params={**params, **more})


def facility_time(at: datetime, zone: str) -> str:
    """Return an instant as the clocks at a facility show it, as texts in any language write it."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
