"""What closing asks for."""

from __future__ import annotations

from uuid import UUID

import strawberry

from api.domain.closures import Consequence
from api.services.closures import Order


@strawberry.input(description="Deletes the account, as the preview showed it.")
class DeleteAccountInput:
    preview_token: str = strawberry.field(description="Of `deletionPreview` without a service.")
    acknowledge: list[Consequence] = strawberry.field(description="Each consequence that the preview lists.")
    address_revision: int = strawberry.field(description="Of the address that the holder verified.")
    contact_email: str | None = strawberry.field(
        default=None,
        description="Where mails about the closing go until it is over; the account's address when left out.",
    )
    idempotency_key: str = strawberry.field(
        description="Made by the client, 1 to 200 printable characters; a repeat gives the same deletion, for 15 "
        "minutes also by the sign-in that the deletion ended."
    )

    def order(self) -> Order:
        """Return it as the service takes it."""
        return _order(self, contact_email=self.contact_email)


@strawberry.input(description="Closes one service, as its own preview showed it.")
class CloseServiceAccountInput:
    service_account_id: strawberry.ID = strawberry.field(description="Which one.")
    preview_token: str = strawberry.field(description="Of `deletionPreview` with this service.")
    acknowledge: list[Consequence] = strawberry.field(description="Each consequence that the preview lists.")
    address_revision: int = strawberry.field(description="Of the address that the holder verified.")
    idempotency_key: str = strawberry.field(
        description="Made by the client, 1 to 200 printable characters; a repeat gives the same closing."
    )

    def order(self, service_account_id: UUID) -> Order:
        """Return it as the service takes it."""
        return _order(self, service_account_id=service_account_id)


@strawberry.input(description="Deletes the account of a holder on the telephone, as the preview showed it.")
class StaffDeleteAccountInput:
    account_id: strawberry.ID = strawberry.field(description="Whose account.")
    passcode: str = strawberry.field(description="As the holder says it.")
    code: str = strawberry.field(description="The number that `staffSendDeletionCode` had mailed to the holder.")
    preview_token: str = strawberry.field(description="Of `staff.account.deletionPreview`, read out to the holder.")
    acknowledge: list[Consequence] = strawberry.field(description="Each consequence, as the holder agreed to it.")
    address_revision: int = strawberry.field(description="Of the address that the holder verified.")
    reason: str = strawberry.field(description="Why, for the record; at most 300 characters.")
    idempotency_key: str = strawberry.field(
        description="Made by the client, 1 to 200 printable characters; a repeat gives the same deletion."
    )

    def order(self) -> Order:
        """Return it as the service takes it."""
        return _order(self)


def _order(
    input: DeleteAccountInput | CloseServiceAccountInput | StaffDeleteAccountInput,
    *,
    service_account_id: UUID | None = None,
    contact_email: str | None = None,
) -> Order:
    return Order(
        service_account_id=service_account_id,
        preview_token=input.preview_token,
        acknowledge=tuple(input.acknowledge),
        address_revision=input.address_revision,
        contact_email=contact_email,
        idempotency_key=input.idempotency_key,
    )
