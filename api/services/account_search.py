"""Finding customers' accounts, for staff."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import Row, fetch_one
from api.auth.emails import normalise_email
from api.auth.phones import phone_to_e164
from api.domain.external_payments import plain_number
from api.domain.faults import ErrorCode, Fault, Refused
from api.services.pages import Page, PageRequest, newest_first

SEARCH_LENGTH_MAX = 254


async def account_of(account_id: UUID) -> Row | None:
    """Return an account, or None."""
    return await fetch_one("select * from accounts where id = $1", account_id)


async def accounts_page(search: str, request: PageRequest) -> Page:
    """Return the accounts that have this e-mail, phone, printed number, or last name, newest first.

    All but the last name, whose beginning is enough, must be whole. Raises Refused for an empty or endless search.
    """
    text = search.strip()
    if not 2 <= len(text) <= SEARCH_LENGTH_MAX or not text.isprintable():
        raise Refused(Fault(ErrorCode.INVALID, "errors.invalid", ("search",)))
    email = normalise_email(text, allow_test_domains=True) if "@" in text else None
    phone = phone_to_e164(text) if len(text) <= 40 else None
    pattern = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return await newest_first(
        "select * from accounts where (email_key = $1 or phone = $2 or lower(last_name) like $3 escape '\\'"
        " or id in (select account_id from service_accounts where number = $4))",
        [email.key if email else "", phone or "", pattern, plain_number(text)],
        [("id", UUID)],
        request,
    )
