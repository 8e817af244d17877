"""The answer of mutations that change the account."""

from __future__ import annotations

import strawberry

from api.adapters.database import Row
from api.schema.accounts import Account
from api.schema.errors import Payload


@strawberry.type(description="The account after a change.")
class AccountPayload(Payload):
    account: Account | None = strawberry.field(
        default=None, description="The account; null when it was refused, and for staff."
    )

    @staticmethod
    def of(row: Row | None) -> AccountPayload:
        return AccountPayload(account=Account.of(row) if row else None)
