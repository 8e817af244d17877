"""AutoPay: the preset amount is charged each time a balance falls below its threshold (rule 16)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.sign_ins import Viewer
from api.domain.agreements import AgreementKind
from api.domain.charge_lines import total_of
from api.domain.days import month_of
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.payments import PaymentChannel
from api.domain.top_ups import AutoPayState, next_try_at
from api.services import due_work
from api.services.activity import note
from api.services.ledger import Balance
from api.services.text_pay_ends import end_text_pay
from api.services.thresholds import has_crossed, refresh_low_below
from api.services.top_up_charges import (
    Begun,
    begin_top_up,
    deposit_lines,
    forget_sending,
    not_before,
    send_top_up,
    usable_method,
    withdraw,
)
from api.services.top_up_outcomes import AUTO_PAY_WORK, auto_pay_failed, wake_auto_pay
from api.services.top_up_settings import (
    Terms,
    account_row,
    amount_faults,
    consent_faults,
    keep_consent,
    lock_prepaid,
    own_method,
    read_cents,
)


class AutoPaySettings(NamedTuple):
    """What the holder sets; amounts in dollars as typed, no cap where `monthly_cap` is None."""

    threshold: Decimal
    amount: Decimal
    method_id: UUID
    monthly_cap: Decimal | None
    accept_mandate: bool
    agreement_version: str


class _Done(NamedTuple):
    """A service after a change, and the charge that follows from it, begun or to be withdrawn."""

    service: Row
    begun: Begun | None = None
    in_flight: UUID | None = None


async def set_auto_pay(ports: Ports, viewer: Viewer, service_id: UUID, settings: AutoPaySettings) -> Row:
    """Set AutoPay of a service anew, which ends its TextPay; while the balance is low it charges at once. Return the
    service's row. Raises Refused, with all faults of the input at once; a repeat charges nothing that is under way."""
    faults: list[Fault] = []
    threshold = read_cents(settings.threshold, "threshold", faults)
    amount = read_cents(settings.amount, "amount", faults)
    cap = read_cents(settings.monthly_cap, "monthlyCap", faults) if settings.monthly_cap is not None else None
    faults += amount_faults(amount, at_least=threshold)
    if cap and amount and cap < amount:
        faults.append(Fault(ErrorCode.INVALID, "top_ups.cap_below_amount", ("input", "monthlyCap")))
    version = settings.agreement_version
    faults += consent_faults(AgreementKind.AUTOPAY, version, acceptMandate=settings.accept_mandate)
    refuse_if(faults)
    terms = Terms(threshold, amount, settings.method_id, version)
    done = await _set(ports, viewer, service_id, terms, cap)
    return await _follow(ports, done)


@transactional
async def _set(ports: Ports, viewer: Viewer, service_id: UUID, terms: Terms, cap: int | None) -> _Done:
    assert viewer.account_id is not None
    service, balance = await lock_prepaid(viewer.account_id, service_id, "input", "serviceAccountId")
    method, account = await own_method(ports, viewer.account_id, terms.method_id), await account_row(viewer.account_id)
    await end_text_pay(ports, service_id)
    consent_id = await keep_consent(ports, account, AgreementKind.AUTOPAY, terms, method, viewer.channel)
    # A charge under way stays noted: until its outcome is known no other one begins.
    await execute(
        "insert into auto_pays (id, account_id, service_account_id, method_id, state, threshold, amount, monthly_cap,"
        " consent_id, told_sequence, payment_id, tries, tried_first_at, set_at, ended_at)"
        " values ($1, $2, $3, $4, 'ON', $5, $6, $7, $8, null, null, 0, null, $9, null)"
        " on conflict (service_account_id) do update set method_id = excluded.method_id, state = excluded.state,"
        " threshold = excluded.threshold, amount = excluded.amount, monthly_cap = excluded.monthly_cap,"
        " consent_id = excluded.consent_id, told_sequence = null, tries = 0, tried_first_at = null,"
        " set_at = excluded.set_at, ended_at = null",
        uuid7(), viewer.account_id, service_id, terms.method_id, terms.threshold, terms.amount, cap, consent_id,
        ports.now(),
    )  # fmt: skip
    await note(ports, viewer.account_id, "auto_pay_set", channel=viewer.channel)
    balance = await refresh_low_below(balance, ports.now())
    return _Done(service, await look(ports, balance))


async def pause_auto_pay(ports: Ports, viewer: Viewer, service_id: UUID, *, paused: bool) -> Row:
    """Pause AutoPay, or resume it from a pause or from PAYMENT_FAILED: while the balance is low that charges at once.

    Return the service's row; a repeat changes nothing. Raises Refused: INVALID_STATE where there is none to pause.
    """
    return await _follow(ports, await _pause(ports, viewer, service_id, paused))


@transactional
async def _pause(ports: Ports, viewer: Viewer, service_id: UUID, paused: bool) -> _Done:
    assert viewer.account_id is not None
    service, balance = await lock_prepaid(viewer.account_id, service_id, "serviceAccountId")
    row = await _live(service_id)
    state = AutoPayState(row["state"])
    is_running = state in (AutoPayState.ON, AutoPayState.CAP_REACHED)
    if state is AutoPayState.PAUSED if paused else is_running:
        return _Done(service)
    if paused and not is_running:
        raise _wrong_state(state.value, "pauseAutoPay", "cancelAutoPay", "setAutoPay")
    if paused:
        await note(ports, viewer.account_id, "auto_pay_paused", channel=viewer.channel)
        return _Done(service, in_flight=await _stop(row, AutoPayState.PAUSED, None))
    await execute(
        "update auto_pays set state = 'ON', told_sequence = null, tries = 0, tried_first_at = null where id = $1",
        read_uuid(row["id"]),
    )
    await note(ports, viewer.account_id, "auto_pay_resumed", channel=viewer.channel)
    return _Done(service, await look(ports, balance))


async def cancel_auto_pay(ports: Ports, viewer: Viewer, service_id: UUID) -> Row:
    """End AutoPay: once this has returned, it begins no charge, and one that was under way is decided or given up.

    Return the service's row; a repeat changes nothing. Raises Refused: INVALID_STATE where there never was one.
    """
    return await _follow(ports, await _cancel(ports, viewer, service_id))


@transactional
async def _cancel(ports: Ports, viewer: Viewer, service_id: UUID) -> _Done:
    assert viewer.account_id is not None
    service, balance = await lock_prepaid(viewer.account_id, service_id, "serviceAccountId")
    row = await find_auto_pay(service_id)
    if row is None:
        raise _wrong_state(AutoPayState.TERMINATED.value, "setAutoPay")
    if row["state"] == AutoPayState.TERMINATED.value:
        return _Done(service)
    in_flight = await end_auto_pay(ports, service_id)
    await note(ports, viewer.account_id, "auto_pay_cancelled", channel=viewer.channel)
    await refresh_low_below(balance, ports.now())
    return _Done(service, in_flight=in_flight)


async def _follow(ports: Ports, done: _Done) -> Row:
    if done.begun is not None:
        await send_top_up(ports, done.begun)
    if done.in_flight is not None:
        await withdraw(ports, done.in_flight)
    return done.service


async def end_auto_pay(ports: Ports, service_id: UUID) -> UUID | None:
    """End AutoPay of a service within the transaction under way, its balance locked; call refresh_low_below after it.

    Return the charge under way, to be withdrawn after the commit, or None.
    """
    row = await find_auto_pay(service_id)
    if row is None or row["state"] == AutoPayState.TERMINATED.value:
        return None
    return await _stop(row, AutoPayState.TERMINATED, ports.now())


async def _stop(row: Row, state: AutoPayState, ended_at: datetime | None) -> UUID | None:
    query = "update auto_pays set state = $1, ended_at = $2, tries = 0, tried_first_at = null where id = $3"
    await execute(query, state.value, ended_at, read_uuid(row["id"]))
    await due_work.drop(AUTO_PAY_WORK, str(read_uuid(row["service_account_id"])))
    if row["payment_id"] is None:
        return None
    await forget_sending(read_uuid(row["payment_id"]))
    return read_uuid(row["payment_id"])


async def find_auto_pay(service_id: UUID) -> Row | None:
    """Return AutoPay of a service, also after it was ended; None where it was never set."""
    return await fetch_one("select * from auto_pays where service_account_id = $1", service_id)


async def _live(service_id: UUID) -> Row:
    row = await find_auto_pay(service_id)
    if row is None or row["state"] == AutoPayState.TERMINATED.value:
        raise _wrong_state(AutoPayState.TERMINATED.value, "setAutoPay")
    return row


def _wrong_state(current: str, *allowed: str) -> Refused:
    facts = {"current_state": current, "allowed_actions": allowed}
    return Refused(Fault(ErrorCode.INVALID_STATE, "errors.invalid_state", ("serviceAccountId",), facts=facts))


async def look(ports: Ports, balance: Balance) -> Begun | None:
    """Charge if a locked balance calls for it: once per crossing, one charge at a time, within the cap of the month.

    Part of the transaction under way; give what it returns to `send_top_up` after the commit.
    """
    row, now = await find_auto_pay(balance.service_account_id), ports.now()
    if row is None or row["payment_id"] is not None or row["state"] not in ("ON", "CAP_REACHED"):
        return None
    lines = await deposit_lines(balance, row["amount"], now)
    is_capped = await _is_capped(row, total_of(lines), now)
    if balance.posted >= row["threshold"] or not await _is_due(row, balance, now):
        await _rest(row, balance, is_capped=is_capped)
        return None
    if is_capped:
        await execute("update auto_pays set state = 'CAP_REACHED' where id = $1", read_uuid(row["id"]))
        await wake_auto_pay(balance.service_account_id, month_of(now)[1])
        return None
    if later := await not_before(ports, balance, lines):
        await wake_auto_pay(balance.service_account_id, later)
        return None
    method = await usable_method(read_uuid(row["method_id"]), now)
    if isinstance(method, str):
        await auto_pay_failed(ports, row, method)
        return None
    begun = await begin_top_up(ports, balance, method, PaymentChannel.AUTOPAY, lines)
    await execute(
        "update auto_pays set state = 'ON', payment_id = $1, told_sequence = $2, tries = tries + 1,"
        " tried_first_at = coalesce(tried_first_at, $3) where id = $4",
        read_uuid(begun.payment["id"]), balance.sequence, now, read_uuid(row["id"]),
    )  # fmt: skip
    return begun


async def _is_due(row: Row, balance: Balance, now: datetime) -> bool:
    """Tell whether a low balance is to be charged for now: for the first time since it fell, or once more."""
    if row["tries"]:
        again_at = next_try_at(read_time(row["tried_first_at"]), row["tries"])
        return again_at is not None and again_at <= now
    return await has_crossed(balance, row["threshold"], row["told_sequence"])


async def _rest(row: Row, balance: Balance, *, is_capped: bool) -> None:
    """Forget tries once the balance is no longer low, and a cap that no longer binds."""
    forgets = bool(row["tries"]) and balance.posted >= row["threshold"]
    if forgets:
        await execute("update auto_pays set tries = 0, tried_first_at = null where id = $1", read_uuid(row["id"]))
    if row["state"] == AutoPayState.CAP_REACHED.value and not is_capped:
        await execute("update auto_pays set state = 'ON' where id = $1", read_uuid(row["id"]))


async def _is_capped(row: Row, total: int, now: datetime) -> bool:
    if row["monthly_cap"] is None:
        return False
    return await charged_this_month(read_uuid(row["service_account_id"]), now) + total > int(row["monthly_cap"])


async def charged_this_month(service_id: UUID, now: datetime) -> int:
    """Return what AutoPay has charged a service's holder in this calendar month of Central time, in cents.

    What is under way counts; a charge belongs to the month in which it was begun.
    """
    row = await fetch_one(
        "select coalesce(sum(total), 0) as cents from payments where service_account_id = $1 and channel = 'AUTOPAY'"
        " and status <> 'FAILED' and created_at >= $2",
        service_id, month_of(now)[0],
    )  # fmt: skip
    return int(row["cents"]) if row else 0


async def last_payment(service_id: UUID) -> Row | None:
    """Return the charge that AutoPay began last, whatever became of it; None before the first."""
    return await fetch_one(
        "select * from payments where service_account_id = $1 and channel = 'AUTOPAY' order by id desc limit 1",
        service_id,
    )
