"""Low balances: alerts to their holders, and the work that lets alert, AutoPay and TextPay act once per crossing."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.faults import Fault, refuse_if
from api.domain.money import format_money
from api.domain.notifications import NotificationTopic
from api.services import auto_pays, due_work, text_pays
from api.services.ledger import Balance, lock_balance
from api.services.notifications import notify
from api.services.thresholds import has_crossed, refresh_low_below
from api.services.top_up_charges import Begun, send_top_up
from api.services.top_up_settings import account_row, lock_prepaid, read_cents, threshold_faults


async def set_alert(ports: Ports, account_id: UUID, service_id: UUID, threshold: Decimal | None) -> Row:
    """Have the holder told when a balance falls below a threshold, in dollars; None ends that.

    Return the service's row. A balance that is low already is not told of: the holder sees it. A repeat changes
    nothing. Raises Refused.
    """
    faults: list[Fault] = []
    cents = read_cents(threshold, "threshold", faults) if threshold is not None else None
    faults += threshold_faults(cents or 0)
    refuse_if(Fault(f.code, f.key, ("threshold",), f.params, f.facts) for f in faults)
    return await _set_alert(ports, account_id, service_id, cents)


@transactional
async def _set_alert(ports: Ports, account_id: UUID, service_id: UUID, cents: int | None) -> Row:
    service, balance = await lock_prepaid(account_id, service_id, "serviceAccountId")
    if cents is None:
        await execute("delete from low_balance_alerts where service_account_id = $1", service_id)
    else:
        told_sequence = balance.sequence if balance.posted < cents else None
        await execute(
            "insert into low_balance_alerts (id, service_account_id, threshold, told_sequence) values ($1, $2, $3, $4)"
            " on conflict (service_account_id) do update set threshold = excluded.threshold,"
            " told_sequence = excluded.told_sequence",
            uuid7(), service_id, cents, told_sequence,
        )  # fmt: skip
    await refresh_low_below(balance, ports.now())
    return service


async def alert_threshold(service_id: UUID) -> int | None:
    """Return the threshold of a service's alert in cents; None where there is none."""
    row = await fetch_one("select threshold from low_balance_alerts where service_account_id = $1", service_id)
    return int(row["threshold"]) if row else None


async def look_at_low_balance(ports: Ports, claim: due_work.Claim) -> None:
    """Let each mechanism act on a balance that fell low; due work of kinds "low_balance" and "auto_pay"."""
    begun = await _look(ports, claim)
    if begun is not None:
        await send_top_up(ports, begun)


@transactional
async def _look(ports: Ports, claim: due_work.Claim) -> Begun | None:
    balance = await lock_balance(UUID(claim.key))
    # What falls low from here on waits for the lock, finds no work any more, and makes it due anew.
    await due_work.complete(claim)
    if balance is None or not await _is_open(balance):
        return None
    await _alert(ports, balance)
    await text_pays.look(ports, balance)
    return await auto_pays.look(ports, balance)


async def _is_open(balance: Balance) -> bool:
    row = await fetch_one(
        "select s.id from service_accounts s join accounts a on a.id = s.account_id"
        " where s.id = $1 and s.status = 'ACTIVE' and a.status in ('ACTIVE', 'LOCKED')",
        balance.service_account_id,
    )
    return row is not None


async def _alert(ports: Ports, balance: Balance) -> None:
    row = await fetch_one("select * from low_balance_alerts where service_account_id = $1", balance.service_account_id)
    if row is None or not await has_crossed(balance, row["threshold"], row["told_sequence"]):
        return
    await execute(
        "update low_balance_alerts set told_sequence = $1 where id = $2", balance.sequence, read_uuid(row["id"])
    )
    account = await account_row(balance.account_id)
    locale = account["locale"]
    await notify(
        ports, account, NotificationTopic.LOW_BALANCE, "top_ups.alert",
        key=f"low-balance-{read_uuid(row['id'])}-{balance.sequence}",
        params={
            "balance": format_money(balance.posted, locale), "threshold": format_money(row["threshold"], locale),
        },
    )  # fmt: skip
