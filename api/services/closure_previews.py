"""The preview of a closing: what it would do, and the token that closing takes (rule 20). Nothing changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from api.adapters.database import Row, fetch_one, read_uuid
from api.adapters.ports import Ports
from api.domain.accounts import AccountStatus
from api.domain.closing_data import closing_data
from api.domain.faults import ErrorCode, Fault, Refused
from api.services.closure_facts import Facts, balances_of, open_services, read_facts
from api.services.closure_tokens import Seen, write_token


class Preview(NamedTuple):
    """What was found, and the token of it."""

    token: str
    expires_at: datetime
    facts: Facts


async def preview(ports: Ports, account: Row, service_account_id: UUID | None) -> Preview:
    """Return what deleting an account would do, or closing one service of it; may be repeated.

    Raises Refused: NOT_FOUND for a service that is not this account's; ACCOUNT_CLOSED for one that is closed or being
    closed, and for an account that is.
    """
    account_id, now = read_uuid(account["id"]), ports.now()
    if account["status"] != AccountStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed"))
    services = await open_services(account_id, service_account_id)
    if service_account_id is not None and not services:
        raise Refused(await closed_or_nobodys(account_id, service_account_id, ("serviceAccountId",)))
    facts = await read_facts(ports, account, service_account_id, services, await balances_of(services, lock=False), now)
    # Whole seconds, as the token has them, so that what is said is what holds.
    expires_at = datetime.fromtimestamp(int((now + closing_data().preview).timestamp()), UTC)
    token = write_token(ports, Seen(account_id, service_account_id, expires_at, facts.digests()))
    return Preview(token, expires_at, facts)


async def closed_or_nobodys(account_id: UUID, service_account_id: UUID, path: tuple[str, ...]) -> Fault:
    """Return why a service that is not open cannot be closed."""
    own = await fetch_one(
        "select status from service_accounts where id = $1 and account_id = $2", service_account_id, account_id
    )
    if own is None:
        return Fault(ErrorCode.NOT_FOUND, "errors.not_found", path)
    return Fault(ErrorCode.ACCOUNT_CLOSED, "closures.service_closed", path)
