"""Changing the profile and what protects the account."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.auth.sign_ins import Viewer
from api.resolvers.fields import HOLDER, mutation
from api.schema.account_payloads import AccountPayload
from api.schema.errors import AcceptedPayload
from api.schema.scalars import Info
from api.schema.security import Password, UpdateProfileInput, session_that_goes_on
from api.schema.sign_ups import SecurityAnswerInput, SessionPayload
from api.services import email_changes, profiles, security


def _viewer(info: Info) -> Viewer:
    return info.context.admit(HOLDER)


@strawberry.type
class SecurityMutations:
    """Mutations of the holder's own account."""

    @mutation(
        "Changes parts of the profile. All faults come at once, with paths, by the rules of signing up.",
        payload=AccountPayload,
        roles=HOLDER,
    )
    async def update_profile(
        self, info: Info, input: Annotated[UpdateProfileInput, strawberry.argument(description="What to change.")]
    ) -> AccountPayload:
        return AccountPayload.of(await profiles.update_profile(info.context.ports, _viewer(info), input.changes()))

    @mutation(
        "Asks the new address to confirm itself by a mailed link, which `verifyEmail` takes; until then the old one "
        "signs in and gets the mails, and a notice of this. The answer is the same whether the new one is free, taken "
        "or the account's own, which takes a change back. A newer change and a new password end the older link.",
        payload=AcceptedPayload,
        roles=HOLDER,
    )
    async def change_email(
        self,
        info: Info,
        new_email: Annotated[str, strawberry.argument(description="Gets the link; works for 24 hours.")],
        password: Password,
    ) -> AcceptedPayload:
        connection = info.context.connection
        await email_changes.change_email(
            connection.ports, connection.passwords, _viewer(info), new_email, password,
            client_address=connection.client_address,
        )  # fmt: skip
        return AcceptedPayload(accepted=True)

    @mutation(
        "Changes the password. The sign-in that asks goes on, all others and their sockets end; a notice is mailed. "
        "INVALID_CREDENTIALS when the current one is wrong, which counts as a guess.",
        payload=SessionPayload,
        roles=HOLDER,
    )
    async def change_password(
        self,
        info: Info,
        current_password: Annotated[str, strawberry.argument(description="The one that signs in now.")],
        new_password: Annotated[str, strawberry.argument(description="See `passwordRules` of `signUpRequirements`.")],
    ) -> SessionPayload:
        connection = info.context.connection
        kept = await security.change_password(
            connection.ports, connection.passwords, _viewer(info), current_password, new_password,
            client_address=connection.client_address,
        )  # fmt: skip
        return session_that_goes_on(kept)

    @mutation(
        "Changes the passcode, which support asks for; a notice is mailed. It is never returned.",
        payload=AccountPayload,
        roles=HOLDER,
    )
    async def change_passcode(
        self,
        info: Info,
        password: Password,
        new_passcode: Annotated[str, strawberry.argument(description="4 digits; not one that is easily guessed.")],
    ) -> AccountPayload:
        connection = info.context.connection
        row = await security.change_passcode(
            connection.ports, connection.passwords, _viewer(info), password, new_passcode,
            client_address=connection.client_address,
        )  # fmt: skip
        return AccountPayload.of(row)

    @mutation(
        "Replaces all three security questions at once; a notice is mailed. The answers are never returned.",
        payload=AccountPayload,
        roles=HOLDER,
    )
    async def set_security_questions(
        self,
        info: Info,
        password: Password,
        answers: Annotated[
            list[SecurityAnswerInput], strawberry.argument(description="Three different questions, each answered.")
        ],
    ) -> AccountPayload:
        connection = info.context.connection
        row = await security.set_security_questions(
            connection.ports, connection.passwords, _viewer(info), password, [answer.typed() for answer in answers],
            client_address=connection.client_address,
        )  # fmt: skip
        return AccountPayload.of(row)

    @mutation(
        "Proves the password again; for five minutes what is grave is allowed, e.g. deleting the account. The sign-in "
        "goes on with the token that it has. Signing in counts as a proof too.",
        payload=SessionPayload,
        roles=HOLDER,
    )
    async def reauthenticate(self, info: Info, password: Password) -> SessionPayload:
        connection = info.context.connection
        kept = await security.reauthenticate(
            connection.ports, connection.passwords, _viewer(info), password, client_address=connection.client_address
        )
        return session_that_goes_on(kept)
