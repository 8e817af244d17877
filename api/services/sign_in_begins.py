"""The beginning and the end of sign-ins, within the transaction of whatever brings them about."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, add_event, execute, fetch, fetch_one, read_uuid
from api.adapters.live import Event
from api.adapters.ports import Ports
from api.auth.sign_ins import Bearer, begin_sign_in
from api.domain.sign_ins import sign_in_data
from api.services.devices import note_sign_in
from api.services.outbox import tell


class SignedIn(NamedTuple):
    """A new sign-in: its token, shown this once, its id and row, and the account's row, None for staff."""

    token: str
    sign_in_id: UUID
    sign_in: Row
    account: Row | None


async def begin(ports: Ports, bearer: Bearer, owner: Row) -> SignedIn:
    """Begin a sign-in; the owner's row must be locked. Past the shipped number of open ones, the one that was used
    longest ago ends. A holder's is noted among the account's activity, and a new device told by mail."""
    if not bearer.is_staff:
        await note_sign_in(ports, owner, bearer.device, bearer.channel)
    token, sign_in_id = await begin_sign_in(ports, bearer)
    column = _column(bearer.is_staff)
    too_many = await fetch(
        f"select id from sign_ins where {column} = $1 and id <> $2 and ended_at is null and expires_at > $3"
        " order by last_seen_at desc, id desc limit 1000 offset $4",
        bearer.owner_id, sign_in_id, ports.now(), sign_in_data().open_max - 1,
    )  # fmt: skip
    for row in too_many:
        await end(ports, bearer.owner_id, read_uuid(row["id"]), is_staff=bearer.is_staff)
    begun = await fetch_one("select * from sign_ins where id = $1", sign_in_id)
    assert begun is not None
    return SignedIn(token, sign_in_id, begun, None if bearer.is_staff else owner)


async def end(ports: Ports, owner_id: UUID, sign_in_id: UUID | None, *, is_staff: bool = False) -> int:
    """End one sign-in of an account or a member of staff, or with None all of them; return how many.

    Their sockets end with them, once it is committed.
    """
    now = ports.now()
    query = f"update sign_ins set ended_at = $1 where {_column(is_staff)} = $2 and ended_at is null"
    if sign_in_id is None:
        ended = await execute(query, now, owner_id)
    else:
        ended = await execute(f"{query} and id = $3", now, owner_id, sign_in_id)
    if not ended:
        return 0
    body = {"sign_in": str(sign_in_id) if sign_in_id else None}
    if is_staff:
        # The outbox is an account's feed. Should this be lost on the way, the sweep over open sockets finds it out.
        add_event(Event(uuid7(), owner_id, "sign_in_ended", body))
    else:
        await tell(owner_id, "sign_in_ended", body)
    return ended


async def end_others(ports: Ports, account_id: UUID, spared_id: UUID) -> int:
    """End all sign-ins of an account but one, as above; return how many."""
    ended = await execute(
        "update sign_ins set ended_at = $1 where account_id = $2 and ended_at is null and id <> $3",
        ports.now(), account_id, spared_id,
    )  # fmt: skip
    if ended:
        await tell(account_id, "sign_in_ended", {"sign_in": None, "spared": str(spared_id)})
    return ended


def _column(is_staff: bool) -> str:
    return "staff_id" if is_staff else "account_id"
