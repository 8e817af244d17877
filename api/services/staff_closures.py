"""Deleting for a customer on the telephone: by the passcode and a number mailed to the holder (rule 27b)."""

from __future__ import annotations

import hmac
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, count_try, guess, guessed_right
from api.auth.numbers import Number, typed_digits
from api.auth.passwords import Passwords
from api.auth.sign_ins import Viewer
from api.domain.accounts import AccountStatus, Channel, Role
from api.domain.closing_data import closing_data
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.guesses import Guess
from api.domain.plain_text import is_printable, text_faults, tidy
from api.services.account_search import account_of
from api.services.activity import note
from api.services.closures import Asker, Closing, Order, carry_out
from api.services.idempotency import find_result
from api.services.mails import mailable_time, queue_mail

MAY_DELETE = (Role.SUPPORT_AGENT, Role.ADMIN)
"""Roles of staff who delete for a holder."""
MUTATION = "staffDeleteAccount"
REASON_LENGTH_MAX = 300
_PURPOSE = "deletion-code"
_PASSCODE_LENGTH_MAX = 20


class Proofs(NamedTuple):
    """What the holder says on the telephone, as typed by staff."""

    passcode: str
    code: str


async def send_code(ports: Ports, viewer: Viewer, account_id: UUID, reason: str) -> None:
    """Mail a number to the holder who wants the account deleted, which ends an older one; who and why is on record.

    Raises Refused: NOT_FOUND, ACCOUNT_CLOSED, faults of the reason; RATE_LIMITED past so many an hour.
    """
    refuse_if(_reason_faults(reason, "reason"))
    if await account_of(account_id) is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("accountId",)))
    await count_try(ports, (Limit.DELETION_CODES_PER_ACCOUNT, str(account_id)))
    await _send(ports, viewer, account_id, tidy(reason))


async def delete_for_holder(
    ports: Ports,
    passwords: Passwords,
    viewer: Viewer,
    account_id: UUID,
    proofs: Proofs,
    reason: str,
    order: Order,
    *,
    client_address: str,
) -> Closing:
    """Delete the account of a holder on the telephone, by the same way as the holder would.

    The passcode counts as a guess of the account's secrets, and a number bears a few tries. Raises Refused:
    INVALID_CREDENTIALS for the passcode, TOKEN_INVALID or TOKEN_EXPIRED for the number, and as `carry_out` does.
    """
    assert viewer.staff is not None
    refuse_if(_reason_faults(reason, "input", "reason"))
    account = await account_of(account_id)
    if account is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("input", "accountId")))
    asker = Asker(
        mutation=MUTATION, scope=viewer.staff.id, channel=Channel.PHONE_AGENT, person=viewer.staff.id,
        staff_name=viewer.staff.name, reason=tidy(reason),
    )  # fmt: skip
    # What a key has led to is told without proofs: the first call had them, and the number is gone.
    if await find_result(viewer.staff.id, order.idempotency_key, MUTATION) is None:
        await _prove(ports, passwords, account, proofs, client_address)
    return await carry_out(ports, account_id, order, asker)


async def _prove(ports: Ports, passwords: Passwords, account: Row, proofs: Proofs, client_address: str) -> None:
    if account["status"] != AccountStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", ("input", "accountId")))
    await guess(ports, account["email_key"], client_address, Guess.PASSCODE)
    typed = proofs.passcode.strip()
    fits = len(typed) <= _PASSCODE_LENGTH_MAX and is_printable(typed)
    if not fits or not await passwords.check_short("passcode", typed, account["passcode_hash"]):
        await note_refused(ports, read_uuid(account["id"]))
        raise Refused(Fault(ErrorCode.INVALID_CREDENTIALS, "closures.passcode_wrong", ("input", "passcode")))
    fault = await _try_code(ports, read_uuid(account["id"]), proofs.code)
    if fault is not None:
        raise Refused(fault)
    await _take_back(ports, account, client_address)


@transactional
async def note_refused(ports: Ports, account_id: UUID) -> None:
    """Note among the account's activity that a wrong passcode was given, in a transaction that outlives the refusal."""
    await note(ports, account_id, "deletion_refused", channel=Channel.PHONE_AGENT, actor="staff")


@transactional
async def _take_back(ports: Ports, account: Row, client_address: str) -> None:
    await guessed_right(ports, account["email_key"], client_address, Guess.PASSCODE)


@transactional
async def _send(ports: Ports, viewer: Viewer, account_id: UUID, reason: str) -> None:
    assert viewer.staff is not None
    now, code_id = ports.now(), uuid7()
    account = await fetch_one("select * from accounts where id = $1 for update", account_id)
    if account is None or account["status"] != AccountStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed", ("accountId",)))
    number = Number(_PURPOSE, (str(code_id),))
    await execute("delete from deletion_codes where account_id = $1", account_id)
    await execute(
        "insert into deletion_codes (id, account_id, staff_id, code_hash, tries, created_at, expires_at)"
        " values ($1, $2, $3, $4, 0, $5, $6)",
        code_id, account_id, viewer.staff.id, number.kept(ports, number.digits(ports)), now,
        now + closing_data().staff_code,
    )  # fmt: skip
    await note(
        ports, account_id, "deletion_code_sent", channel=Channel.PHONE_AGENT, actor=f"staff: {viewer.staff.name}"[:80],
        params={"reason": reason},
    )  # fmt: skip
    minutes = str(int(closing_data().staff_code.total_seconds() // 60))
    await queue_mail(
        ports, "closures.staff_code", to=account["email"], locale=account["locale"], key=f"{_PURPOSE}-{code_id}",
        params={"asked_at": mailable_time(now), "minutes": minutes}, number=number,
    )  # fmt: skip


@transactional
async def _try_code(ports: Ports, account_id: UUID, code: str) -> Fault | None:
    """Try a number; the try is committed whatever comes of it. A right one stays good until the account is deleted, so
    that a preview that is stale can be read again."""
    wrong = Fault(ErrorCode.TOKEN_INVALID, "closures.code_wrong", ("input", "code"))
    digits = typed_digits(code)
    row = await fetch_one("select * from deletion_codes where account_id = $1 for update", account_id)
    if row is None or digits is None or row["tries"] >= closing_data().staff_code_tries:
        return wrong
    if read_time(row["expires_at"]) <= ports.now():
        return Fault(ErrorCode.TOKEN_EXPIRED, "closures.code_expired", ("input", "code"))
    code_id = read_uuid(row["id"])
    if not hmac.compare_digest(row["code_hash"], Number(_PURPOSE, (str(code_id),)).kept(ports, digits)):
        await execute("update deletion_codes set tries = tries + 1 where id = $1", code_id)
        return wrong
    return None


def _reason_faults(reason: str, *path: str) -> list[Fault]:
    return [fault.under(*path) for fault in text_faults(reason, REASON_LENGTH_MAX)]
