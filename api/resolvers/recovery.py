"""Resetting a forgotten password, in three steps."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.resolvers.fields import mutation
from api.schema.errors import AcceptedPayload
from api.schema.recovery import PasswordResetCodePayload, ResetPasswordInput
from api.schema.scalars import Info
from api.services import recovery


@strawberry.type
class RecoveryMutations:
    """Mutations by which a holder who forgot the password gets back in."""

    @mutation(
        "Step 1: mails an 8-digit number to the holder of the address; it works once, for 10 minutes, and ends an "
        "older one. The answer is the same whether or not the address is known; nothing else changes yet.",
        payload=AcceptedPayload,
    )
    async def request_password_reset(
        self, info: Info, email: Annotated[str, strawberry.argument(description="The name to sign in with.")]
    ) -> AcceptedPayload:
        context = info.context
        await recovery.request_reset(context.ports, email, client_address=context.connection.client_address)
        return AcceptedPayload(accepted=True)

    @mutation(
        "Step 2: exchanges the mailed number for a token and the account's security questions. TOKEN_INVALID for a "
        "number that is wrong, used, replaced by a newer one or tried five times, also where the address is unknown; "
        "TOKEN_EXPIRED for one that is too old; RATE_LIMITED after too many tries.",
        payload=PasswordResetCodePayload,
    )
    async def verify_password_reset_code(
        self,
        info: Info,
        email: Annotated[str, strawberry.argument(description="As given to `requestPasswordReset`.")],
        code: Annotated[str, strawberry.argument(description="The number from the mail; spaces do not count.")],
    ) -> PasswordResetCodePayload:
        context = info.context
        address = context.connection.client_address
        return PasswordResetCodePayload.of(
            await recovery.verify_number(context.ports, email, code, client_address=address)
        )

    @mutation(
        "Step 3: stores the new password when every answer is right. Ends all sign-ins and their sockets and begins "
        "none: sign in with the new password, and the second factor if there is one. A password that breaks a rule "
        "uses up nothing. INVALID_CREDENTIALS does not say which answer is wrong; after five wrong sets the reset is "
        "over, and the holder gets a mail. Also opens an account that too many wrong passwords have locked.",
        payload=AcceptedPayload,
    )
    async def reset_password(
        self,
        info: Info,
        input: Annotated[ResetPasswordInput, strawberry.argument(description="Token, new password, answers.")],
    ) -> AcceptedPayload:
        context = info.context
        await recovery.reset_password(
            context.ports,
            context.passwords,
            token=input.reset_token,
            new_password=input.new_password,
            answers=[given.typed() for given in input.security_answers],
            client_address=context.connection.client_address,
        )
        return AcceptedPayload(accepted=True)
