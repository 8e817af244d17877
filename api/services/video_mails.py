"""Mails and texts about video visits, as the holder wants them (topic VIDEO_SESSION); times by the facility's clock."""

from __future__ import annotations

from api.adapters.database import Row, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.days import facility_time_and_zone
from api.domain.notifications import NotificationTopic
from api.services.mails import queue_mail
from api.services.notifications import notify

OWED = "owed"
"""Told by mail in any case: it is money that the holder has given."""


async def mail_holder(ports: Ports, session: Row, what: str) -> None:
    """Tell the holder what became of a visit, within the transaction under way; once per visit and `what`.

    `what` names the texts `video_sessions.<what>_subject` and `<what>_text`. Nobody is told whose account is closed.
    """
    account = await fetch_one("select * from accounts where id = $1", read_uuid(session["account_id"]))
    if account is None or account["status"] != AccountStatus.ACTIVE.value:
        return
    place = await fetch_one(
        "select f.name, f.time_zone, p.first_name, p.last_name from facilities f, incarcerated_people p"
        " where f.id = $1 and p.id = $2",
        read_uuid(session["facility_id"]), read_uuid(session["person_id"]),
    )  # fmt: skip
    assert place is not None, "facilities and people are never deleted"
    template, key = f"video_sessions.{what}", f"video-{what}-{read_uuid(session['id'])}"
    params = {
        "person": f"{place['first_name']} {place['last_name']}",
        "facility": place["name"],
        "at": facility_time_and_zone(read_time(session["scheduled_for"]), place["time_zone"]),
        "minutes": str(session["duration_minutes"]),
    }
    if what == OWED:
        await queue_mail(ports, template, to=account["email"], locale=account["locale"], key=key, params=params)
    else:
        await notify(ports, account, NotificationTopic.VIDEO_SESSION, template, key=key, params=params)
