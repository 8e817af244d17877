"""What a holder is told of a plan that was cancelled or taken back: by mail, and among the account's activity."""

from __future__ import annotations

from datetime import datetime

from api.adapters.database import Row, read_time, read_uuid
from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.cancellations import Ending
from api.domain.days import facility_time
from api.services.activity import note
from api.services.mails import queue_mail


async def tell_cancelled(ports: Ports, viewer: Viewer, flow: Row, ending: Ending, until: datetime) -> None:
    """Confirm a cancellation, with the date on which the plan ends, within the transaction under way."""
    more = {"until": facility_time(until, flow["f_time_zone"])}
    key = f"plan-cancelled-{read_uuid(flow['id'])}"
    await _tell(ports, viewer, flow, "plan_cancelled", f"cancellations.cancelled_{ending.value}", key, more)


async def tell_resumed(ports: Ports, viewer: Viewer, subscription: Row) -> None:
    """Confirm that a plan renews again, within the transaction under way."""
    more = {"renews_at": facility_time(read_time(subscription["renews_at"]), subscription["f_time_zone"])}
    key = f"plan-resumed-{read_uuid(subscription['id'])}-{ports.now():%Y%m%d%H%M%S%f}"
    await _tell(ports, viewer, subscription, "plan_resumed", "cancellations.resumed", key, more)


async def _tell(
    ports: Ports, viewer: Viewer, plan: Row, action: str, template: str, key: str, more: dict[str, str]
) -> None:
    account = viewer.account
    assert account is not None, "a plan is a holder's"
    named = {"plan": plan[f"p_name_{account['locale']}"], "facility": plan["f_name"]}
    await note(ports, read_uuid(account["id"]), action, channel=viewer.channel, params=named)
    await queue_mail(ports, template, to=account["email"], locale=account["locale"], key=key, params={**named, **more})
