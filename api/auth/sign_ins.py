"""Sign-ins: the one table that is looked up at every request, and what a bearer may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.clock import SandboxClock
from api.adapters.database import Row, execute, fetch, fetch_one, read_json, read_time, read_uuid
from api.adapters.ports import Ports
from api.auth.tokens import new_token, token_hash
from api.domain.accounts import AccountStatus, Channel, Role

TOKEN_LENGTH_MAX = 200
_FOREVER = datetime.max.replace(tzinfo=UTC)
_HOLDER = frozenset({Role.CUSTOMER})


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of the operator's staff who is signed in."""

    id: UUID
    email: str
    name: str
    locale: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking: a holder, a member of staff or a key. `account` is the holder's row as the database has it.

    `channel` is what the sign-in came by; `proved_at` is when its bearer gave the password last.
    `may_only_enrol`: staff without a second factor may set one up and sign out, and nothing else (rule 10).
    """

    sign_in_id: UUID
    roles: frozenset[Role]
    account_id: UUID | None = None
    account: Row | None = None
    key_id: UUID | None = None
    expires_at: datetime | None = None
    channel: Channel = Channel.SYSTEM
    proved_at: datetime | None = None
    staff: Staff | None = None
    may_only_enrol: bool = False

    @property
    def owner_id(self) -> UUID | None:
        """The id under which sockets and a second factor are kept; None for a key."""
        return self.staff.id if self.staff else self.account_id


_COLUMNS = """s.id as sign_in_id, s.channel, s.last_seen_at, s.expires_at, s.ended_at, s.proved_at, s.key_id,
       s.staff_id, s.in_browser, m.disabled_at as staff_disabled_at"""
_JOINS = "left join accounts a on a.id = s.account_id left join staff_members m on m.id = s.staff_id"
_FIND = f"""
select {_COLUMNS}, k.role as key_role, c.ahead_seconds, m.email as staff_email, m.name as staff_name,
       m.roles as staff_roles, m.locale as staff_locale, f.confirmed_at as staff_factor_at, a.*
  from sign_ins s
  {_JOINS}
  left join second_factors f on f.owner = s.staff_id
  left join api_keys k on k.id = s.key_id
  left join sandbox_clock c on c.id = 1
 where s.token_hash = $1
"""


async def find_viewer(ports: Ports, token: str | None, *, from_cookie: bool = False) -> Viewer | None:
    """Return who bears a token, or None for a missing, unknown, ended or expired one; one statement.

    A token that was given as a cookie is good as a cookie alone, and any other is not, so that neither a script nor
    a planted cookie can turn one into the other. In the sandbox the same statement says where the clock stands, so
    that every process tells the same time.
    """
    row = await fetch_one(_FIND, token_hash(token)) if token and len(token) <= TOKEN_LENGTH_MAX else None
    if row is None:
        await follow_sandbox_clock(ports)
        return None
    _set_clock(ports, row["ahead_seconds"])
    if _ends_at(ports, row) is None or bool(row["in_browser"]) is not from_cookie:
        return None
    await _see(ports, row)
    return _viewer(ports, row)


def _viewer(ports: Ports, row: Row) -> Viewer:
    sign_in_id = read_uuid(row["sign_in_id"])
    if row["key_id"] is not None:
        return Viewer(sign_in_id, frozenset({Role(row["key_role"])}), key_id=read_uuid(row["key_id"]))
    common: dict[str, Any] = {
        "expires_at": read_time(row["expires_at"]),
        "channel": Channel(row["channel"]),
        "proved_at": read_time(row["proved_at"]) if row["proved_at"] else None,
    }
    if row["staff_id"] is None:
        return Viewer(sign_in_id, _HOLDER, account_id=read_uuid(row["id"]), account=row, **common)
    return Viewer(
        sign_in_id,
        frozenset(Role(code) for code in read_json(row["staff_roles"])),
        staff=Staff(read_uuid(row["staff_id"]), row["staff_email"], row["staff_name"], row["staff_locale"]),
        # In the sandbox everybody knows the password of the demo staff anyway.
        may_only_enrol=row["staff_factor_at"] is None and not ports.sandbox,
        **common,
    )


def _ends_at(ports: Ports, row: Row) -> datetime | None:
    """Return when a sign-in ends unless it is used again; None for one that lets nobody in any more."""
    if row["ended_at"] is not None:
        return None
    if row["key_id"] is not None:
        return _FOREVER
    is_staff = row["staff_id"] is not None
    if row["staff_disabled_at"] is not None or (not is_staff and row["status"] != AccountStatus.ACTIVE.value):
        return None
    lifetime = ports.lifetimes.of(Channel(row["channel"]), is_staff=is_staff)
    ends_at = min(read_time(row["expires_at"]), read_time(row["last_seen_at"]) + lifetime.idle)
    return ends_at if ends_at > ports.now() else None


async def lasting(ports: Ports, sign_in_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when each of these sign-ins ends unless it is used again; those that are over are left out."""
    if not sign_in_ids:
        return {}
    places = ", ".join(f"${n + 1}" for n in range(len(sign_in_ids)))
    rows = await fetch(f"select {_COLUMNS}, a.status from sign_ins s {_JOINS} where s.id in ({places})", *sign_in_ids)
    ends = {read_uuid(row["sign_in_id"]): _ends_at(ports, row) for row in rows}
    return {key: ends_at for key, ends_at in ends.items() if ends_at is not None}


async def has_ended(sign_in_id: UUID) -> bool:
    """Tell whether a sign-in was ended, for readers that were looked up some time ago."""
    row = await fetch_one("select ended_at from sign_ins where id = $1", sign_in_id)
    return row is None or row["ended_at"] is not None


class EndedSignIn(NamedTuple):
    """A sign-in that ended with the deletion that it asked for."""

    sign_in_id: UUID
    account_id: UUID


async def find_ended(ports: Ports, token: str | None, *, from_cookie: bool, within: timedelta) -> EndedSignIn | None:
    """Return the sign-in of a token that deleted its account, for so long after that; None for every other token.

    It lets nobody in: all that may be done with it is to ask for that deletion again (rule 18).
    """
    if not token or len(token) > TOKEN_LENGTH_MAX:
        return None
    row = await fetch_one(
        "select s.id, s.account_id, s.in_browser from sign_ins s join closures c on c.requested_by = s.id"
        " where s.token_hash = $1 and s.ended_at > $2 and c.kind = 'DELETE_ACCOUNT' and c.account_id = s.account_id",
        token_hash(token), ports.now() - within,
    )  # fmt: skip
    if row is None or bool(row["in_browser"]) is not from_cookie:
        return None
    return EndedSignIn(read_uuid(row["id"]), read_uuid(row["account_id"]))


async def follow_sandbox_clock(ports: Ports) -> None:
    """Take over where the sandbox's clock stands; elsewhere there is nothing to do."""
    if isinstance(ports.clock, SandboxClock):
        row = await fetch_one("select ahead_seconds from sandbox_clock where id = 1")
        _set_clock(ports, row["ahead_seconds"] if row else None)


def _set_clock(ports: Ports, ahead_seconds: float | None) -> None:
    if isinstance(ports.clock, SandboxClock):
        ports.clock.move_to(timedelta(seconds=ahead_seconds or 0.0))


async def _see(ports: Ports, row: Row) -> None:
    """Note that the bearer was here, as exactly as the lifetime asks for: a write at each request would cost much."""
    lifetime = ports.lifetimes.of(Channel(row["channel"]), is_staff=row["staff_id"] is not None)
    now = ports.now()
    if now - read_time(row["last_seen_at"]) > lifetime.seen_every:
        await execute("update sign_ins set last_seen_at = $1 where id = $2", now, read_uuid(row["sign_in_id"]))


class Bearer(NamedTuple):
    """Who signs in, from what: an account or a member of staff; `in_browser` when the token goes into a cookie."""

    owner_id: UUID
    is_staff: bool
    device: str
    channel: Channel
    in_browser: bool


async def begin_sign_in(ports: Ports, bearer: Bearer) -> tuple[str, UUID]:
    """Make a sign-in within the transaction under way; return its token, shown once, and its id."""
    token, sign_in_id, now = new_token(), uuid7(), ports.now()
    lifetime = ports.lifetimes.of(bearer.channel, is_staff=bearer.is_staff)
    await execute(
        "insert into sign_ins (id, token_hash, account_id, staff_id, key_id, device, channel, in_browser, proved_at,"
        " created_at, last_seen_at, expires_at, ended_at)"
        " values ($1, $2, $3, $4, null, $5, $6, $7, $8, $8, $8, $9, null)",
        sign_in_id, token_hash(token), None if bearer.is_staff else bearer.owner_id,
        bearer.owner_id if bearer.is_staff else None, bearer.device[:200], bearer.channel.value, bearer.in_browser,
        now, now + lifetime.absolute,
    )  # fmt: skip
    return token, sign_in_id


async def make_key(now: datetime, name: str, role: Role, token: str | None = None) -> str:
    """Make a key for the phone switch or a partner within the transaction under way; return its token, shown once."""
    token, key_id = token or new_token(), uuid7()
    await execute(
        "insert into api_keys (id, name, role, created_at) values ($1, $2, $3, $4)", key_id, name, role.value, now
    )
    await execute(
        "insert into sign_ins (id, token_hash, account_id, key_id, device, channel, in_browser, created_at,"
        " last_seen_at, expires_at, ended_at) values ($1, $2, null, $3, '', $4, $5, $6, $6, null, null)",
        uuid7(), token_hash(token), key_id, Channel.SYSTEM.value, False, now,
    )  # fmt: skip
    return token
