"""Signing in with e-mail and password, and signing out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch, fetch_one, read_time, transactional
from api.adapters.ports import Ports
from api.auth.emails import normalise_email
from api.auth.limits import Limit, client_of, count_try, guess, guessed_right
from api.auth.passwords import Passwords
from api.auth.sign_ins import Bearer, Viewer
from api.domain.accounts import HOLDERS_CHANNELS, Channel
from api.domain.faults import ErrorCode, Fault, Refused, refuse_if
from api.domain.guesses import Guess
from api.domain.passwords import password_is_too_long
from api.domain.plain_text import is_printable
from api.domain.sign_up_data import sign_up_data
from api.services.activity import note, note_failure
from api.services.challenges import open_challenge
from api.services.owners import Owner, is_enabled, lock_owner, owner_of_email
from api.services.sign_in_begins import SignedIn, begin, end, end_others
from api.services.sign_ups import newest_waiting

LISTED_MAX = 50
_DEVICE_LENGTH_MAX = 200
_WRONG = Fault(ErrorCode.INVALID_CREDENTIALS, "errors.invalid_credentials", ("input",))


class Challenged(NamedTuple):
    """The password was right, and a code of the second factor is still to come: the challenge's token, shown once."""

    challenge: str


async def sign_in(
    ports: Ports,
    passwords: Passwords,
    *,
    email: str,
    password: str,
    device: str,
    channel: Channel,
    client_address: str,
    in_browser: bool = False,
) -> SignedIn | Challenged:
    """Begin a sign-in of a holder or of staff, or ask for a second factor; each call begins another one.

    Raises Refused: INVALID_CREDENTIALS, with the same work done whether the address is unknown, its account is not
    open or the password is wrong; EMAIL_NOT_VERIFIED for the password of the newest sign-up that waits, also where the
    address is taken, or whoever signs up could find that out;
    RATE_LIMITED or LOCKED, and then no password is looked at; TOO_LONG or INVALID for what no account could have.
    `in_browser`: the token will go into a cookie, and the channel is WEB whatever is given.
    """
    refuse_if(fault.under("input") for fault in _input_faults(password, channel))
    address = normalise_email(email, allow_test_domains=ports.sandbox)
    owner = waiting = None
    if address is None:
        await count_try(ports, (Limit.GUESSES_PER_CLIENT, client_of(client_address)))
    else:
        await guess(ports, address.key, client_address, Guess.PASSWORD)
        owner = await owner_of_email(address.key)
        waiting = await newest_waiting(ports.now(), address.key)
    fits = await passwords.check_password(password, owner.password_hash if owner else None)
    if owner is None or not fits:
        # Whether somebody waits is asked at each address, also where there is an account: see `sign_ups`.
        if await passwords.check_password(password, waiting["password_hash"] if waiting else None):
            raise Refused(Fault(ErrorCode.EMAIL_NOT_VERIFIED, "errors.email_not_verified", ("input", "email")))
        if address is not None:
            account_id = owner.id if owner and not owner.is_staff else None
            await note_failure(ports, address.key, account_id, "sign_in_failed", channel=channel)
        raise Refused(_WRONG)
    # A cookie is a browser's, and lasts no longer than a browser's sign-in, whatever the client says it is.
    bearer = Bearer(owner.id, owner.is_staff, _plain(device), Channel.WEB if in_browser else channel, in_browser)
    return await _begin(ports, owner, bearer, client_address)


@transactional
async def sign_out(ports: Ports, viewer: Viewer, *, everywhere: bool) -> None:
    """End the viewer's sign-in, or all of the account's, and their sockets with them; a key's goes on.

    A repeat changes nothing.
    """
    if viewer.owner_id is None:
        return
    sign_in_id = None if everywhere else viewer.sign_in_id
    if viewer.account_id is not None:
        await fetch_one("select id from accounts where id = $1 for update", viewer.account_id)
    ended = await end(ports, viewer.owner_id, sign_in_id, is_staff=viewer.staff is not None)
    if ended and viewer.account_id is not None:
        action = "signed_out_everywhere" if everywhere else "signed_out"
        await note(ports, viewer.account_id, action, channel=viewer.channel)


@transactional
async def revoke_sign_in(ports: Ports, account_id: UUID, sign_in_id: UUID, *, channel: Channel) -> None:
    """End one of the account's own sign-ins, and its sockets; a repeat changes nothing.

    Raises Refused with NOT_FOUND for any other id.
    """
    await fetch_one("select id from accounts where id = $1 for update", account_id)
    own = await fetch_one("select device from sign_ins where id = $1 and account_id = $2", sign_in_id, account_id)
    if own is None:
        raise Refused(Fault(ErrorCode.NOT_FOUND, "errors.not_found", ("sessionId",)))
    if await end(ports, account_id, sign_in_id):
        await note(ports, account_id, "sign_in_revoked", channel=channel, params={"device": own["device"]})


async def end_sign_ins(ports: Ports, account_id: UUID, sign_in_id: UUID | None) -> int:
    """End one sign-in of an account, or with None all of them, within the transaction under way; return how many.

    The account's row is to be locked before.
    """
    return await end(ports, account_id, sign_in_id)


async def end_other_sign_ins(ports: Ports, account_id: UUID, spared_id: UUID, *, channel: Channel) -> int:
    """End all sign-ins of an account but one, as above; return how many, which is noted among its activity."""
    ended = await end_others(ports, account_id, spared_id)
    if ended:
        await note(ports, account_id, "sign_ins_ended", channel=channel, params={"count": str(ended)})
    return ended


async def open_sign_ins(ports: Ports, account_id: UUID) -> Sequence[Row]:
    """Return the account's sign-ins that still let somebody in, the one used last first; at most fifty."""
    now = ports.now()
    rows = await fetch(
        "select id, device, channel, created_at, last_seen_at, expires_at from sign_ins"
        " where account_id = $1 and ended_at is null and expires_at > $2"
        " order by last_seen_at desc, id desc limit $3",
        account_id, now, LISTED_MAX,
    )  # fmt: skip
    return [
        row for row in rows if now - read_time(row["last_seen_at"]) < ports.lifetimes.of(Channel(row["channel"])).idle
    ]


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
async def _begin(ports: Ports, owner: Owner, bearer: Bearer, client_address: str) -> SignedIn | Challenged:
    row = await lock_owner(owner)
    if row is None:
        raise Refused(_WRONG)
    asks_for_code = await is_enabled(owner.id)
    await guessed_right(ports, owner.email_key, client_address, complete=not asks_for_code)
    return Challenged(await open_challenge(ports, bearer)) if asks_for_code else await begin(ports, bearer, row)
