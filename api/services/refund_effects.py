"""What else follows from a step of a refund, within its transaction: mails, and whoever waits for it.

Features that move refunds import `refunds`, which imports this; so nothing here may import them back.
"""

from __future__ import annotations

from typing import NamedTuple

from api.adapters.database import Row, fetch_one, read_date, read_uuid
from api.adapters.ports import Ports
from api.domain.money import format_money
from api.domain.refunds import FINAL, RefundMethod
from api.domain.texts import render
from api.services import closure_states
from api.services.mails import queue_mail
from api.services.refund_states import Step, place_of

_MAILS = {
    "fixed": "fixed", "fixed_by_check": "fixed", "rest_by_check": "fixed", "claimed": "claimed",
    "nothing_due": "nothing_due", "written_off": "nothing_due",
    "issued_card": "issued_card", "issued_check": "issued_check",
    "rerouted": "rerouted", "part_rerouted": "rerouted", "taken_back": "taken_back", "won_by_check": "fixed",
    "completed_card": "completed_card", "completed_check": "completed_check",
    "back_returned": "back", "back_stale": "back", "back_unpayable": "back",
    "held_returned": "held", "held_stale": "held", "held_unpayable": "held",
}  # fmt: skip
"""Lines of the timeline that are mailed, and the texts of the mail."""


class Reader(NamedTuple):
    """Whom mails about a refund go to, and in which language."""

    email: str
    locale: str


async def after_step(ports: Ports, refund: Row, step: Step) -> None:
    """Do what else follows from a step."""
    if step.status in FINAL and refund["closure_id"]:
        await closure_states.look(ports, read_uuid(refund["closure_id"]))
    mail = _MAILS.get(step.note)
    if mail and (reader := await reader_of(refund)):
        cents = int(step.params.get("cents", refund["amount"]))
        await queue_mail(
            ports,
            f"refunds.mail_{mail}",
            to=reader.email,
            locale=reader.locale,
            key=f"refund-{read_uuid(refund['id'])}-{refund['revision']}",
            params={
                "amount": format_money(cents, reader.locale),
                "destination": destination_text(refund, reader.locale),
                "earliest": read_date(refund["window_earliest"]).isoformat(),
                "latest": read_date(refund["window_latest"]).isoformat(),
            },
        )


async def reader_of(row: Row) -> Reader | None:
    """Return whom mails about a refund or held funds go to: the closing's address until it is erased, else that of the
    deletion, else the account's while it is open; None where nobody is left."""
    found = await fetch_one(
        "select coalesce(c.contact_email, d.contact_email) as contact_email, c.locale, a.email,"
        " a.locale as account_locale, a.status from accounts a left join closures c on c.id = $2"
        " left join closures d on d.account_id = a.id and d.kind = 'DELETE_ACCOUNT' where a.id = $1",
        read_uuid(row["account_id"]), read_uuid(row["closure_id"]) if row["closure_id"] else None,
    )  # fmt: skip
    if found is None:
        return None
    locale = found["locale"] or found["account_locale"]
    if found["contact_email"]:
        return Reader(found["contact_email"], locale)
    return Reader(found["email"], locale) if found["status"] == "ACTIVE" else None


def destination_text(refund: Row, locale: str) -> str:
    """Return where a refund goes as a receipt may show it: brand and last four digits, or city, state and ZIP."""
    if refund["method"] == RefundMethod.CARD.value:
        return render(locale, "refunds.to_card", {"brand": refund["brand"], "last4": refund["last4"]})
    place = place_of(refund)
    if not place["city"]:
        return render(locale, "refunds.to_address_on_record")
    return render(locale, "refunds.to_place", place)
