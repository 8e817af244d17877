"""What changing the profile and what protects the account takes and answers."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.adapters.database import read_uuid
from api.schema.accounts import Account, Session
from api.schema.sign_ups import AddressInput, SessionPayload
from api.services.profiles import ProfileChanges
from api.services.security import GoesOn

Password = Annotated[
    str, strawberry.argument(description="The account's present password; no fresh proof is needed besides.")
]


@strawberry.input(description="What to change; what is left out, or null, stays as it is.")
class UpdateProfileInput:
    first_name: str | None = strawberry.field(default=None, description="As on the ID.")
    last_name: str | None = strawberry.field(default=None, description="As on the ID.")
    phone: str | None = strawberry.field(
        default=None,
        description='A number of the United States as people write it, "(214) 555-0123", or any with "+".',
    )
    address: AddressInput | None = strawberry.field(
        default=None, description="Replaces the whole address; its revision grows when it differs from the old one."
    )
    locale: str | None = strawberry.field(default=None, description='Language of texts and mails, "en" or "es".')

    def changes(self) -> ProfileChanges:
        address = self.address.typed() if self.address else None
        return ProfileChanges(self.first_name, self.last_name, self.phone, address, self.locale)


def session_that_goes_on(kept: GoesOn) -> SessionPayload:
    """Return the payload of the sign-in that asked; its token is not shown again."""
    session = Session.of(kept.sign_in, current_id=read_uuid(kept.sign_in["id"]))
    return SessionPayload(session=session, account=Account.of(kept.account))
