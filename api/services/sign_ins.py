"""Signing in with e-mail and password, and signing out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, execute, fetch, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.emails import normalise_email
from api.auth.limits import Limit, client_of, count_try, forget, subject_of, take_back
from api.auth.passwords import Passwords
from api.auth.sign_ins import IDLE, Viewer, begin_sign_in
from api.domain.accounts import HOLDERS_CHANNELS, AccountStatus, Channel
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.passwords import password_is_too_long
from api.domain.plain_text import is_printable
from api.domain.sign_up_data import sign_up_data
from api.services.activity import note, note_failure
from api.services.devices import note_sign_in
from api.services.outbox import tell
from api.services.sign_ups import newest_waiting

LISTED_MAX = 100
_DEVICE_LENGTH_MAX = 200
_WRONG = Fault(ErrorCode.INVALID_CREDENTIALS, "errors.invalid_credentials", ("input",))


class SignedIn(NamedTuple):
    """A new sign-in: its token, shown this once, its id and row, and the account's row."""

    token: str
    sign_in_id: UUID
    sign_in: Row
    account: Row


async def sign_in(
    ports: Ports,
    passwords: Passwords,
    *,
    email: str,
    password: str,
    device: str,
    channel: Channel,
    client_address: str,
) -> SignedIn:
    """Begin a sign-in; each call begins another one.

    Raises Refused: INVALID_CREDENTIALS, with the same work done whether the address is unknown, its account is not
    open or the password is wrong; EMAIL_NOT_VERIFIED for the right password of the newest sign-up that waits;
    RATE_LIMITED, and then no password is looked at; TOO_LONG or INVALID for what no account could have.
    """
    refuse_if(fault.under("input") for fault in _input_faults(password, channel))
    address = normalise_email(email, allow_test_domains=ports.sandbox)
    tries = [(Limit.SIGN_INS_PER_CLIENT, client_of(client_address))]
    if address is not None:
        tries.append((Limit.SIGN_INS_PER_ACCOUNT, address.key))
    await count_try(ports, *tries)
    account = waiting = None
    if address is not None:
        account = await fetch_one(
            "select id, password_hash from accounts where email_key = $1 and status = $2",
            address.key, AccountStatus.ACTIVE.value,
        )  # fmt: skip
        waiting = await newest_waiting(ports.now(), address.key)
    kept = account or waiting
    if not await passwords.check_password(password, kept["password_hash"] if kept else None):
        if address is not None:
            account_id = read_uuid(account["id"]) if account else None
            await note_failure(ports, address.key, account_id, "sign_in_failed", channel=channel)
        raise Refused(_WRONG)
    if account is None:
        raise Refused(Fault(ErrorCode.EMAIL_NOT_VERIFIED, "errors.email_not_verified", ("input", "email")))
    assert address is not None
    counter = subject_of(ports, Limit.SIGN_INS_PER_ACCOUNT, address.key)
    client = client_of(client_address)
    return await _begin(
        ports, read_uuid(account["id"]), account["password_hash"], counter, client, _plain(device), channel
    )


@transactional
async def sign_out(ports: Ports, viewer: Viewer, *, everywhere: bool) -> None:
    """End the viewer's sign-in, or all of the account's, and their sockets with them; a key's goes on.

    A repeat changes nothing.
    """
    if viewer.account_id is None:
        return
    await fetch_one("select id from accounts where id = $1 for update", viewer.account_id)
    if await end_sign_ins(ports, viewer.account_id, None if everywhere else viewer.sign_in_id):
        action = "signed_out_everywhere" if everywhere else "signed_out"
        await note(ports, viewer.account_id, action, channel=viewer.channel)


async def end_sign_ins(ports: Ports, account_id: UUID, sign_in_id: UUID | None) -> int:
    """End one sign-in of an account, or with None all of them, within the transaction under way; return how many.

    Their sockets end with them, once it is committed. The account's row is to be locked before.
    """
    now = ports.now()
    query = "update sign_ins set ended_at = $1 where account_id = $2 and ended_at is null"
    if sign_in_id is None:
        ended = await execute(query, now, account_id)
    else:
        ended = await execute(f"{query} and id = $3", now, account_id, sign_in_id)
    if ended:
        await tell(account_id, "sign_in_ended", {"sign_in": str(sign_in_id) if sign_in_id else None})
    return ended


async def end_other_sign_ins(ports: Ports, account_id: UUID, spared_id: UUID, *, channel: Channel) -> int:
    """End all sign-ins of an account but one, as above; return how many, which is noted among its activity."""
    ended = await execute(
        "update sign_ins set ended_at = $1 where account_id = $2 and ended_at is null and id <> $3",
        ports.now(), account_id, spared_id,
    )  # fmt: skip
    if ended:
        await tell(account_id, "sign_in_ended", {"sign_in": None, "spared": str(spared_id)})
        await note(ports, account_id, "sign_ins_ended", channel=channel, params={"count": str(ended)})
    return ended


async def open_sign_ins(ports: Ports, account_id: UUID) -> Sequence[Row]:
    """Return the account's sign-ins that still let somebody in, the one used last first; at most a hundred."""
    now = ports.now()
    rows = await fetch(
        "select id, device, channel, created_at, last_seen_at, expires_at from sign_ins"
        " where account_id = $1 and ended_at is null and expires_at > $2"
        " order by last_seen_at desc, id desc limit $3",
        account_id, now, LISTED_MAX,
    )  # fmt: skip
    return [row for row in rows if now - read_time(row["last_seen_at"]) <= IDLE[Channel(row["channel"])]]


def _input_faults(password: str, channel: Channel) -> list[Fault]:
    faults = []
    if password_is_too_long(password):
        params = {"maximum": sign_up_data().password_length_max}
        faults.append(Fault(ErrorCode.TOO_LONG, "sign_ups.password_too_long", ("password",), params))
    elif not is_printable(password):
        faults.append(Fault(ErrorCode.INVALID, "sign_ups.password_unprintable", ("password",)))
    if channel not in HOLDERS_CHANNELS:
        faults.append(Fault(ErrorCode.INVALID, "errors.invalid", ("channel",)))
    return faults


def _plain(device: str) -> str:
    """Return what a client calls its device, without what a database or a log could not take."""
    return "".join(character for character in device[:_DEVICE_LENGTH_MAX] if is_printable(character)).strip()


@transactional
async def _begin(
    ports: Ports, account_id: UUID, checked_hash: str, counter: str, client: str, device: str, channel: Channel
) -> SignedIn:
    # While the password was being checked the account may have been closed, or have got another password.
    account = await fetch_one(
        "select * from accounts where id = $1 and status = $2 and password_hash = $3 for update",
        account_id, AccountStatus.ACTIVE.value, checked_hash,
    )  # fmt: skip
    if account is None:
        raise Refused(_WRONG)
    await note_sign_in(ports, account, device, channel)
    token, sign_in_id = await begin_sign_in(ports.now(), account_id, device=device, channel=channel)
    await forget(counter)
    await take_back(ports, Limit.SIGN_INS_PER_CLIENT, client)
    begun = await fetch_one("select * from sign_ins where id = $1", sign_in_id)
    assert begun is not None
    return SignedIn(token, sign_in_id, begun, account)
