"""What signing up and signing in take, and what signing in answers."""

from __future__ import annotations

import strawberry

from api.domain.accounts import Channel
from api.domain.addresses import Address as TypedAddress
from api.domain.security_questions import SecurityAnswer
from api.domain.sign_ups import Credentials, Profile
from api.schema.accounts import Account, Session
from api.schema.errors import Payload
from api.services.sign_in_begins import SignedIn
from api.services.sign_ups import Stages


@strawberry.input(description="A postal address, as on the ID. Only `line2` may be left out.")
class AddressInput:
    line1: str = strawberry.field(description="Street and number, or PO box.")
    line2: str | None = strawberry.field(default=None, description="Apartment, unit or the like.")
    city: str = strawberry.field(description="City or town.")
    state: str = strawberry.field(description='In the United States the two-letter code ("TX"); elsewhere any text.')
    zip: str = strawberry.field(
        description='ZIP code of that state: "75001" or "75001-0757"; elsewhere the postal code.'
    )
    country: str = strawberry.field(default="US", description='ISO 3166-1 code with two letters: "US", "CA", "MX".')

    def typed(self) -> TypedAddress:
        return TypedAddress(self.line1, self.line2, self.city, self.state, self.zip, self.country)


@strawberry.input(description="A security question and its answer.")
class SecurityAnswerInput:
    question_code: str = strawberry.field(description="The code of an offered question, see `signUpRequirements`.")
    answer: str = strawberry.field(
        description="3 to 100 characters. Case, accents and spaces at the ends do not count when it is asked for later."
    )

    def typed(self) -> SecurityAnswer:
        return SecurityAnswer(self.question_code, self.answer)


@strawberry.input(description="Stage 1 of signing up.")
class CredentialsInput:
    email: str = strawberry.field(description="Gets a link that confirms it; later the name to sign in with.")
    password: str = strawberry.field(description="8 to 128 characters, see `passwordRules` of `signUpRequirements`.")
    accept_terms: bool = strawberry.field(description="True when the holder has ticked the terms of service.")
    terms_version: str = strawberry.field(description="The version that was shown, from `signUpRequirements`.")

    def typed(self) -> Credentials:
        return Credentials(self.email, self.password, self.accept_terms, self.terms_version)


@strawberry.input(description="Stage 3 of signing up: who the holder is, as on the ID.")
class ProfileInput:
    first_name: str = strawberry.field(description="As on the ID.")
    last_name: str = strawberry.field(description="As on the ID.")
    address: AddressInput = strawberry.field(description="As on the ID; refund checks go there.")
    phone: str = strawberry.field(
        description='A number of the United States as people write it, "(214) 555-0123", or any with "+".'
    )
    passcode: str = strawberry.field(description="4 digits, asked for by support; not one that is easily guessed.")
    locale: str | None = strawberry.field(
        default=None, description='Language of texts and mails, "en" or "es"; left out: that of the request.'
    )

    def typed(self) -> Profile:
        return Profile(self.first_name, self.last_name, self.address.typed(), self.phone, self.passcode, self.locale)


@strawberry.input(description="The three stages of signing up, sent at once; `validateSignUp` checks a stage alone.")
class SignUpInput:
    credentials: CredentialsInput = strawberry.field(description="Stage 1: e-mail, password, terms.")
    security_answers: list[SecurityAnswerInput] = strawberry.field(description="Stage 2: three different questions.")
    profile: ProfileInput = strawberry.field(description="Stage 3: name, address, phone, passcode.")

    def stages(self) -> Stages:
        return Stages(self.credentials.typed(), [a.typed() for a in self.security_answers], self.profile.typed())


@strawberry.input(
    description="The stages to check; those left out are not. An answer is compared with the password too."
)
class ValidateSignUpInput:
    credentials: CredentialsInput | None = strawberry.field(default=None, description="Stage 1.")
    security_answers: list[SecurityAnswerInput] | None = strawberry.field(default=None, description="Stage 2.")
    profile: ProfileInput | None = strawberry.field(default=None, description="Stage 3.")

    def stages(self) -> Stages:
        answers = self.security_answers
        return Stages(
            self.credentials.typed() if self.credentials else None,
            None if answers is None else [answer.typed() for answer in answers],
            self.profile.typed() if self.profile else None,
        )


@strawberry.input(description="Who signs in, and from what.")
class SignInInput:
    email: str = strawberry.field(description="The account's address; case does not count.")
    password: str = strawberry.field(description="The account's password.")
    device: str | None = strawberry.field(
        default=None,
        description='What the list of sign-ins shows, e.g. "Ann\'s phone", cut at 200 characters; '
        "left out: what the browser calls itself.",
    )
    channel: Channel = strawberry.field(
        default=Channel.WEB, description="WEB, IOS or ANDROID; others are refused. Sign-ins of apps last longer."
    )


@strawberry.type(description="A sign-in that has begun or goes on, or a challenge that comes before it.")
class SessionPayload(Payload):
    token: str | None = strawberry.field(
        default=None,
        description="Opaque; send it as `Authorization: Bearer TOKEN`. Shown once; null where the present one goes on, "
        "and where a browser asked for a cookie instead, by the header `X-Session: cookie` of a request whose Origin "
        "is allowed.",
    )
    session: Session | None = strawberry.field(default=None, description="The sign-in; null when there is none yet.")
    account: Account | None = strawberry.field(
        default=None, description="The account; null when there is no sign-in yet, and for staff."
    )
    challenge: str | None = strawberry.field(
        default=None,
        description="Set when a second factor is asked for: within five minutes, give it to `answerChallenge` with a "
        "code. Then all else is null.",
    )

    @staticmethod
    def of(begun: SignedIn, *, by_cookie: bool = False) -> SessionPayload:
        return SessionPayload(
            token=None if by_cookie else begun.token,
            session=Session.of(begun.sign_in, current_id=begun.sign_in_id),
            account=Account.of(begun.account) if begun.account else None,
        )
