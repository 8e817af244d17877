"""Notices: mails that tell a holder of each change of what protects the account. They cannot be turned off."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from api.adapters.database import Row, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.services.activity import HOLDER, note
from api.services.mails import mailable_time, queue_mail

_DEVICE_LENGTH_MAX = 60


async def queue_notice(
    ports: Ports, account: Row, name: str, event_id: UUID, *, to: str = "", params: Mapping[str, str] | None = None
) -> None:
    """Mail a notice once the transaction under way is committed, in the holder's language.

    `name` names the texts `notices.<name>_subject` and `notices.<name>_text`, which `params` and "at", the time, fill.
    `event_id` is of the activity that it tells of: a repeat sends nothing. `to` is the account's address when empty.
    """
    await queue_mail(
        ports,
        f"notices.{name}",
        to=to or account["email"],
        locale=account["locale"],
        key=f"{name.replace('_', '-')}-{event_id}",
        params={**(params or {}), "at": mailable_time(ports.now())},
    )


async def note_and_notify(
    ports: Ports,
    account: Row,
    action: str,
    *,
    channel: Channel,
    actor: str = HOLDER,
    params: Mapping[str, str] | None = None,
) -> None:
    """Note an act that changes what protects an account, and mail its notice, within the transaction under way.

    There are texts for: password_changed, passcode_changed, security_questions_changed, password_reset,
    second_factor_added, second_factor_removed, recovery_code_used, email_change_asked and email_changed.
    """
    event_id = await note(ports, read_uuid(account["id"]), action, channel=channel, actor=actor, params=params)
    await queue_notice(ports, account, action, event_id, params=params)


def mailable_device(device: str) -> str:
    """Return what a device calls itself as it may stand in a mail: whoever signs in chooses it, so letters and digits
    only, and nothing to click on."""
    kept = "".join(character if character.isalnum() else " " for character in device)
    return " ".join(kept.split())[:_DEVICE_LENGTH_MAX].strip()
