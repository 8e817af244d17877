"""Resetting a forgotten password: a number by mail, then a new password and the security answers (rule 6)."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import Email, email_faults, normalise_email
from api.auth.limits import Limit, client_of, count_try, guess, guessed_right, limit_fault
from api.auth.numbers import Number, typed_digits
from api.auth.passwords import Passwords
from api.auth.passwords_common import is_common
from api.auth.sign_ins import TOKEN_LENGTH_MAX
from api.auth.tokens import token_hash
from api.domain.accounts import AccountStatus, Channel
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.guesses import Guess
from api.domain.passwords import password_faults
from api.domain.plain_text import is_hopeless
from api.domain.recovery import recovery_data
from api.domain.security_questions import SecurityAnswer
from api.domain.sign_up_data import sign_up_data
from api.services.email_changes import end_email_change
from api.services.mails import mailable_time, queue_mail, queue_no_mail
from api.services.notices import note_and_notify
from api.services.reset_ends import end_resets
from api.services.sign_ins import end_sign_ins
from api.services.sign_ups import KEPT, question_codes

_PURPOSE = "password-reset"
_WRONG_NUMBER = Fault(ErrorCode.TOKEN_INVALID, "recovery.number_wrong", ("code",))
_OLD_NUMBER = Fault(ErrorCode.TOKEN_EXPIRED, "recovery.number_expired", ("code",))
_OVER = Fault(ErrorCode.TOKEN_INVALID, "recovery.reset_over", ("input", "resetToken"))
_TOO_LATE = Fault(ErrorCode.TOKEN_EXPIRED, "recovery.reset_expired", ("input", "resetToken"))
_WRONG_ANSWERS = Fault(ErrorCode.INVALID_CREDENTIALS, "recovery.answers_wrong", ("input", "securityAnswers"))
_OTHER_QUESTIONS = Fault(ErrorCode.INVALID, "recovery.answers_wrong_questions", ("input", "securityAnswers"))


class Verified(NamedTuple):
    """A reset whose number was right: the token that goes on with it, and the codes of the account's questions."""

    token: str
    questions: list[str]


async def request_reset(ports: Ports, email: str, *, client_address: str) -> None:
    """Mail a number to the holder of the address, which ends an older one; nothing else changes yet.

    Answer and work are the same whatever there is at the address: an unknown one gets no mail, one that was never
    confirmed a mail that says so. Past the limit of numbers per address nothing is sent while the newest is good: it is
    in the holder's mail, and whoever asks for many cannot keep a holder from one.
    Raises Refused: INVALID for what is no address, RATE_LIMITED for a client that asks too often.
    """
    refuse_if(email_faults(email, "email", allow_test_domains=ports.sandbox))
    await count_try(ports, (Limit.RESETS_PER_CLIENT, client_of(client_address)))
    address = normalise_email(email, allow_test_domains=ports.sandbox)
    assert address is not None
    await _begin(ports, address)


async def verify_number(ports: Ports, email: str, number: str, *, client_address: str) -> Verified:
    """Exchange the mailed number, once, for the token of the reset and the questions to be answered.

    An address without an account has a reset as well, whose number nobody knows, so neither the answer nor the work
    tell it apart. Raises Refused: TOKEN_INVALID for a number that is wrong, used, replaced or tried too often,
    TOKEN_EXPIRED, RATE_LIMITED.
    """
    refuse_if(email_faults(email, "email", allow_test_domains=ports.sandbox))
    address = normalise_email(email, allow_test_domains=ports.sandbox)
    digits = typed_digits(number)
    if digits is None:
        raise Refused(_WRONG_NUMBER)
    assert address is not None
    await guess(ports, address.key, client_address, Guess.RESET_NUMBER)
    outcome = await _try_number(ports, address.key, client_address, digits)
    if isinstance(outcome, Fault):
        raise Refused(outcome)
    return outcome


async def reset_password(
    ports: Ports,
    passwords: Passwords,
    *,
    token: str,
    new_password: str,
    answers: Sequence[SecurityAnswer],
    client_address: str,
) -> None:
    """Store a new password once all three answers are right; every sign-in ends, and none begins.

    The password is judged first, so a weak one uses up nothing. Five wrong sets of answers end the reset, which its
    holder is told by mail. Raises Refused: TOKEN_INVALID, TOKEN_EXPIRED, what is wrong with the password,
    INVALID_CREDENTIALS for the answers without saying which, RATE_LIMITED. Of two at once, one succeeds.
    """
    reset = await _find(token)
    if reset is None:
        raise Refused(_OVER)
    if read_time(reset["expires_at"]) <= ports.now():
        raise Refused(_TOO_LATE)
    account_id, email_key = read_uuid(reset["account_id"]), reset["email_key"]
    kept = await fetch(
        "select question_code, answer_hash from security_answers where account_id = $1 order by id", account_id
    )
    weaknesses = password_faults(new_password, email=reset["email"], is_common=is_common)
    refuse_if([fault.under("input", "newPassword") for fault in weaknesses] + _answers_faults(answers, kept))
    await guess(ports, email_key, client_address, Guess.SECURITY_ANSWERS)
    sets = await _count_set(ports, read_uuid(reset["id"]))
    if sets is None:
        raise Refused(_OVER)
    if not await _all_fit(passwords, answers, kept):
        if sets >= recovery_data().answer_sets:
            await _stop(ports, read_uuid(reset["id"]), reset)
        raise Refused(_WRONG_ANSWERS)
    password_hash = await passwords.hash_password(new_password)
    await _store(ports, read_uuid(reset["id"]), account_id, email_key, password_hash, client_address)


async def prune(now: datetime) -> int:
    """Drop resets that have been over for a day; return how many."""
    return await execute("delete from password_resets where expires_at <= $1", now - recovery_data().kept)


@transactional
async def _begin(ports: Ports, email: Email) -> None:
    now = ports.now()
    subject = _subject(ports, email.key)
    # Its counter's row is locked from here on, so that requests for one address go one after another.
    is_past_limit = await limit_fault(ports, Limit.RESETS_PER_EMAIL, email.key) is not None
    live = await fetch_one("select id from password_resets where live_subject = $1 and expires_at > $2", subject, now)
    if is_past_limit and live is not None:
        return
    account = await fetch_one(
        "select id, email, locale from accounts where email_key = $1 and status = $2",
        email.key, AccountStatus.ACTIVE.value,
    )  # fmt: skip
    waiting = await fetch_one(
        # One at a taken address, which may be staff's, holds no passcode and is never confirmed.
        "select email, locale from pending_sign_ups where email_key = $1 and expires_at > $2 and passcode_hash <> ''"
        " order by created_at desc, id desc limit 1",
        email.key, now - KEPT,
    )  # fmt: skip
    reset_id = uuid7()
    number = _number(reset_id)
    await execute("update password_resets set live_subject = null where live_subject = $1", subject)
    await execute(
        "insert into password_resets (id, subject, live_subject, account_id, code_hash, code_tries, token_hash,"
        " answer_tries, created_at, expires_at, verified_at) values ($1, $2, $2, $3, $4, 0, null, 0, $5, $6, null)",
        reset_id, subject, read_uuid(account["id"]) if account else None, number.kept(ports, number.digits(ports)), now,
        now + recovery_data().number_lives,
    )  # fmt: skip
    key = f"{_PURPOSE}-{reset_id}"
    params = {
        "asked_at": mailable_time(now),
        "minutes": str(int(recovery_data().number_lives.total_seconds() // 60)),
    }
    if account is not None:
        await queue_mail(
            ports, "recovery.number", to=account["email"], locale=account["locale"], key=key, params=params,
            number=number,
        )  # fmt: skip
    elif waiting is not None:
        await queue_mail(
            ports, "recovery.unconfirmed", to=waiting["email"], locale=waiting["locale"], key=key, params=params
        )
    else:
        await queue_no_mail(ports, key)


@transactional
async def _try_number(ports: Ports, email_key: str, client_address: str, digits: str) -> Verified | Fault:
    """Try a number; the try is committed whatever comes of it."""
    now, data = ports.now(), recovery_data()
    row = await fetch_one(
        "select id, account_id, code_hash, code_tries, expires_at from password_resets"
        " where live_subject = $1 for update",
        _subject(ports, email_key),
    )
    if row is None or row["code_tries"] >= data.number_tries:
        return _WRONG_NUMBER
    if read_time(row["expires_at"]) <= now:
        return _OLD_NUMBER
    reset_id = read_uuid(row["id"])
    await execute("update password_resets set code_tries = code_tries + 1 where id = $1", reset_id)
    fits = hmac.compare_digest(row["code_hash"], _number(reset_id).kept(ports, digits))
    if not fits or row["account_id"] is None:
        return _WRONG_NUMBER
    token = ports.secrets.token(_PURPOSE, str(reset_id))
    await execute(
        "update password_resets set live_subject = null, token_hash = $1, verified_at = $2, expires_at = $3"
        " where id = $4",
        token_hash(token), now, now + data.reset_lives, reset_id,
    )  # fmt: skip
    await guessed_right(ports, email_key, client_address, Guess.RESET_NUMBER)
    return Verified(token, await question_codes(read_uuid(row["account_id"])))


async def _find(token: str) -> Row | None:
    """Return the reset of a token with its account's address and language, or None."""
    if len(token) > TOKEN_LENGTH_MAX:
        return None
    return await fetch_one(
        "select r.id, r.account_id, r.expires_at, a.email, a.email_key, a.locale from password_resets r"
        " join accounts a on a.id = r.account_id where r.token_hash = $1 and a.status = $2",
        token_hash(token), AccountStatus.ACTIVE.value,
    )  # fmt: skip


def _answers_faults(answers: Sequence[SecurityAnswer], kept: Sequence[Row]) -> list[Fault]:
    """Return what keeps the answers from being compared at all."""
    if sorted(given.question_code for given in answers[: len(kept) + 1]) != sorted(
        row["question_code"] for row in kept
    ):
        return [_OTHER_QUESTIONS]
    length_max = sign_up_data().answer_length_max
    return [
        Fault(
            ErrorCode.TOO_LONG,
            "errors.too_long",
            ("input", "securityAnswers", str(position), "answer"),
            {"maximum": length_max},
        )
        for position, given in enumerate(answers)
        if is_hopeless(given.answer, length_max)
    ]


async def _all_fit(passwords: Passwords, answers: Sequence[SecurityAnswer], kept: Sequence[Row]) -> bool:
    """Compare every answer, whichever is wrong, so that the time does not tell."""
    given = {answer.question_code: answer.answer for answer in answers}
    fits = await asyncio.gather(
        *(passwords.check_short("answer", given[row["question_code"]], row["answer_hash"]) for row in kept)
    )
    return all(fits) and bool(fits)


@transactional
async def _count_set(ports: Ports, reset_id: UUID) -> int | None:
    """Count a set of answers before it is looked at; return how many there were, or None when it is one too many."""
    row = await fetch_one(
        "update password_resets set answer_tries = answer_tries + 1 where id = $1 and answer_tries < $2"
        " returning answer_tries",
        reset_id, recovery_data().answer_sets,
    )  # fmt: skip
    return int(row["answer_tries"]) if row else None


@transactional
async def _stop(ports: Ports, reset_id: UUID, holder: Row) -> None:
    if await execute("delete from password_resets where id = $1", reset_id):
        params = {"at": mailable_time(ports.now()), "tries": str(recovery_data().answer_sets)}
        key = f"{_PURPOSE}-stopped-{reset_id}"
        await queue_mail(ports, "recovery.stopped", to=holder["email"], locale=holder["locale"], key=key, params=params)


@transactional
async def _store(
    ports: Ports, reset_id: UUID, account_id: UUID, email_key: str, password_hash: str, client_address: str
) -> None:
    now = ports.now()
    # The account first, as everywhere. Deleting the reset is what makes it work once.
    account = await fetch_one("select * from accounts where id = $1 for update", account_id)
    if not await execute("delete from password_resets where id = $1", reset_id):
        raise Refused(_OVER)
    if account is None or account["status"] != AccountStatus.ACTIVE.value:
        raise Refused(_OVER)
    await execute(
        "update accounts set password_hash = $1, password_changed_at = $2 where id = $3", password_hash, now, account_id
    )
    await end_sign_ins(ports, account_id, None)
    # A sign-in that only lacks its code was begun with the old password; a change of the address may be a thief's.
    await execute("delete from challenges where owner = $1", account_id)
    await end_email_change(account_id)
    await end_resets(account_id)
    await guessed_right(ports, email_key, client_address, Guess.SECURITY_ANSWERS)
    # A reset does not say by which way it came; the mail leads to the page.
    await note_and_notify(ports, account, "password_reset", channel=Channel.WEB)


def _subject(ports: Ports, email_key: str) -> str:
    return ports.secrets.digest(_PURPOSE, email_key).hex()


def _number(reset_id: UUID) -> Number:
    return Number(_PURPOSE, (str(reset_id),))
