"""What the processor calls to say: kept first, once per event, then applied by work that asks it how things stand.

So neither the order of its calls nor what they claim matters: nothing is read from them but what they are about.
"""

from __future__ import annotations

import json
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.payments import Event, Subject
from api.adapters.ports import Ports
from api.domain.payment_data import payment_limits
from api.domain.payments import payment_of_key
from api.services import card_refunds, chargebacks, charges, due_work

WORK_KIND = "processor_event"

_log = structlog.get_logger("api.processor_events")


@transactional
async def receive(ports: Ports, event: Event) -> None:
    """Keep an event whose signature was checked, and make it due; a repeat changes nothing.

    What tells nothing new, e.g. of a payment that is decided, counts as applied at once.
    """
    now, event_key = ports.now(), uuid7()
    is_news = event.subject is not Subject.OTHER and not await _is_decided(event)
    is_new = await execute(
        "insert into processor_events (id, processor, event_id, kind, reference, payload, received_at, applied_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (processor, event_id) do nothing",
        event_key, ports.processor.name, event.id[:120], event.kind[:60], event.reference[:120],
        json.dumps({"subject": event.subject.value}), now, None if is_news else now,
    )  # fmt: skip
    if is_new and is_news:
        await due_work.enqueue(WORK_KIND, str(event_key), now, {"subject": event.subject.value})


async def apply(ports: Ports, claim: due_work.Claim) -> None:
    """Bring what an event is about up to what the processor says now; due work of kind "processor_event"."""
    event_key = UUID(claim.key)
    event = await fetch_one("select * from processor_events where id = $1", event_key)
    assert event is not None, "events are kept"
    subject = Subject(claim.payload["subject"])
    match subject:
        case Subject.CHARGE:
            is_known = await _apply_charge(ports, event["reference"])
        case Subject.DISPUTE:
            is_known = await chargebacks.follow(ports, event["reference"])
        case Subject.REFUND:
            is_known = await _apply_refund(ports, event["reference"])
        case Subject.OTHER:
            is_known = True
    if is_known:
        await _finish(ports, claim, event_key)
        return
    now = ports.now()
    is_over = now - read_time(event["received_at"]) >= payment_limits().unknown_event_lives
    if is_over:
        _log.error("the processor told of something unknown", event_id=event["event_id"], kind=event["kind"])
    retry_at = None if is_over else now + due_work.backoff(claim.failures + 1)
    await due_work.give_back(ports, claim, "what it is about is not known here", retry_at=retry_at)


async def _apply_charge(ports: Ports, reference: str) -> bool:
    payment = await _payment(reference)
    if payment is None:
        return False
    if charges.may_change(payment):
        await charges.ask_now(ports, read_uuid(payment["id"]))
    return True


async def _apply_refund(ports: Ports, reference: str) -> bool:
    """Ask how a part of a refund stands; what is over already changes no more."""
    part_id = payment_of_key(reference)
    return part_id is not None and await card_refunds.ask_part(ports, part_id)


async def _is_decided(event: Event) -> bool:
    payment = await _payment(event.reference) if event.subject is Subject.CHARGE else None
    return payment is not None and not charges.may_change(payment)


async def _payment(reference: str) -> Row | None:
    key = payment_of_key(reference)
    return await fetch_one("select * from payments where id = $1", key) if key else None


@transactional
async def _finish(ports: Ports, claim: due_work.Claim, event_key: UUID) -> None:
    await execute("update processor_events set applied_at = $1 where id = $2", ports.now(), event_key)
    await due_work.complete(claim)
