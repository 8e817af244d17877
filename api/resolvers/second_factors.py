"""The second factor: setting it up, turning it off, and the second step of signing in."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.auth.sign_ins import Viewer
from api.context import Context
from api.resolvers.fields import PEOPLE, mutation
from api.resolvers.sessions import hand_over
from api.schema.account_payloads import AccountPayload
from api.schema.scalars import Info
from api.schema.second_factors import MfaSetupPayload
from api.schema.sign_ups import SessionPayload
from api.services import challenges, second_factors

Code = Annotated[str, strawberry.argument(description="Six digits from the app, or a recovery code.")]
AppCode = Annotated[str, strawberry.argument(description="Six digits from the app.")]
Password = Annotated[str, strawberry.argument(description="The present password.")]


def _viewer(context: Context) -> Viewer:
    return context.admit(PEOPLE)


@strawberry.type
class SecondFactorsMutations:
    """Mutations of the second factor."""

    @mutation(
        "Begins to set up a second factor: shows the secret for an authenticator app, and recovery codes, this once. "
        "Nothing changes at signing in until `confirmMfa`; a repeat before that replaces both.",
        payload=MfaSetupPayload,
        roles=PEOPLE,
        enrolling=True,
    )
    async def enable_mfa(self, info: Info, password: Password) -> MfaSetupPayload:
        context = info.context
        address = context.connection.client_address
        setup = await second_factors.enable(context.ports, context.passwords, _viewer(context), password, address)
        return MfaSetupPayload.of(setup)

    @mutation(
        "Turns the second factor on, once a code shows that the app has the secret. From then on signing in asks for "
        "a code. The account is null for staff.",
        payload=AccountPayload,
        roles=PEOPLE,
        enrolling=True,
    )
    async def confirm_mfa(self, info: Info, code: AppCode) -> AccountPayload:
        context = info.context
        viewer = _viewer(context)
        await second_factors.confirm(context.ports, viewer, code, context.connection.client_address)
        return AccountPayload.of(viewer.account)

    @mutation(
        "Turns the second factor off; its secret and its recovery codes are forgotten. The account is null for staff.",
        payload=AccountPayload,
        roles=PEOPLE,
    )
    async def disable_mfa(self, info: Info, password: Password, code: Code) -> AccountPayload:
        context = info.context
        viewer, address = _viewer(context), context.connection.client_address
        await second_factors.disable(context.ports, context.passwords, viewer, password, code, address)
        return AccountPayload.of(viewer.account)

    @mutation(
        "The second step of signing in: takes the challenge that `signIn` gave, and a code. Each code works once, and "
        "so does the challenge: five minutes, five tries; then TOKEN_EXPIRED or TOKEN_INVALID, and `signIn` again.",
        payload=SessionPayload,
    )
    async def answer_challenge(
        self,
        info: Info,
        challenge: Annotated[str, strawberry.argument(description="As `signIn` gave it.")],
        code: Code,
    ) -> SessionPayload:
        connection = info.context.connection
        begun = await challenges.answer_challenge(
            connection.ports,
            challenge,
            code,
            client_address=connection.client_address,
            may_set_cookie=connection.cookie is not None,
        )
        return await hand_over(info.context, begun)
