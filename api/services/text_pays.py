"""TextPay: when a balance falls below its threshold a text offers the preset amount, and "Yes" charges it (rule 17)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, count_try
from api.auth.phones import phone_to_e164
from api.auth.sign_ins import Viewer
from api.domain.agreements import AgreementKind
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.money import format_money
from api.domain.payments import PaymentChannel, PaymentStatus
from api.domain.top_ups import OfferState, TextPayState, top_up_rules
from api.services import due_work
from api.services.activity import note
from api.services.auto_pays import end_auto_pay, find_auto_pay
from api.services.ledger import Balance, lock_balance
from api.services.sms import is_stopped, queue_text
from api.services.text_pay_ends import OFFER_KIND, end_offer, end_text_pay, find_text_pay, open_offer
from api.services.thresholds import has_crossed, refresh_low_below
from api.services.top_up_charges import begin_top_up, deposit_lines, not_before, usable_method, withdraw
from api.services.top_up_settings import (
    Terms,
    account_row,
    amount_faults,
    consent_faults,
    keep_consent,
    lock_prepaid,
    own_method,
    read_cents,
    threshold_faults,
)


class TextPaySettings(NamedTuple):
    """What the holder sets; amounts in dollars as typed."""

    phone: str
    threshold: Decimal
    amount: Decimal
    method_id: UUID
    accept_mandate: bool
    accept_sms: bool
    agreement_version: str


async def set_text_pay(ports: Ports, viewer: Viewer, service_id: UUID, settings: TextPaySettings) -> Row:
    """Set TextPay of a service anew, which ends its AutoPay; while the balance is low an offer goes out at once. Return
    the service's row. Raises Refused, with all faults of the input at once, and RATE_LIMITED where it was set too
    often: a holder who types another's number could have it texted again and again."""
    faults: list[Fault] = []
    threshold = read_cents(settings.threshold, "threshold", faults)
    amount = read_cents(settings.amount, "amount", faults)
    faults += [*amount_faults(amount), *threshold_faults(threshold, "input", "threshold")]
    phone = phone_to_e164(settings.phone)
    if phone is None:
        faults.append(Fault(ErrorCode.INVALID, "sign_ups.phone_invalid", ("input", "phone")))
    elif await is_stopped(ports, phone):
        faults.append(Fault(ErrorCode.INVALID, "top_ups.phone_stopped", ("input", "phone")))
    version = settings.agreement_version
    faults += consent_faults(
        AgreementKind.TEXTPAY, version, acceptMandate=settings.accept_mandate, acceptSms=settings.accept_sms
    )
    refuse_if(faults)
    assert phone is not None
    assert viewer.account_id is not None
    tries = (Limit.TEXT_PAYS_PER_ACCOUNT, str(viewer.account_id)), (Limit.TEXT_PAYS_PER_PHONE, phone)
    await count_try(ports, *tries)
    terms = Terms(threshold, amount, settings.method_id, version)
    service, in_flight = await _set(ports, viewer, service_id, terms, phone)
    if in_flight is not None:
        await withdraw(ports, in_flight)
    return service


@transactional
async def _set(ports: Ports, viewer: Viewer, service_id: UUID, terms: Terms, phone: str) -> tuple[Row, UUID | None]:
    assert viewer.account_id is not None
    service, balance = await lock_prepaid(viewer.account_id, service_id, "input", "serviceAccountId")
    method, account = await own_method(ports, viewer.account_id, terms.method_id), await account_row(viewer.account_id)
    taken = await fetch_one("select service_account_id from text_pays where live_phone = $1", phone)
    if taken and read_uuid(taken["service_account_id"]) != service_id:
        raise _phone_taken()
    await end_text_pay(ports, service_id)
    in_flight = await end_auto_pay(ports, service_id)
    consent_id = await keep_consent(ports, account, AgreementKind.TEXTPAY, terms, method, viewer.channel)
    try:
        await execute(
            "insert into text_pays (id, account_id, service_account_id, method_id, phone, live_phone, state, threshold,"
            " amount, consent_id, told_sequence, set_at, ended_at)"
            " values ($1, $2, $3, $4, $5, $5, 'ON', $6, $7, $8, null, $9, null)"
            " on conflict (service_account_id) do update set method_id = excluded.method_id, phone = excluded.phone,"
            " live_phone = excluded.live_phone, state = excluded.state, threshold = excluded.threshold,"
            " amount = excluded.amount, consent_id = excluded.consent_id, told_sequence = null,"
            " set_at = excluded.set_at, ended_at = null",
            uuid7(), viewer.account_id, service_id, terms.method_id, phone, terms.threshold, terms.amount, consent_id,
            ports.now(),
        )  # fmt: skip
    except IntegrityError as error:
        raise _phone_taken() from error
    await note(ports, viewer.account_id, "text_pay_set", channel=viewer.channel)
    balance = await refresh_low_below(balance, ports.now())
    await look(ports, balance)
    return service, in_flight


def _phone_taken() -> Refused:
    return Refused(Fault(ErrorCode.INVALID, "top_ups.phone_taken", ("input", "phone")))


@transactional
async def cancel_text_pay(ports: Ports, viewer: Viewer, service_id: UUID) -> Row:
    """End TextPay and take its offer back: a Yes after this charges nothing. What a Yes has begun goes on.

    Return the service's row; a repeat changes nothing. Raises Refused: INVALID_STATE where there never was one.
    """
    assert viewer.account_id is not None
    service, balance = await lock_prepaid(viewer.account_id, service_id, "serviceAccountId")
    if await find_text_pay(service_id) is None:
        facts = {"current_state": TextPayState.TERMINATED.value, "allowed_actions": ("setTextPay",)}
        raise Refused(Fault(ErrorCode.INVALID_STATE, "errors.invalid_state", ("serviceAccountId",), facts=facts))
    if await end_text_pay(ports, service_id):
        await note(ports, viewer.account_id, "text_pay_cancelled", channel=viewer.channel)
        await refresh_low_below(balance, ports.now())
    return service


async def look(ports: Ports, balance: Balance) -> None:
    """Offer by text if a locked balance calls for it: once per crossing, one offer at a time, none while AutoPay or a
    Yes is under way. Part of the transaction under way."""
    row, now = await find_text_pay(balance.service_account_id), ports.now()
    if row is None or row["state"] in (TextPayState.TERMINATED.value, TextPayState.AWAITING_REPLY.value):
        return
    if await _is_charging(row) or not await has_crossed(balance, row["threshold"], row["told_sequence"]):
        return
    method = await fetch_one("select last4 from payment_methods where id = $1", read_uuid(row["method_id"]))
    assert method is not None, "cards are never deleted"
    offer_id, expires_at = uuid7(), now + top_up_rules().offer_lives
    total = sum(line.amount for line in await deposit_lines(balance, row["amount"], now))
    await execute(
        "insert into text_offers (id, text_pay_id, open_for, state, amount, offered_at, expires_at, ended_at,"
        " payment_id) values ($1, $2, $2, $3, $4, $5, $6, null, null)",
        offer_id, read_uuid(row["id"]), OfferState.OPEN.value, row["amount"], now, expires_at,
    )  # fmt: skip
    await execute(
        "update text_pays set state = 'AWAITING_REPLY', told_sequence = $1 where id = $2",
        balance.sequence, read_uuid(row["id"]),
    )  # fmt: skip
    await due_work.enqueue(OFFER_KIND, str(offer_id), expires_at, {"service": str(balance.service_account_id)})
    locale = (await account_row(balance.account_id))["locale"]
    await queue_text(
        ports, "top_ups.offer", to=row["phone"], locale=locale, key=f"text-offer-{offer_id}",
        params={
            "balance": format_money(balance.posted, locale), "amount": format_money(total, locale),
            "last4": method["last4"], "hours": str(round(top_up_rules().offer_lives.total_seconds() / 3600)),
        },
    )  # fmt: skip


async def _is_charging(row: Row) -> bool:
    auto_pay = await find_auto_pay(read_uuid(row["service_account_id"]))
    if auto_pay is not None and auto_pay["payment_id"] is not None:
        return True
    return await fetch_one(
        "select p.id from text_offers o join payments p on p.id = o.payment_id"
        " where o.text_pay_id = $1 and p.status in ('PROCESSING', 'REQUIRES_ACTION') limit 1",
        read_uuid(row["id"]),
    ) is not None  # fmt: skip


async def accept_offer(ports: Ports, balance: Balance, phone: str) -> str | None:
    """Take a Yes from a phone, its TextPay's balance locked, within the transaction under way: the open offer is paid,
    once. Return the name of the text that answers it; None where a charge has begun, whose outcome answers."""
    row, now = await find_text_pay(balance.service_account_id), ports.now()
    if row is None or row["live_phone"] != phone:
        return "no_offer"
    offer = await open_offer(read_uuid(row["id"]))
    if offer is None or read_time(offer["expires_at"]) <= now:
        return await _why_not(row)
    # By the fees of when it was offered: what the text said is what is charged.
    lines = await deposit_lines(balance, offer["amount"], read_time(offer["offered_at"]))
    method = await usable_method(read_uuid(row["method_id"]), now)
    if isinstance(method, str) or await not_before(ports, balance, lines):
        await end_offer(ports, row, OfferState.WITHDRAWN)
        await execute("update text_pays set state = 'PAYMENT_FAILED' where id = $1", read_uuid(row["id"]))
        return method if isinstance(method, str) else "limit_reached"
    begun = await begin_top_up(ports, balance, method, PaymentChannel.TEXTPAY, lines, sent_by_work=True)
    await end_offer(ports, row, OfferState.ACCEPTED, read_uuid(begun.payment["id"]))
    await execute("update text_pays set state = 'ON' where id = $1", read_uuid(row["id"]))
    return None


async def _why_not(row: Row) -> str:
    """Return the answer to a Yes that no open offer waits for."""
    last = await fetch_one(
        "select o.state, p.status from text_offers o left join payments p on p.id = o.payment_id"
        " where o.text_pay_id = $1 order by o.id desc limit 1",
        read_uuid(row["id"]),
    )
    if last is None or last["state"] != OfferState.ACCEPTED.value or last["status"] == PaymentStatus.FAILED.value:
        return "no_offer"
    return "accepted_before"


@transactional
async def expire_offer(ports: Ports, claim: due_work.Claim) -> None:
    """End an offer whose time is over; due work of kind "text_offer"."""
    balance = await lock_balance(UUID(claim.payload["service"]))
    assert balance is not None
    await due_work.complete(claim)
    row = await find_text_pay(balance.service_account_id)
    offer = await open_offer(read_uuid(row["id"])) if row else None
    if row is None or offer is None or str(read_uuid(offer["id"])) != claim.key:
        return
    await execute(
        "update text_offers set state = 'EXPIRED', open_for = null, ended_at = $1 where id = $2",
        ports.now(), read_uuid(offer["id"]),
    )  # fmt: skip
    await execute("update text_pays set state = 'ON' where id = $1", read_uuid(row["id"]))
