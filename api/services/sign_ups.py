"""Signing up: three stages checked at once, and a sign-up that waits for its own link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch, fetch_one, read_json, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import EMAIL_COMPARED_MAX, Email, email_faults, normalise_email
from api.auth.limits import Limit, client_of, count_try, limit_fault
from api.auth.passwords import Passwords
from api.auth.passwords_common import is_common
from api.auth.phones import phone_to_e164
from api.auth.tokens import token_hash
from api.domain.faults import Fault, refuse_if
from api.domain.security_questions import SecurityAnswer
from api.domain.sign_ups import (
    Credentials,
    Profile,
    credentials_faults,
    normalise_profile,
    profile_faults,
    security_answers_faults,
)
from api.services.mails import Link, mailable_name, mailable_time, queue_mail, queue_no_mail
from api.services.used_emails import mail_why_not, used_locale

LINK_LIFETIME = timedelta(hours=24)
WAITING_MAX = 5
"""Sign-ups that wait per address; with one more, the oldest ends."""

KEPT = timedelta(days=7)
"""How long a sign-up waits after its link has expired: until then a new link can be asked for."""


class Stages(NamedTuple):
    """The three stages as typed; None is one that is not checked."""

    credentials: Credentials | None
    answers: Sequence[SecurityAnswer] | None
    profile: Profile | None


class _Hashed(NamedTuple):
    """A sign-up without faults, in the form in which it waits."""

    email: Email
    password_hash: str
    passcode_hash: str
    answers: list[tuple[str, str]]
    profile: dict[str, str | None]
    locale: str
    terms_version: str


def validate(ports: Ports, stages: Stages) -> list[Fault]:
    """Return all that is wrong with the stages that are given, with paths from "input" on; nothing is kept."""
    credentials, answers, profile = stages
    faults: list[Fault] = []
    if credentials is not None:
        credentials = replace(credentials, email=credentials.email[:EMAIL_COMPARED_MAX])
        faults += _email_faults(ports, credentials.email) + credentials_faults(credentials, is_common)
    if answers is not None:
        faults += security_answers_faults(answers, credentials)
    if profile is not None:
        faults += profile_faults(profile, phone_to_e164)
    return [fault.under("input") for fault in faults]


async def sign_up(ports: Ports, passwords: Passwords, stages: Stages, *, client_address: str, locale: str) -> None:
    """Have the holder of the address asked to confirm this sign-up; `locale` serves where the profile names none.

    The answer and the work are the same whether or not the address has an account, whose owner gets another mail then.
    Past the limit of mails per address nothing is kept, since no link could go out. Raises Refused with all faults at
    once, or with RATE_LIMITED. A repeat waits as a sign-up of its own.
    """
    refuse_if(validate(ports, stages))
    credentials, answers, typed = stages
    assert credentials is not None
    assert answers is not None
    assert typed is not None
    await count_try(ports, (Limit.SIGN_UPS_PER_CLIENT, client_of(client_address)))
    email = normalise_email(credentials.email, allow_test_domains=ports.sandbox)
    assert email is not None
    profile = normalise_profile(typed, phone_to_e164)
    password_hash, passcode_hash, *answer_hashes = await asyncio.gather(
        passwords.hash_password(credentials.password),
        passwords.hash_short("passcode", profile.passcode),
        *(passwords.hash_short("answer", given.answer) for given in answers),
    )
    hashed = _Hashed(
        email=email,
        password_hash=password_hash,
        passcode_hash=passcode_hash,
        answers=[(given.question_code, kept) for given, kept in zip(answers, answer_hashes, strict=True)],
        profile=_profile_columns(profile),
        locale=profile.locale or locale,
        terms_version=credentials.terms_version,
    )
    await _wait_for_link(ports, hashed)


async def resend(ports: Ports, email: str, *, client_address: str) -> None:
    """Mail a new link for each sign-up that waits at the address, which ends its old link.

    The answer is the same where none waits. Past the limit of mails per address the old links stay good, and nothing
    is sent. Raises Refused: INVALID for what is no address, RATE_LIMITED for a client that asks too often.
    """
    refuse_if(email_faults(email, "email", allow_test_domains=ports.sandbox))
    await count_try(ports, (Limit.RESENDS_PER_CLIENT, client_of(client_address)))
    address = normalise_email(email, allow_test_domains=ports.sandbox)
    assert address is not None
    await _renew_links(ports, address)


async def question_codes(account_id: UUID) -> list[str]:
    """Return the codes of the questions that an account has answered, in the order in which they were chosen."""
    rows = await fetch("select question_code from security_answers where account_id = $1 order by id", account_id)
    return [row["question_code"] for row in rows]


async def newest_waiting(now: datetime, email_key: str) -> Row | None:
    """Return the address's newest sign-up that waits, or None; one at a taken address too, which is never confirmed."""
    return await fetch_one(
        "select password_hash from pending_sign_ups where email_key = $1 and expires_at > $2"
        " order by created_at desc, id desc limit 1",
        email_key, now - KEPT,
    )  # fmt: skip


async def prune(now: datetime) -> int:
    """Drop sign-ups whose link expired a week ago; return how many."""
    return await execute("delete from pending_sign_ups where expires_at <= $1", now - KEPT)


def _email_faults(ports: Ports, email: str) -> list[Fault]:
    faults = email_faults(email, "email", allow_test_domains=ports.sandbox)
    return [fault.under("credentials") for fault in faults]


def _profile_columns(profile: Profile) -> dict[str, str | None]:
    address = profile.address
    return {
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "phone": profile.phone,
        "line1": address.line1,
        "line2": address.line2,
        "city": address.city,
        "state": address.state,
        "zip": address.zip,
        "country": address.country,
    }


@transactional
async def _wait_for_link(ports: Ports, hashed: _Hashed) -> None:
    now, email = ports.now(), hashed.email
    # Its counter's row is locked from here on, so that sign-ups of one address go one after another.
    if await limit_fault(ports, Limit.MAILS_PER_EMAIL, email.key) is not None:
        # Without a mail it could not be confirmed, and it would end an older one whose link is in somebody's hands.
        return
    owner = await fetch_one(
        "select email, locale from accounts where email_key = $1"
        " union all select email, locale from staff_members where email_key = $1",
        email.key,
    )
    used = await used_locale(ports, email.key)
    waiting = await fetch(
        "select id from pending_sign_ups where email_key = $1 order by created_at desc, id desc", email.key
    )
    for row in waiting[WAITING_MAX - 1 :]:
        await execute("delete from pending_sign_ups where id = $1", read_uuid(row["id"]))
    pending_id = uuid7()
    link = _link(pending_id, 1)
    # A taken address waits like a free one: whoever signs in with the password chosen here, or asks for a new link,
    # must not learn by the answer or its time which of them it is. No more is kept of it than that takes.
    kept = hashed if owner is None and used is None else hashed._replace(passcode_hash="", answers=[], profile={})
    await execute(
        "insert into pending_sign_ups (id, email, email_key, password_hash, passcode_hash, answers, profile, locale,"
        " terms_version, link_number, token_hash, created_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12)",
        pending_id, email.address, email.key, kept.password_hash, kept.passcode_hash, json.dumps(kept.answers),
        json.dumps(kept.profile), kept.locale, kept.terms_version, token_hash(link.token(ports)), now,
        now + LINK_LIFETIME,
    )  # fmt: skip
    if used is not None:
        # Also while the account is being deleted: it is its owner's no more.
        await mail_why_not(ports, email.address, used, pending_id)
        return
    if owner is not None:
        params = {"tried_at": mailable_time(now)}
        key = f"email-taken-{pending_id}"
        await queue_mail(ports, "email_taken", to=owner["email"], locale=owner["locale"], key=key, params=params)
        return
    await _mail_link(ports, link, email.address, hashed.locale, hashed.profile["first_name"] or "", now)


@transactional
async def _renew_links(ports: Ports, email: Email) -> None:
    now, email_key = ports.now(), email.key
    used = await used_locale(ports, email_key)
    waiting = await fetch(
        "select id, email, locale, profile, link_number, created_at from pending_sign_ups"
        " where email_key = $1 and expires_at > $2 order by id for update",
        email_key, now - KEPT,
    )  # fmt: skip
    # Ids grow with time; the newest comes first, should the limit of mails not suffice for all. Where none waits, the
    # work of one is done for nothing, so that both take as long.
    rows: list[Row | None] = [*reversed(waiting)]
    for row in rows or [None]:
        if await limit_fault(ports, Limit.MAILS_PER_EMAIL, email_key) is not None:
            return
        pending_id, number = (read_uuid(row["id"]), int(row["link_number"]) + 1) if row else (uuid7(), 0)
        link = _link(pending_id, number)
        await execute(
            "update pending_sign_ups set link_number = $1, token_hash = $2, expires_at = $3 where id = $4",
            number, token_hash(link.token(ports)), now + LINK_LIFETIME, pending_id,
        )  # fmt: skip
        profile = read_json(row["profile"]) if row else None
        if row is not None and profile:
            first_name, created_at = profile["first_name"], read_time(row["created_at"])
            await _mail_link(ports, link, row["email"], row["locale"], first_name, created_at)
        elif used is not None:
            await mail_why_not(ports, email.address, used, uuid7())
            return
        else:
            # Nobody gets the link of a sign-up at a taken address.
            await queue_no_mail(ports, f"verify-{pending_id}-{number}")


def _link(pending_id: UUID, number: int) -> Link:
    return Link("verify", (str(pending_id), str(number)))


async def _mail_link(ports: Ports, link: Link, to: str, locale: str, first_name: str, signed_up_at: datetime) -> None:
    params = {
        "first_name": mailable_name(first_name),
        "signed_up_at": mailable_time(signed_up_at),
        "hours": str(int(LINK_LIFETIME.total_seconds() // 3600)),
    }
    key = "-".join((link.purpose, *link.parts))
    await queue_mail(ports, "verify_email", to=to, locale=locale, key=key, params=params, link=link)
