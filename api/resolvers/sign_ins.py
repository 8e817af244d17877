"""Signing in and out."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain.ids import NodeKind
from api.resolvers.fields import HOLDER, mutation
from api.resolvers.inputs import key_in
from api.resolvers.sessions import hand_over
from api.schema.account_payloads import AccountPayload
from api.schema.errors import AcceptedPayload
from api.schema.scalars import Info
from api.schema.sign_ups import SessionPayload, SignInInput
from api.services import sign_ins


@strawberry.type
class SignInsMutations:
    """Mutations by which a sign-in begins and ends."""

    @mutation(
        "Signs in. INVALID_CREDENTIALS never says whether the address is known; EMAIL_NOT_VERIFIED comes only with the "
        "right password of a sign-up that waits for its link; RATE_LIMITED after too many tries. With a second factor "
        "it gives a `challenge` instead of a sign-in. Staff sign in here too.",
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
            in_browser=connection.wants_cookie,
        )
        if isinstance(begun, sign_ins.Challenged):
            return SessionPayload(challenge=begun.challenge)
        return await hand_over(info.context, begun)

    @mutation(
        "Ends the sign-in that asks, and its open sockets, at once. Accepted also when there is none, so it may be "
        "repeated; a key is not ended by it. A browser's cookie goes with it.",
        payload=AcceptedPayload,
        enrolling=True,
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
        if context.connection.from_cookie and context.connection.cookie is not None:
            context.connection.cookie.clear()
        return AcceptedPayload(accepted=True)

    @mutation(
        "Ends one of the account's sign-ins, and its open sockets, at once; see `security.sessions`. It may be "
        "repeated. NOT_FOUND for any other id.",
        payload=AccountPayload,
        roles=HOLDER,
    )
    async def revoke_session(
        self, info: Info, session_id: Annotated[strawberry.ID, strawberry.argument(description="Which one.")]
    ) -> AccountPayload:
        context = info.context
        holder, viewer = context.holder(), context.admit(HOLDER)
        key = key_in(session_id, NodeKind.SIGN_IN, "sessionId")
        await sign_ins.revoke_sign_in(context.ports, holder, key, channel=viewer.channel)
        return AccountPayload.of(viewer.account)
