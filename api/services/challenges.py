"""The second step of signing in: a challenge that waits for a code, and its answer."""

from __future__ import annotations

from datetime import datetime

from uuid_utils.compat import uuid7

from api.adapters.database import Row, execute, fetch_one, read_time, read_uuid, transactional
from api.adapters.ports import Ports
from api.auth.limits import guess, guessed_right
from api.auth.sign_ins import TOKEN_LENGTH_MAX, Bearer
from api.auth.tokens import new_token, token_hash
from api.domain.accounts import Channel
from api.domain.faults import ErrorCode, Fault, Refused
from api.domain.guesses import Guess
from api.domain.sign_ins import sign_in_data
from api.services.activity import note_failure
from api.services.owners import Owner, lock_owner, owner_of_id
from api.services.second_factors import use_code
from api.services.sign_in_begins import SignedIn, begin

_INVALID = Fault(ErrorCode.TOKEN_INVALID, "second_factors.challenge_invalid", ("challenge",))
_EXPIRED = Fault(ErrorCode.TOKEN_EXPIRED, "second_factors.challenge_expired", ("challenge",))
_WRONG = Fault(ErrorCode.INVALID_CREDENTIALS, "second_factors.code_wrong", ("code",))


async def open_challenge(ports: Ports, bearer: Bearer) -> str:
    """Make a challenge within the transaction under way; return its token, shown once."""
    token, now = new_token(), ports.now()
    await execute(
        "insert into challenges (id, token_hash, owner, is_staff, in_browser, device, channel, tries, created_at,"
        " expires_at) values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)",
        uuid7(), token_hash(token), bearer.owner_id, bearer.is_staff, bearer.in_browser, bearer.device[:200],
        bearer.channel.value, now, now + sign_in_data().challenge_lifetime,
    )  # fmt: skip
    return token


async def answer_challenge(
    ports: Ports, challenge: str, code: str, *, client_address: str, may_set_cookie: bool
) -> SignedIn:
    """Begin the sign-in that a challenge stands for; it works once.

    Raises Refused: TOKEN_INVALID for a challenge that is unknown, used, out of tries, or was begun in a browser and is
    answered from where no cookie can be given; TOKEN_EXPIRED for one that is too old; INVALID_CREDENTIALS at
    ["code"], noted among the account's activity; RATE_LIMITED or LOCKED. Each try counts before the code is looked at,
    also for the account.
    """
    kept = await _count(ports, token_hash(challenge)) if len(challenge) <= TOKEN_LENGTH_MAX else None
    if kept is None or (kept["in_browser"] and not may_set_cookie):
        raise Refused(_INVALID)
    if read_time(kept["expires_at"]) <= ports.now():
        raise Refused(_EXPIRED)
    owner = await owner_of_id(read_uuid(kept["owner"]))
    if owner is None:
        raise Refused(_INVALID)
    await guess(ports, owner.email_key, client_address, Guess.TOTP)
    try:
        return await _finish(ports, owner, kept, code, client_address)
    except Refused as refusal:
        if _WRONG in refusal.faults:
            # Whoever gets here has the password, which its holder should know of.
            account_id, channel = None if owner.is_staff else owner.id, Channel(kept["channel"])
            await note_failure(ports, owner.email_key, account_id, "code_refused", channel=channel)
        raise


async def prune(now: datetime) -> int:
    """Drop challenges that are over; return how many."""
    return await execute("delete from challenges where expires_at <= $1", now)


@transactional
async def _count(ports: Ports, hash_of_token: str) -> Row | None:
    # Counted and compared in one statement, so that no number of tries at once makes more than are allowed.
    return await fetch_one(
        "update challenges set tries = tries + 1 where token_hash = $1 and tries < $2 returning *",
        hash_of_token, sign_in_data().challenge_tries_max,
    )  # fmt: skip


@transactional
async def _finish(ports: Ports, owner: Owner, kept: Row, code: str, client_address: str) -> SignedIn:
    row = await lock_owner(owner)
    # A password that was changed since the challenge ends it: whoever knew the old one gets no further.
    if row is None or read_time(row["password_changed_at"]) > read_time(kept["created_at"]):
        raise Refused(_INVALID)
    if not await execute("delete from challenges where id = $1", read_uuid(kept["id"])):
        raise Refused(_INVALID)
    if not await use_code(ports, owner.id, code):
        raise Refused(_WRONG)
    await guessed_right(ports, owner.email_key, client_address, Guess.TOTP)
    bearer = Bearer(owner.id, owner.is_staff, kept["device"], Channel(kept["channel"]), bool(kept["in_browser"]))
    return await begin(ports, bearer, row)
