"""The account that comes of a sign-up, once its link was opened."""

from __future__ import annotations

from tortoise.exceptions import IntegrityError

from api.adapters.database import execute, fetch, fetch_one, read_json, read_time, transactional
from api.adapters.ports import Ports
from api.auth.limits import Limit, forget_guesses, take_back
from api.domain.accounts import AccountStatus, Channel
from api.domain.agreements import AgreementKind
from api.domain.faults import ErrorCode, Fault, Refused
from api.models.accounts import Account
from api.models.accounts import SecurityAnswer as AnswerRow
from api.services.activity import note
from api.services.addresses_taken import is_staff_address
from api.services.consents import record_consent


@transactional
async def open_account(ports: Ports, hash_of_token: str, client: str) -> bool:
    """Make an account of the sign-up that a link belongs to, once; the other sign-ups of its address end.

    Returns False, with nothing changed, for a link that is no sign-up's. Raises Refused: TOKEN_INVALID where the
    address has got an account meanwhile; TOKEN_EXPIRED.
    """
    now = ports.now()
    # All that wait at the address are locked in one order, that of `_renew_links`, so that two of its links at once, or
    # a link and a resend, do not wait for each other.
    await fetch(
        "select id from pending_sign_ups where email_key = (select email_key from pending_sign_ups"
        " where token_hash = $1) order by created_at desc, id desc for update",
        hash_of_token,
    )
    # Deleting is what makes the link work once: of two at the same time, one finds nothing left.
    row = await fetch_one("delete from pending_sign_ups where token_hash = $1 returning *", hash_of_token)
    if row is None:
        return False
    await take_back(ports, Limit.LINKS_PER_CLIENT, client)
    if read_time(row["expires_at"]) <= now:
        raise Refused(Fault(ErrorCode.TOKEN_EXPIRED, "errors.token_expired", ("token",)))
    try:
        account = await Account.create(
            **read_json(row["profile"]),
            status=AccountStatus.ACTIVE.value,
            email=row["email"],
            email_key=row["email_key"],
            email_verified_at=now,
            locale=row["locale"],
            password_hash=row["password_hash"],
            password_changed_at=read_time(row["created_at"]),
            passcode_hash=row["passcode_hash"],
            terms_version=row["terms_version"],
            terms_agreed_at=read_time(row["created_at"]),
            created_at=now,
        )
    except IntegrityError:
        raise Refused(Fault(ErrorCode.TOKEN_INVALID, "errors.token_invalid", ("token",))) from None
    # An address is a customer's or a member of staff's, never both; the latter may have been made since the sign-up.
    if await is_staff_address(row["email_key"]):
        raise Refused(Fault(ErrorCode.TOKEN_INVALID, "errors.token_invalid", ("token",)))
    for code, kept in read_json(row["answers"]):
        await AnswerRow.create(account_id=account.id, question_code=code, answer_hash=kept)
    await execute("delete from pending_sign_ups where email_key = $1", row["email_key"])
    # What was guessed until now was no secret of this account, and must not lock it.
    await forget_guesses(ports, row["email_key"])
    # Signing up does not say by which way it came; the link leads to the page.
    await record_consent(
        account.id, AgreementKind.TERMS, row["terms_version"], locale=row["locale"], channel=Channel.WEB,
        agreed_at=read_time(row["created_at"]),
    )  # fmt: skip
    await note(ports, account.id, "account_opened", channel=Channel.WEB)
    return True
