"""Sign-ins: the one table that is looked up at every request, and what a bearer may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.clock import SandboxClock
from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid
from api.adapters.ports import Ports
from api.auth.tokens import new_token, token_hash
from api.domain.accounts import AccountStatus, Channel, Role

TOKEN_LENGTH_MAX = 200
SEEN_EVERY = timedelta(minutes=5)
LIFETIME = {Channel.WEB: timedelta(days=14), Channel.IOS: timedelta(days=180), Channel.ANDROID: timedelta(days=180)}
IDLE = {Channel.WEB: timedelta(days=1), Channel.IOS: timedelta(days=30), Channel.ANDROID: timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking. `account` is the holder's row as the database has it; None for a key.

    `channel` is what the sign-in came by; `proved_at` is when its bearer gave the password last.
    """

    sign_in_id: UUID
    roles: frozenset[Role]
    account_id: UUID | None = None
    account: Row | None = None
    key_id: UUID | None = None
    expires_at: datetime | None = None
    channel: Channel = Channel.SYSTEM
    proved_at: datetime | None = None


_HOLDER = frozenset({Role.CUSTOMER})
_FIND = """
select s.id as sign_in_id, s.channel, s.last_seen_at, s.expires_at, s.ended_at, s.proved_at, s.key_id,
       k.role as key_role, c.ahead_seconds, a.*
  from sign_ins s
  left join accounts a on a.id = s.account_id
  left join api_keys k on k.id = s.key_id
  left join sandbox_clock c on c.id = 1
 where s.token_hash = $1
"""


async def find_viewer(ports: Ports, token: str | None) -> Viewer | None:
    """Return who bears a token, or None for a missing, unknown, ended or expired one; one statement.

    In the sandbox the same statement says where the clock stands, so that every process tells the same time.
    """
    row = await fetch_one(_FIND, token_hash(token)) if token and len(token) <= TOKEN_LENGTH_MAX else None
    if row is None:
        await follow_sandbox_clock(ports)
        return None
    _set_clock(ports, row["ahead_seconds"])
    now = ports.now()
    last_seen_at = read_time(row["last_seen_at"])
    expires_at = read_time(row["expires_at"]) if row["expires_at"] else None
    if row["ended_at"] is not None or (expires_at is not None and expires_at <= now):
        return None
    sign_in_id = read_uuid(row["sign_in_id"])
    if row["key_id"] is not None:
        await _see(sign_in_id, last_seen_at, now)
        return Viewer(sign_in_id, frozenset({Role(row["key_role"])}), key_id=read_uuid(row["key_id"]))
    if now - last_seen_at > IDLE[Channel(row["channel"])] or row["status"] != AccountStatus.ACTIVE.value:
        return None
    await _see(sign_in_id, last_seen_at, now)
    return Viewer(
        sign_in_id,
        _HOLDER,
        account_id=read_uuid(row["id"]),
        account=row,
        expires_at=expires_at,
        channel=Channel(row["channel"]),
        proved_at=read_time(row["proved_at"]) if row["proved_at"] else None,
    )


async def has_ended(sign_in_id: UUID) -> bool:
    """Tell whether a sign-in was ended, for readers that were looked up some time ago."""
    row = await fetch_one("select ended_at from sign_ins where id = $1", sign_in_id)
    return row is None or row["ended_at"] is not None


async def follow_sandbox_clock(ports: Ports) -> None:
    """Take over where the sandbox's clock stands; elsewhere there is nothing to do."""
    if isinstance(ports.clock, SandboxClock):
        row = await fetch_one("select ahead_seconds from sandbox_clock where id = 1")
        _set_clock(ports, row["ahead_seconds"] if row else None)


def _set_clock(ports: Ports, ahead_seconds: float | None) -> None:
    if isinstance(ports.clock, SandboxClock):
        ports.clock.move_to(timedelta(seconds=ahead_seconds or 0.0))


async def _see(sign_in_id: UUID, last_seen_at: datetime, now: datetime) -> None:
    """Note that the bearer was here, at most once in five minutes: a write at each request would cost too much."""
    if now - last_seen_at > SEEN_EVERY:
        await execute("update sign_ins set last_seen_at = $1 where id = $2", now, sign_in_id)


async def begin_sign_in(now: datetime, account_id: UUID, *, device: str, channel: Channel) -> tuple[str, UUID]:
    """Make a sign-in within the transaction under way; return its token, shown once, and its id.

    It counts as a proof of the password, so call it only once that was checked.
    """
    token, sign_in_id = new_token(), uuid7()
    await execute(
        "insert into sign_ins (id, token_hash, account_id, key_id, in_browser, proved_at, device, channel, created_at,"
        " last_seen_at, expires_at, ended_at) values ($1, $2, $3, null, $4, $5, $6, $7, $5, $5, $8, null)",
        sign_in_id, token_hash(token), account_id, False, now, device[:200], channel.value, now + LIFETIME[channel],
    )  # fmt: skip
    return token, sign_in_id


async def make_key(now: datetime, name: str, role: Role, token: str | None = None) -> str:
    """Make a key for the phone switch or a partner within the transaction under way; return its token, shown once."""
    token, key_id = token or new_token(), uuid7()
    await execute(
        "insert into api_keys (id, name, role, created_at) values ($1, $2, $3, $4)", key_id, name, role.value, now
    )
    await execute(
        "insert into sign_ins (id, token_hash, account_id, key_id, in_browser, device, channel, created_at,"
        " last_seen_at, expires_at, ended_at) values ($1, $2, null, $3, $4, '', $5, $6, $6, null, null)",
        uuid7(), token_hash(token), key_id, False, Channel.SYSTEM.value, now,
    )  # fmt: skip
    return token
