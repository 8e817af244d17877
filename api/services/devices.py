"""Devices that an account signs in from: a new one is told to its holder (rule 10)."""

from __future__ import annotations

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.domain.security import security_data
from api.domain.texts import render
from api.services.activity import note
from api.services.notices import mailable_device, queue_notice


async def note_sign_in(ports: Ports, account: Row, device: str, channel: Channel) -> None:
    """Note a sign-in that is about to begin within the transaction under way, and mail a notice of a new device.

    New is a device and channel that no sign-in of the account has been used by for 90 days. An account's very first
    sign-in is no news.
    """
    account_id = read_uuid(account["id"])
    known = await fetch_one(
        "select id from sign_ins where account_id = $1 and device = $2 and channel = $3 and last_seen_at > $4 limit 1",
        account_id, device, channel.value, ports.now() - security_data().new_device,
    )  # fmt: skip
    earlier = known or await fetch_one(
        "select id from activity where account_id = $1 and action = 'signed_in' limit 1", account_id
    )
    event_id = await note(ports, account_id, "signed_in", channel=channel, params={"device": device})
    if earlier and not known:
        locale = account["locale"]
        params = {
            "device": mailable_device(device) or render(locale, "activity.unnamed"),
            "channel": render(locale, f"notices.channel_{channel.value.lower()}"),
        }
        await queue_notice(ports, account, "new_device", event_id, params=params)
