"""Signing in and out."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.resolvers.fields import mutation
from api.schema.errors import AcceptedPayload
from api.schema.scalars import Info
from api.schema.sign_ups import SessionPayload, SignInInput
from api.services import sign_ins


@strawberry.type
class SignInsMutations:
    """Mutations by which a sign-in begins and ends."""

    @mutation(
        "Signs in. INVALID_CREDENTIALS never says whether the address is known; EMAIL_NOT_VERIFIED comes only with the "
        "right password of a sign-up that waits for its link; RATE_LIMITED after too many tries.",
        payload=SessionPayload,
    )
    async def sign_in(
        self, info: Info, input: Annotated[SignInInput, strawberry.argument(description="Who signs in.")]
    ) -> SessionPayload:
        connection = info.context.connection
        begun = await sign_ins.sign_in(
            connection.ports,
            connection.passwords,
            email=input.email,
            password=input.password,
            device=connection.user_agent if input.device is None else input.device,
            channel=input.channel,
            client_address=connection.client_address,
        )
        return SessionPayload.of(begun)

    @mutation(
        "Ends the sign-in that asks, and its open sockets, at once. Accepted also when there is none, so it may be "
        "repeated; a key is not ended by it.",
        payload=AcceptedPayload,
    )
    async def sign_out(
        self,
        info: Info,
        everywhere: Annotated[
            bool, strawberry.argument(description="True: ends all sign-ins of the account, on every device.")
        ] = False,
    ) -> AcceptedPayload:
        context = info.context
        if context.viewer is not None:
            await sign_ins.sign_out(context.ports, context.viewer, everywhere=everywhere)
        return AcceptedPayload(accepted=True)
