"""Setting up a second factor."""

from __future__ import annotations

import strawberry

from api.schema.errors import Payload
from api.services.second_factors import Setup


@strawberry.type(description="What setting up a second factor shows, this once.")
class MfaSetupPayload(Payload):
    provisioning_uri: str | None = strawberry.field(
        default=None,
        description='For an authenticator app, as a QR code or a link: "otpauth://totp/…". Then call `confirmMfa`.',
    )
    recovery_codes: list[str] = strawberry.field(
        default_factory=list,
        description="Codes to keep on paper: each stands in for the app once. Empty when it was refused.",
    )

    @staticmethod
    def of(setup: Setup) -> MfaSetupPayload:
        return MfaSetupPayload(provisioning_uri=setup.provisioning_uri, recovery_codes=setup.recovery_codes)
