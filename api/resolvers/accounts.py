"""Who is signed in, and what is shown before signing up."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.domain import agreements
from api.domain.agreements import AgreementKind, current_version
from api.domain.passwords import password_rules
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import pick_locale
from api.resolvers.fields import query
from api.schema.accounts import Account, Agreement, SecurityQuestion, SignUpRequirements
from api.schema.pages import Locale
from api.schema.scalars import Info


@strawberry.type
class AccountsQueries:
    """Queries about the online account."""

    @query("The signed-in account; null when signed out, and for keys.")
    async def me(self, info: Info) -> Account | None:
        viewer = info.context.viewer
        return Account.of(viewer.account) if viewer and viewer.account else None

    @query("What signing up asks for; show it before and beside the form.")
    async def sign_up_requirements(self, info: Info) -> SignUpRequirements:
        data = sign_up_data()
        return SignUpRequirements(
            password_min_length=data.password_length_min,
            password_rules=password_rules(info.context.locale),
            security_questions_required=data.questions_required,
            security_questions=[SecurityQuestion(code=code) for code in data.questions_offered],
            passcode_length=data.passcode_length,
            terms_version=current_version(AgreementKind.TERMS),
            terms_url=info.context.ports.public_url + data.terms_url_path,
            states=list(data.states),
        )

    @query("The text that a consent agrees to, in the version that holds now.")
    async def agreement(
        self,
        info: Info,
        kind: Annotated[AgreementKind, strawberry.argument(description="What is agreed to.")],
        locale: Locale = None,
    ) -> Agreement:
        language = pick_locale(locale) if locale else info.context.locale
        version, text = agreements.agreement(kind, language)
        return Agreement(kind=kind, version=version, text=text)
