"""Holds: money set aside until a call or payment is decided. Each ends exactly once, under its balance's lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.ledger import HoldKind, HoldState, UpdateCause
from api.services.ledger import Balance, lock_balance, save
from api.services.plan_calls import release

EXPIRED_AT_ONCE = 100

_log = structlog.get_logger("api.holds")


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside, in cents, while it is PENDING."""

    id: UUID
    amount: int
    state: HoldState
    expires_at: datetime | None


async def find_hold(subject: UUID) -> Hold | None:
    """Return the hold of a call or payment; read it after the balance is locked."""
    row = await fetch_one("select id, amount, state, expires_at from holds where subject = $1", subject)
    if row is None:
        return None
    expires_at = read_time(row["expires_at"]) if row["expires_at"] else None
    return Hold(read_uuid(row["id"]), row["amount"], HoldState(row["state"]), expires_at)


async def place_hold(
    balance: Balance, kind: HoldKind, subject: UUID, amount: int, *, now: datetime, expires_at: datetime | None
) -> Balance:
    """Set money aside for a call, or note a payment as incoming; return the changed balance, not yet saved."""
    await execute(
        "insert into holds (id, balance_id, kind, subject, amount, state, created_at, expires_at, ended_at)"
        " values ($1, $2, $3, $4, $5, 'PENDING', $6, $7, null)",
        uuid7(), balance.id, kind.value, subject, amount, now, expires_at,
    )  # fmt: skip
    return _with_hold(balance, kind, amount)


async def extend_hold(balance: Balance, hold: Hold, amount: int, expires_at: datetime) -> Balance:
    """Make a pending call's hold `amount` cents large and last longer; return the balance, not yet saved."""
    await execute("update holds set amount = $1, expires_at = $2 where id = $3", amount, expires_at, hold.id)
    return _with_hold(balance, HoldKind.CALL, amount - hold.amount)


async def end_hold(balance: Balance, kind: HoldKind, hold: Hold, state: HoldState, now: datetime) -> Balance:
    """End a pending hold as POSTED, VOIDED or EXPIRED; return the changed balance, not yet saved."""
    await execute("update holds set state = $1, ended_at = $2 where id = $3", state.value, now, hold.id)
    return _with_hold(balance, kind, -hold.amount)


def _with_hold(balance: Balance, kind: HoldKind, change: int) -> Balance:
    if kind is HoldKind.CALL:
        return replace(balance, held=balance.held + change)
    return replace(balance, incoming=balance.incoming + change)


async def expire_holds(ports: Ports) -> int:
    """Expire the holds of calls that were never reported; return how many were due, at most EXPIRED_AT_ONCE.

    Each is a transaction of its own, so that no two balances are locked at once. A record that comes later still
    charges.
    """
    rows = await fetch(
        "select h.subject, b.service_account_id from holds h join balances b on b.id = h.balance_id"
        f" where h.state = 'PENDING' and h.kind = 'CALL' and h.expires_at <= $1 order by h.id limit {EXPIRED_AT_ONCE}",
        ports.now(),
    )
    for row in rows:
        try:
            await _expire(ports, read_uuid(row["service_account_id"]), read_uuid(row["subject"]))
        except IntegrityError:
            # One balance that cannot be right must not keep everybody else's money held.
            _log.exception("a hold could not be expired", call=str(row["subject"]))
    return len(rows)


@transactional
async def _expire(ports: Ports, service_account_id: UUID, subject: UUID) -> None:
    now = ports.now()
    balance = await lock_balance(service_account_id)
    hold = await find_hold(subject)
    assert balance is not None, "a hold belongs to a balance"
    if hold is None or hold.state is not HoldState.PENDING or hold.expires_at is None or hold.expires_at > now:
        return
    if hold.amount == 0:
        # A call within a plan holds no money, but one of the plan's calls.
        await release(ports, balance.account_id, subject)
    balance = await end_hold(balance, HoldKind.CALL, hold, HoldState.EXPIRED, now)
    await save(balance, now, UpdateCause.CALL_RELEASED)


async def next_expiry(until: datetime) -> datetime | None:
    """Return when the next hold of a call expires, up to `until`; None when none does."""
    row = await fetch_one(
        "select min(expires_at) as at from holds where state = 'PENDING' and kind = 'CALL' and expires_at <= $1", until
    )
    return read_time(row["at"]) if row and row["at"] else None
