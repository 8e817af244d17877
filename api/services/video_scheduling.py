"""Scheduling video visits: covered by a plan, by a visit that is owed, or paid by a quote while the time is kept.

Account and person are locked while the time is looked at, so of two at once that overlap one is scheduled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.payments import PaymentPurpose
from api.domain.video_sessions import PlaceStatus, video_session_terms
from api.services import due_work
from api.services.idempotency import claim_key, find_result
from api.services.open_accounts import lock_open_account
from api.services.payments import Intent, Order, Paid, commit_to, quote_of, refuse_return_url, send
from api.services.video_covers import Cover, find_cover
from api.services.video_mails import mail_holder
from api.services.video_places import Wish, find_place, unpaid_faults
from api.services.video_sessions import PAYMENT_WORK, expect, find_session, move, session_of_payment

MUTATION = "scheduleVideoSession"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the holder asked for. Quote and card are both there, or neither: then a plan is to cover it."""

    wish: Wish
    quote_id: UUID | None
    method_id: UUID | None
    return_url: str | None
    idempotency_key: str
    client: str = ""

    def facts(self) -> dict[str, str]:
        """Return what must be the same upon a replay."""
        wish = self.wish
        return {
            "facility": str(wish.facility_id), "person": str(wish.person_id), "minutes": str(wish.minutes),
            "begins": wish.begins.astimezone(UTC).isoformat(),
        }  # fmt: skip


class Scheduled(NamedTuple):
    """The visit, None until it is paid; the payment, where there is one; and whether the key was used before."""

    session: Row | None
    paid: Paid | None
    replayed: bool


async def schedule(ports: Ports, account_id: UUID, request: Request) -> Scheduled:
    """Schedule a visit, once per key; paid by the quote where one is given. Nothing of it is refunded (rule 25).

    Raises Refused with all that is wrong, before the processor is asked; a decline comes back with the payment, and the
    time is free again then.
    """
    refuse_if(_pair_faults(request))
    if request.quote_id is None or request.method_id is None:
        session_id, replayed = await _schedule_covered(ports, account_id, request)
        return Scheduled(await find_session(session_id), None, replayed)
    order = Order(request.quote_id, request.method_id, request.return_url, request.idempotency_key, request.client)
    refuse_return_url(ports, order)
    paid = await send(ports, account_id, order, await _begin_paid(ports, account_id, order, request))
    return Scheduled(await session_of_payment(read_uuid(paid.payment["id"])), paid, paid.replayed)


def _pair_faults(request: Request) -> list[Fault]:
    if (request.quote_id is None) is (request.method_id is None):
        return []
    missing = "quoteId" if request.quote_id is None else "paymentMethodId"
    return [Fault(ErrorCode.REQUIRED, "errors.required", ("input", missing))]


@transactional
async def _schedule_covered(ports: Ports, account_id: UUID, request: Request) -> tuple[UUID, bool]:
    """Schedule what a plan covers or what is owed; return the visit's id, and whether this was a replay."""
    await lock_open_account(account_id)
    now, wish, session_id = ports.now(), request.wish, uuid7()
    cover = await find_cover(account_id, wish, now)
    if cover.owed is not None:
        session_id = read_uuid(cover.owed["id"])
    facts = {**request.facts(), "quote": None, "method": None}
    claimed = await claim_key(account_id, request.idempotency_key, MUTATION, facts, session_id, now)
    if not claimed.is_new:
        return claimed.result_id, True
    place = await find_place(account_id, wish, now)
    refuse_if([*place.faults, *_cover_faults(cover)])
    assert place.service is not None, "a service that is not there is a fault"
    if cover.subscription is not None:
        await _insert(
            session_id, account_id, place.service, wish, now,
            subscription_id=read_uuid(cover.subscription["id"]), status=PlaceStatus.SCHEDULED,
        )  # fmt: skip
        session = await _row(session_id)
        await expect(session, now)
    else:
        await execute(
            "update video_sessions set person_id = $1, scheduled_for = $2, ends_at = $3 where id = $4",
            wish.person_id, wish.begins, wish.ends, session_id,
        )  # fmt: skip
        await move(await _row(session_id), PlaceStatus.SCHEDULED, now)
        session = await _row(session_id)
    await mail_holder(ports, session, "scheduled")
    return session_id, False


def _cover_faults(cover: Cover) -> list[Fault]:
    if cover.subscription is not None or cover.owed is not None:
        return []
    if cover.until is not None:
        params = {"date": cover.until}
        return [Fault(ErrorCode.INVALID, "video_sessions.after_plan", ("input", "scheduledFor"), params)]
    return [Fault(ErrorCode.REQUIRED, "video_sessions.not_covered", ("input", "quoteId"))]


@transactional
async def _begin_paid(ports: Ports, account_id: UUID, order: Order, request: Request) -> Intent:
    """Commit to the payment and keep the time for it; a repeat does neither again."""
    quote, wish, now = await quote_of(account_id, order), request.wish, ports.now()
    if PaymentPurpose(quote["purpose"]) is not PaymentPurpose.VIDEO_SESSION:
        raise Refused(Fault(ErrorCode.INVALID, "video_sessions.no_visits_quote", ("input", "quoteId")))
    await lock_open_account(account_id)
    cover, place = await find_cover(account_id, wish, now), await find_place(account_id, wish, now)
    faults = [*(place.faults or await unpaid_faults(account_id)), *_quote_faults(quote, wish)]
    if cover.subscription is not None or cover.owed is not None:
        faults.append(Fault(ErrorCode.INVALID, "video_sessions.covered", ("input", "quoteId")))
    is_repeat = await find_result(account_id, order.idempotency_key, MUTATION) is not None
    intent = await commit_to(ports, account_id, order, quote, MUTATION, request.facts(), faults)
    payment_id = read_uuid(intent.payment["id"])
    if intent.method is None:
        # A repeat has the same input, also where the visit was owed and has got another time since.
        if not is_repeat:
            await _refuse_other_visit(payment_id, wish)
        return intent
    assert place.service is not None, "a service that is not there is a fault"
    session_id = uuid7()
    await _insert(
        session_id, account_id, place.service, wish, now,
        payment_id=payment_id, status=PlaceStatus.AWAITING_PAYMENT,
    )  # fmt: skip
    until = min(now + video_session_terms().payment_lasts, wish.begins)
    await due_work.enqueue(PAYMENT_WORK, str(session_id), until)
    return intent


def _quote_faults(quote: Row, wish: Wish) -> list[Fault]:
    same = (read_uuid(quote["facility_id"]), quote["duration_minutes"]) == (wish.facility_id, wish.minutes)
    return [] if same else [Fault(ErrorCode.INVALID, "video_sessions.other_quote", ("input", "quoteId"))]


async def _refuse_other_visit(payment_id: UUID, wish: Wish) -> None:
    """Raise Refused where the quote was paid before for another visit, so that nobody takes that one for this."""
    row = await fetch_one("select * from video_sessions where payment_id = $1", payment_id)
    if row is None:
        return
    paid = Wish(
        read_uuid(row["facility_id"]), read_uuid(row["person_id"]), read_time(row["scheduled_for"]),
        row["duration_minutes"],
    )  # fmt: skip
    if paid != wish:
        facts = {"current_state": row["status"], "allowed_actions": ("quotePayment",)}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "video_sessions.quote_used", ("input", "quoteId"), facts=facts))


async def _insert(
    session_id: UUID,
    account_id: UUID,
    service: Row,
    wish: Wish,
    now: datetime,
    *,
    status: PlaceStatus,
    subscription_id: UUID | None = None,
    payment_id: UUID | None = None,
) -> None:
    await execute(
        "insert into video_sessions (id, account_id, service_account_id, facility_id, person_id, subscription_id,"
        " payment_id, status, scheduled_for, ends_at, duration_minutes, created_at, ended_at, reported_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, null, null)",
        session_id, account_id, read_uuid(service["id"]), wish.facility_id, wish.person_id, subscription_id, payment_id,
        status.value, wish.begins, wish.ends, wish.minutes, now,
    )  # fmt: skip


async def _row(session_id: UUID) -> Row:
    row = await fetch_one("select * from video_sessions where id = $1", session_id)
    assert row is not None
    return row
