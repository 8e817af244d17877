"""Closing what was not used for long, as a state's rule has it: the notice, the holder's no, the closing (rule 26)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.accounts import Channel
from api.domain.closures import ClosureKind
from api.domain.days import day_of, start_of
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.inactivity import Act
from api.domain.notifications import NotificationTopic
from api.domain.service_accounts import Product, ServiceStatus
from api.services import due_work
from api.services.activity import note
from api.services.closure_begins import Begun, begin_closing
from api.services.closure_facts import open_services, read_facts
from api.services.inactivity_plans import WORK_KIND, Standing, standing_of
from api.services.ledger import Balance, lock_balance
from api.services.mails import KEEP_ACTIVE, Link
from api.services.named_links import read_named_token
from api.services.notifications import notify
from api.services.service_accounts import find_service

_ANOTHER_DAY = timedelta(days=1)


@transactional
async def look(ports: Ports, claim: due_work.Claim) -> None:
    """Give a service's notice, close it, or look again when that comes; due work of kind "inactivity".

    Activity, address and status are read under the locks of the balance and of the account, which whoever changes them
    takes too.
    """
    service_id, now = UUID(claim.key), ports.now()
    balance = await lock_balance(service_id)
    assert balance is not None, "AdvanceConnect has a balance, and services are never deleted"
    account = await fetch_one("select * from accounts where id = $1 for update", balance.account_id)
    assert account is not None, "accounts are never deleted"
    await due_work.complete(claim)
    found = await standing_of(service_id, now)
    due = found.due(day_of(now)) if found else None
    if found is None or due is None:
        return
    if due.act is Act.WAIT:
        await due_work.enqueue(WORK_KIND, claim.key, start_of(due.on))
    elif balance.incoming:
        # A deposit that is under way keeps the service, unless it fails.
        await due_work.enqueue(WORK_KIND, claim.key, start_of(day_of(now) + _ANOTHER_DAY))
    elif due.act is Act.NOTICE:
        await _notice(ports, account, service_id, found, now)
    else:
        await _close(ports, claim, account, balance, found)


async def _notice(ports: Ports, account: Row, service_id: UUID, found: Standing, now: datetime) -> None:
    """Tell the holder on which day the service closes, and look again then."""
    await execute(
        "insert into activeness (id, service_account_id, kept_at, noticed_at) values ($1, $2, null, $3)"
        " on conflict (service_account_id) do update set noticed_at = excluded.noticed_at",
        uuid7(), service_id, now,
    )  # fmt: skip
    closes_on = found._replace(noticed_at=now).closes_on(day_of(now))
    service = await find_service(found.account_id, service_id)
    assert found.rule is not None
    assert closes_on is not None
    assert service is not None
    params = {"number": service["number"], "days": str(found.rule.days), "date": closes_on.isoformat()}
    await notify(
        ports, account, NotificationTopic.INACTIVITY, "inactivity.notice", params=params,
        key=f"inactivity-{service_id}-{day_of(now)}", link=Link(KEEP_ACTIVE, (str(service_id),)),
    )  # fmt: skip
    await due_work.enqueue(WORK_KIND, str(service_id), start_of(closes_on))


async def _close(ports: Ports, claim: due_work.Claim, account: Row, balance: Balance, found: Standing) -> None:
    """Close the service in the same way as its holder would, whose money is refunded alike; a day later where a plan
    of it is being renewed."""
    assert found.rule is not None
    service_id, now = balance.service_account_id, ports.now()
    services = await open_services(found.account_id, service_id)
    facts = await read_facts(ports, account, service_id, services, {service_id: balance}, now)
    if any(row["renewal_id"] for row in facts.subscriptions):
        await due_work.enqueue(WORK_KIND, claim.key, start_of(day_of(now) + _ANOTHER_DAY))
        return
    begun = Begun(
        ClosureKind.INACTIVITY, Channel.SYSTEM, reason=found.rule.citation, rule_state=found.rule.state
    )  # fmt: skip
    _, in_flight = await begin_closing(ports, uuid7(), facts, begun, now)
    assert not in_flight, "a deposit or a renewal that is under way puts the closing off"


@transactional
async def keep_active(ports: Ports, account_id: UUID, service_id: UUID, channel: Channel) -> Row:
    """Note that the holder wants to keep a service, from which its days without activity count anew; return its row.

    A notice that was given counts no more. A repeat on the same day changes nothing. Raises Refused: NOT_FOUND for what
    is not the holder's; INVALID for another product; ACCOUNT_CLOSED for what is closed or being closed.
    """
    balance, now, path = await lock_balance(service_id), ports.now(), ("serviceAccountId",)
    service = await find_service(account_id, service_id)
    if service is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", path))
    if Product(service["product"]) is not Product.ADVANCE_CONNECT:
        raise Refused(Fault(ErrorCode.INVALID, "inactivity.not_of_product", path))
    assert balance is not None
    if service["status"] != ServiceStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "closures.service_closed", path))
    kept = await fetch_one("select kept_at, noticed_at from activeness where service_account_id = $1", service_id)
    if kept and kept["kept_at"] and not kept["noticed_at"] and day_of(read_time(kept["kept_at"])) == day_of(now):
        return service
    await execute(
        "insert into activeness (id, service_account_id, kept_at, noticed_at) values ($1, $2, $3, null)"
        " on conflict (service_account_id) do update set kept_at = excluded.kept_at, noticed_at = null",
        uuid7(), service_id, now,
    )  # fmt: skip
    await note(ports, account_id, "service_kept", channel=channel, params={"number": service["number"]})
    return service


async def service_of_link(ports: Ports, token: str) -> Row | None:
    """Return the open service that a link of a notice keeps; None once it closes, or for a link that is not ours."""
    service_id = read_named_token(ports.secrets, KEEP_ACTIVE, token)
    return await fetch_one(
        "select * from service_accounts where id = $1 and status = $2", service_id, ServiceStatus.ACTIVE.value
    ) if service_id else None  # fmt: skip


async def keep_by_link(ports: Ports, token: str) -> bool:
    """Keep the service that a link of a notice is of; False where the link is not, or no longer, good."""
    service = await service_of_link(ports, token)
    if service is None:
        return False
    try:
        await keep_active(ports, read_uuid(service["account_id"]), read_uuid(service["id"]), Channel.WEB)
    except Refused:
        return False  # It was closed meanwhile.
    return True
