"""Signing up and confirming the e-mail address."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.faults import refuse_if
from api.resolvers.fields import mutation
from api.schema.errors import AcceptedPayload
from api.schema.scalars import Info
from api.schema.sign_ups import SignUpInput, ValidateSignUpInput
from api.services import sign_ups
from api.services.email_links import verify_email


@strawberry.type
class SignUpsMutations:
    """Mutations by which an account comes about."""

    @mutation(
        "Signs up; the address then gets a link that confirms it. All faults come at once, with paths. "
        "The answer is the same when the address is taken: then its owner gets a mail that says so.",
        payload=AcceptedPayload,
    )
    async def sign_up(
        self, info: Info, input: Annotated[SignUpInput, strawberry.argument(description="The three stages.")]
    ) -> AcceptedPayload:
        context = info.context
        address = context.connection.client_address
        await sign_ups.sign_up(
            context.ports, context.passwords, input.stages(), client_address=address, locale=context.locale
        )
        return AcceptedPayload(accepted=True)

    @mutation("Checks some of the stages, all faults at once; nothing is kept.", payload=AcceptedPayload)
    async def validate_sign_up(
        self, info: Info, input: Annotated[ValidateSignUpInput, strawberry.argument(description="The stages to check.")]
    ) -> AcceptedPayload:
        refuse_if(sign_ups.validate(info.context.ports, input.stages()))
        return AcceptedPayload(accepted=True)

    @mutation(
        "Confirms the address: of a sign-up, which opens the account, or of `changeEmail`, which ends all sign-ins but "
        "the one that asks. Signing in comes after. A link works once, for 24 hours: TOKEN_INVALID for one that is "
        "unknown, used or replaced, TOKEN_EXPIRED for one that is too old.",
        payload=AcceptedPayload,
    )
    async def verify_email(
        self, info: Info, token: Annotated[str, strawberry.argument(description="From the link's `token`.")]
    ) -> AcceptedPayload:
        context = info.context
        client_address = context.connection.client_address
        await verify_email(context.ports, token, client_address=client_address, viewer=context.viewer)
        return AcceptedPayload(accepted=True)

    @mutation(
        "Mails a new link for each sign-up that waits at the address; the old links end. "
        "The answer is the same when none waits.",
        payload=AcceptedPayload,
    )
    async def resend_verification_email(
        self, info: Info, email: Annotated[str, strawberry.argument(description="As it was signed up with.")]
    ) -> AcceptedPayload:
        context = info.context
        await sign_ups.resend(context.ports, email, client_address=context.connection.client_address)
        return AcceptedPayload(accepted=True)
