"""Balances: reading them, and following them live."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.adapters.database import fetch, read_time, through_outages
from api.adapters.live import Watcher, WatcherEnded
from api.adapters.ports import Ports
from api.auth.sign_ins import has_ended
from api.domain.ledger import TransactionKind, UpdateCause
from api.domain.service_accounts import HAS_PHONES
from api.services.ledger import Balance, Entry

OUT_OF_ORDER_SECONDS_MAX = 0.25
"""How long a revision that came too early waits for the ones before it; after that the newest state goes out."""

_SHOWN = tuple(sorted(product.value for product in HAS_PHONES))


@dataclass(frozen=True, slots=True)
class Change:
    """A balance's whole new state and why it changed."""

    balance: Balance
    cause: UpdateCause
    entry: Entry | None
    at: datetime


async def open_balances(account_id: UUID, service_account_id: UUID | None = None) -> list[Balance]:
    """Return the money balances of an account's open services, oldest first, or of one service; one statement."""
    rows = await fetch(
        "select b.* from balances b join service_accounts s on s.id = b.service_account_id"
        " where b.account_id = $1 and s.status <> 'CLOSED' and b.product in ($2, $3)"
        + (" and b.service_account_id = $4" if service_account_id else "")
        + " order by b.id",
        account_id, *_SHOWN, *([service_account_id] if service_account_id else []),
    )  # fmt: skip
    return [Balance.of(row) for row in rows]


async def balances_of(service_account_ids: list[UUID]) -> list[Balance]:
    """Return the balances of services, in their order; one statement. Each of them must have one."""
    places = ", ".join(f"${n + 1}" for n in range(len(service_account_ids)))
    rows = await fetch(f"select * from balances where service_account_id in ({places})", *service_account_ids)
    found = {balance.service_account_id: balance for balance in map(Balance.of, rows)}
    return [found[key] for key in service_account_ids]


async def watch(
    ports: Ports, account_id: UUID, sign_in_id: UUID, service_account_id: UUID | None = None
) -> AsyncGenerator[Change, None]:
    """Give the state as it is, then each change of it, in order of revision, until the sign-in ends.

    The watcher is registered before the state is read, so nothing between the two is missed. A reader that keeps up
    gets every revision; one that does not gets the newest state instead of a growing queue (rule 35).
    """
    with ports.live.watch(account_id, sign_in_id) as watcher:
        # The sign-in may have ended after it was looked up, and nobody was there yet to be told.
        if await has_ended(sign_in_id):
            return
        last: dict[UUID, int] = {}
        early: dict[UUID, dict[int, Change]] = {}
        for balance in await open_balances(account_id, service_account_id):
            last[balance.id] = balance.revision
            yield Change(balance, UpdateCause.SNAPSHOT, None, ports.now())
        while True:
            try:
                change = await _next(watcher, patient=not early)
            except WatcherEnded:
                return
            except TimeoutError:
                for waiting in early.values():
                    for revision in sorted(waiting):
                        last[waiting[revision].balance.id] = revision
                        yield waiting[revision]
                early.clear()
                continue
            if change is None:
                # What was lost may have been the end of the sign-in.
                if await through_outages(lambda: has_ended(sign_in_id)):
                    return
                early.clear()
                for balance in await through_outages(lambda: open_balances(account_id, service_account_id)):
                    if balance.revision > last.get(balance.id, -1):
                        last[balance.id] = balance.revision
                        yield Change(balance, UpdateCause.SNAPSHOT, None, ports.now())
                continue
            key = change.balance.id
            if service_account_id not in (None, change.balance.service_account_id):
                continue
            if change.balance.revision <= last.get(key, -1):
                continue
            waiting = early.setdefault(key, {})
            waiting[change.balance.revision] = change
            while (following := last.get(key, change.balance.revision - 1) + 1) in waiting:
                last[key] = following
                yield waiting.pop(following)
            if not waiting:
                del early[key]


async def _next(watcher: Watcher, *, patient: bool) -> Change | None:
    while True:
        event = await watcher.next(None if patient else OUT_OF_ORDER_SECONDS_MAX)
        if event is None:
            return None
        if event["kind"] == "balance":
            return read_change(event)


def read_change(event: dict[str, Any]) -> Change:
    """Read an event of kind "balance", see ledger.balance_body."""
    entry = event["entry"]
    balance = Balance.of(event["balance"])
    return Change(
        balance,
        UpdateCause(event["cause"]),
        entry
        and Entry(
            id=UUID(entry["id"]),
            kind=TransactionKind(entry["kind"]),
            sequence=entry["sequence"],
            amount=entry["amount"],
            balance_after=entry["balance_after"],
            occurred_at=read_time(entry["occurred_at"]),
            posted_at=read_time(entry["posted_at"]),
            call_id=entry["call_id"] and UUID(entry["call_id"]),
            payment_id=entry["payment_id"] and UUID(entry["payment_id"]),
            # Events from before there were refunds do not name one.
            refund_id=UUID(entry["refund_id"]) if entry.get("refund_id") else None,
        ),
        balance.changed_at,
    )
