"""Whether an account is open, for use cases that begin something for it while it may be deleted at the same time."""

from __future__ import annotations

from uuid import UUID

from api.adapters.database import fetch_one
from api.domain.accounts import AccountStatus
from api.domain.faults import ErrorCode, Fault, Refused


async def lock_open_account(account_id: UUID) -> None:
    """Lock an account until the transaction ends; raises Refused with ACCOUNT_CLOSED unless it is open.

    Balances are locked before, never after.
    """
    row = await fetch_one("select status from accounts where id = $1 for update", account_id)
    if row is None or row["status"] != AccountStatus.ACTIVE.value:
        raise Refused(Fault(ErrorCode.ACCOUNT_CLOSED, "errors.account_closed"))
