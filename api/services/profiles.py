"""The holder's profile: name, phone, address and language (rule 4)."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, execute, fetch_one, transactional
from api.adapters.ports import Ports
from api.auth.phones import phone_to_e164
from api.auth.sign_ins import Viewer
from api.domain.accounts import Channel
from api.domain.addresses import Address, address_faults, normalise_address
from api.domain.faults import Fault, refuse_if
from api.domain.plain_text import tidy
from api.domain.sign_ups import locale_faults, name_faults, phone_faults
from api.services.activity import note
from api.services.inactivity_plans import plan_anew
from api.services.open_accounts import lock_open_account


class ProfileChanges(NamedTuple):
    """What is to be changed, as typed; None stays as it is. An address is replaced as a whole."""

    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    address: Address | None = None
    locale: str | None = None


async def update_profile(ports: Ports, viewer: Viewer, changes: ProfileChanges) -> Row:
    """Change parts of the holder's profile; return the account's row.

    The address's revision grows by one when the address does change, and only then; a repeat changes nothing. Raises
    Refused with all faults at once, with the paths and by the rules of signing up.
    """
    assert viewer.account_id is not None
    refuse_if(fault.under("input") for fault in _faults(changes))
    return await _update(ports, viewer.account_id, viewer.channel, _columns(changes))


def _faults(changes: ProfileChanges) -> list[Fault]:
    given = {"firstName": changes.first_name, "lastName": changes.last_name}
    faults = [
        fault
        for fault in name_faults(changes.first_name or "", changes.last_name or "")
        if given[fault.path[0]] is not None
    ]
    if changes.phone is not None:
        faults += [fault.under("phone") for fault in phone_faults(changes.phone, phone_to_e164)]
    if changes.address is not None:
        faults += [fault.under("address") for fault in address_faults(changes.address)]
    return faults + [fault.under("locale") for fault in locale_faults(changes.locale)]


def _columns(changes: ProfileChanges) -> dict[str, dict[str, str | None]]:
    """Return the columns to be set, by the act that changes them; in the form in which they are stored."""
    columns: dict[str, dict[str, str | None]] = {"name_changed": {}}
    if changes.first_name is not None:
        columns["name_changed"]["first_name"] = tidy(changes.first_name)
    if changes.last_name is not None:
        columns["name_changed"]["last_name"] = tidy(changes.last_name)
    if changes.phone is not None:
        columns["phone_changed"] = {"phone": phone_to_e164(changes.phone)}
    if changes.address is not None:
        columns["address_changed"] = asdict(normalise_address(changes.address))
    if changes.locale is not None:
        columns["language_changed"] = {"locale": changes.locale}
    return columns


@transactional
async def _update(ports: Ports, account_id: UUID, channel: Channel, wanted: dict[str, dict[str, str | None]]) -> Row:
    await lock_open_account(account_id)
    account = await fetch_one("select * from accounts where id = $1", account_id)
    assert account is not None
    changed: dict[str, str | int | None] = {}
    for action, columns in wanted.items():
        if any(account[name] != value for name, value in columns.items()):
            changed |= columns
            await note(ports, account_id, action, channel=channel)
    if "line1" in changed:
        changed["address_revision"] = account["address_revision"] + 1
    if changed:
        places = ", ".join(f"{name} = ${n + 2}" for n, name in enumerate(changed))
        await execute(f"update accounts set {places} where id = $1", account_id, *changed.values())
    if any(name in changed and changed[name] != account[name] for name in ("state", "country")):
        await plan_anew(account_id, ports.now())
    updated = await fetch_one("select * from accounts where id = $1", account_id)
    assert updated is not None
    return updated
