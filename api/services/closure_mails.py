"""Mails about a closing, and what of it is noted among the account's activity (rule 27a)."""

from __future__ import annotations

from collections.abc import Sequence

from api.adapters.database import Row, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.domain.closures import ClosureKind
from api.domain.money import format_money
from api.domain.texts import render
from api.services.activity import HOLDER, SYSTEM, note
from api.services.mails import Link, mailable_time, queue_mail
from api.services.statements import Stated

_ACTIONS = {
    ClosureKind.DELETE_ACCOUNT: "account_deletion_asked",
    ClosureKind.CLOSE_SERVICE: "service_closing_asked",
    ClosureKind.INACTIVITY: "service_closed_unused",
}
DELETED = "account_deleted"


async def tell_request(ports: Ports, account: Row, closure: Row, channel: Channel, staff_name: str | None) -> None:
    """Mail the receipt to the address that serves the closing, and note the request among the account's activity.

    Where that is another address, the account's own is told too: whoever took the account over could name theirs.
    """
    kind, closure_id = ClosureKind(closure["kind"]), read_uuid(closure["id"])
    actor = f"staff: {staff_name}"[:80] if staff_name else SYSTEM if channel is Channel.SYSTEM else HOLDER
    await note(ports, read_uuid(account["id"]), _ACTIONS[kind], channel=channel, actor=actor)
    template = f"closures.{kind.value.lower()}"
    params = {"at": mailable_time(read_time(closure["requested_at"])), "service": await _service(closure)}
    link = Link("closure", (str(closure_id),))
    await queue_mail(
        ports, template, to=closure["contact_email"], locale=closure["locale"], key=f"closing-{closure_id}",
        params=params, link=link,
    )  # fmt: skip
    if closure["contact_email"] != account["email"]:
        await queue_mail(
            ports, "closures.elsewhere", to=account["email"], locale=account["locale"],
            key=f"closing-elsewhere-{closure_id}", params={"at": params["at"]},
        )  # fmt: skip


async def tell_end(ports: Ports, closure: Row) -> None:
    """Mail that a closing is over, and note a deletion on record."""
    closure_id = read_uuid(closure["id"])
    if closure["kind"] == ClosureKind.DELETE_ACCOUNT.value:
        await note(ports, read_uuid(closure["account_id"]), DELETED, channel=Channel.SYSTEM, actor=SYSTEM)
    if closure["contact_email"]:
        await queue_mail(
            ports, f"closures.{closure['kind'].lower()}_over", to=closure["contact_email"], locale=closure["locale"],
            key=f"closing-over-{closure_id}",
            params={"at": mailable_time(ports.now()), "service": await _service(closure)},
            link=Link("closure", (str(closure_id),)),
        )  # fmt: skip


async def tell_statement(ports: Ports, closure: Row, service: Row, stated: Stated) -> None:
    """Mail that the final statement of a service is ready, where no invoice says so."""
    locale, sums = closure["locale"], stated.sums
    await queue_mail(
        ports, "statements.ready", to=closure["contact_email"], locale=locale,
        key=f"statement-final-{read_uuid(closure['id'])}-{read_uuid(service['id'])}",
        params={
            "number": service["number"], "month": f"{stated.month:%Y-%m}",
            "deposits": format_money(sums.deposits, locale), "charges": format_money(sums.charges, locale),
            "closing": format_money(sums.closing, locale),
        },
    )  # fmt: skip


async def tell_withdrawal(ports: Ports, account: Row, closure: Row, lost: Sequence[str]) -> None:
    """Mail that a closing was taken back, and which numbers could not come back; note it among the activity."""
    await note(ports, read_uuid(account["id"]), "service_closing_withdrawn", channel=Channel.SYSTEM, actor=HOLDER)
    locale = closure["locale"]
    params = {"at": mailable_time(ports.now()), "service": await _service(closure)}
    params |= {"numbers": ", ".join(lost)} if lost else {}
    for place, to in enumerate(dict.fromkeys((closure["contact_email"], account["email"]))):
        await queue_mail(
            ports, "closures.withdrawn_without" if lost else "closures.withdrawn", to=to, locale=locale,
            key=f"closing-withdrawn-{read_uuid(closure['id'])}-{place}", params=params,
        )  # fmt: skip


async def _service(closure: Row) -> str:
    """Return the service that is closed, as a mail names it; a deletion closes all, and its mails name none."""
    row = await fetch_one(
        "select product from closed_services where closure_id = $1 order by id limit 1", read_uuid(closure["id"])
    )
    return render(closure["locale"], f"closures.product_{row['product'].lower()}") if row else ""
