"""The online account and its sign-ins, and what a person is shown before opening one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.accounts import AccountStatus, Channel
from api.domain.agreements import AgreementKind
from api.domain.ids import NodeKind, global_id
from api.domain.plans import SubscriptionStatus
from api.domain.security_questions import question_text
from api.domain.service_accounts import Product
from api.domain.texts import pick_locale
from api.schema.activity import ActivityConnection
from api.schema.balances import Balance
from api.schema.enums import publish
from api.schema.held_funds import HeldFunds
from api.schema.notifications import NotificationPreference
from api.schema.pages import After, Before, First, Last, Locale, page_request
from api.schema.payments import PaymentConnection, PaymentMethod
from api.schema.plans import PlanSubscription
from api.schema.refunds import RefundConnection
from api.schema.scalars import Info, Node
from api.schema.service_accounts import ServiceAccount, service_account_of
from api.services.activity import activity_page
from api.services.balances import open_balances
from api.services.email_changes import pending_email
from api.services.held_funds import held_funds_of
from api.services.notifications import preferences_of
from api.services.owners import is_enabled
from api.services.payment_methods import methods_of
from api.services.payments import payments_page
from api.services.plans import subscriptions_of
from api.services.refund_reads import refunds_page
from api.services.service_accounts import services_of
from api.services.sign_ins import open_sign_ins
from api.services.sign_ups import question_codes

publish(
    AccountStatus,
    "Where an online account stands.",
    PENDING_VERIFICATION="Signed up, but the e-mail address is not confirmed yet.",
    ACTIVE="Open and usable.",
    LOCKED="Closed to signing in until its holder recovers it.",
    CLOSING="Being deleted: its refunds are under way and nobody can sign in.",
    DELETED="Gone; its e-mail address can never be used again.",
)
publish(AgreementKind, "What is agreed to.", TERMS="The terms of service, accepted when signing up.")


@strawberry.type(description="A postal address.")
class Address:
    line1: str = strawberry.field(description="Street and number, or PO box.")
    line2: str | None = strawberry.field(description="Apartment, unit or the like; null where there is none.")
    city: str = strawberry.field(description="City or town.")
    state: str = strawberry.field(description='In the United States the two-letter code ("TX"); elsewhere any text.')
    zip: str = strawberry.field(description="ZIP code, with 5 or 9 digits; elsewhere the postal code.")
    country: str = strawberry.field(description='ISO 3166-1 code with two letters: "US", "CA", "MX".')
    revision: int = strawberry.field(
        description="Grows with each change; deleting the account wants the one that the holder saw."
    )

    @staticmethod
    def of(row: Row) -> Address:
        return Address(
            line1=row["line1"],
            line2=row["line2"],
            city=row["city"],
            state=row["state"],
            zip=row["zip"],
            country=row["country"],
            revision=row["address_revision"],
        )


@strawberry.type(description="A security question, without its answer.")
class SecurityQuestion:
    code: str = strawberry.field(description="What to send as `questionCode`; does not change with the language.")

    @strawberry.field(description="What the question asks.")
    def text(self, info: Info, locale: Locale = None) -> str:
        return question_text(self.code, pick_locale(locale) if locale else info.context.locale)


@strawberry.type(description="A sign-in of the account: one device that may act for it until it ends.")
class Session(Node):
    device: str = strawberry.field(description="What the device called itself when it signed in; may be empty.")
    channel: Channel = strawberry.field(description="The way by which it signed in.")
    created_at: datetime = strawberry.field(description="When it signed in.")
    last_seen_at: datetime = strawberry.field(description="When it was last used, to within five minutes.")
    expires_at: datetime = strawberry.field(description="When it ends at the latest; unused ones end sooner.")
    current: bool = strawberry.field(description="True for the sign-in that asks.")

    @staticmethod
    def of(row: Row, *, current_id: UUID | None) -> Session:
        key = read_uuid(row["id"])
        return Session(
            id=strawberry.ID(global_id(NodeKind.SIGN_IN, key)),
            device=row["device"],
            channel=Channel(row["channel"]),
            created_at=read_time(row["created_at"]),
            last_seen_at=read_time(row["last_seen_at"]),
            expires_at=read_time(row["expires_at"]),
            current=key == current_id,
        )


@strawberry.type(description="What protects the account.")
class Security:
    password_changed_at: datetime = strawberry.field(description="When the present password was chosen.")
    account_key: strawberry.Private[UUID]

    @strawberry.field(description="True when signing in asks for a code of the second factor; see `enableMfa`.")
    async def mfa_enabled(self) -> bool:
        return await is_enabled(self.account_key)

    @strawberry.field(description="The questions that the holder answered. The answers are hashed and never returned.")
    async def security_questions(self) -> list[SecurityQuestion]:
        return [SecurityQuestion(code=code) for code in await question_codes(self.account_key)]

    @strawberry.field(description="The sign-ins that are open, the one used last first; at most fifty.")
    async def sessions(self, info: Info) -> list[Session]:
        viewer = info.context.viewer
        rows = await open_sign_ins(info.context.ports, self.account_key)
        return [Session.of(row, current_id=viewer.sign_in_id if viewer else None) for row in rows]


@strawberry.type(description="An online account: the login of a customer, under which the services are.")
class Account(Node):
    status: AccountStatus = strawberry.field(description="Where the account stands.")
    email: str = strawberry.field(description="Where mails go, and the name to sign in with.")
    email_verified_at: datetime | None = strawberry.field(description="When the address was confirmed by its link.")
    first_name: str = strawberry.field(description="As on the holder's ID.")
    last_name: str = strawberry.field(description="As on the holder's ID.")
    phone: str = strawberry.field(description='E.164: "+12145550123".')
    address: Address = strawberry.field(description="Where checks and letters go.")
    locale: str = strawberry.field(description='The language of texts and mails: "en" or "es".')
    created_at: datetime = strawberry.field(description="When the account was opened, by confirming its address.")
    key: strawberry.Private[UUID]
    row: strawberry.Private[Row]

    @strawberry.field(description="Money balances of all open services: AdvanceConnect and Direct Bill.")
    async def balances(self, info: Info) -> list[Balance]:
        now = info.context.ports.now()
        return [Balance.of(balance, now) for balance in await open_balances(self.key)]

    @strawberry.field(description="The services, closed ones too, oldest first.")
    async def service_accounts(
        self,
        products: Annotated[
            list[Product] | None, strawberry.argument(description="Only these products; all when left out.")
        ] = None,
    ) -> list[ServiceAccount]:
        rows = await services_of(self.key)
        return [service_account_of(row) for row in rows if products is None or Product(row["product"]) in products]

    @strawberry.field(description="The cards, oldest first.")
    async def payment_methods(self, info: Info) -> list[PaymentMethod]:
        now = info.context.ports.now()
        return [PaymentMethod.of(row, now) for row in await methods_of(self.key)]

    @strawberry.field(description="Subscriptions to monthly plans, newest first; at most a hundred.")
    async def subscriptions(
        self,
        info: Info,
        statuses: Annotated[
            list[SubscriptionStatus] | None, strawberry.argument(description="Only these; all when left out.")
        ] = None,
    ) -> list[PlanSubscription]:
        now = info.context.ports.now()
        return [PlanSubscription.of(row, now) for row in await subscriptions_of(self.key, statuses)]

    @strawberry.field(description="The payments, newest first.")
    async def payments(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> PaymentConnection:
        return PaymentConnection.of(await payments_page(self.key, page_request(first, after, last, before)))

    @strawberry.field(description="The refunds, newest first.")
    async def refunds(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> RefundConnection:
        return RefundConnection.of(await refunds_page(self.key, page_request(first, after, last, before)))

    @strawberry.field(
        description="Money that could not be paid out, newest first, what was claimed or is gone too; at most 100."
    )
    async def held_funds(self) -> list[HeldFunds]:
        return [HeldFunds.of(row) for row in await held_funds_of(self.key)]

    @strawberry.field(description="A new address that is not confirmed yet; null where none waits for its link.")
    async def pending_email(self, info: Info) -> str | None:
        return await pending_email(self.key, info.context.ports.now())

    @strawberry.field(
        description="What happened to the account, newest first: the holder's acts, staff's, and what was tried."
    )
    async def activity(
        self, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> ActivityConnection:
        return ActivityConnection.of(await activity_page(self.key, page_request(first, after, last, before)))

    @strawberry.field(description="By which channels the holder hears of each topic.")
    async def notification_preferences(self) -> list[NotificationPreference]:
        return [NotificationPreference.of(preference) for preference in await preferences_of(self.key)]

    @strawberry.field(description="What protects the account.")
    def security(self) -> Security:
        return Security(password_changed_at=read_time(self.row["password_changed_at"]), account_key=self.key)

    @staticmethod
    def of(row: Row) -> Account:
        key = read_uuid(row["id"])
        return Account(
            id=strawberry.ID(global_id(NodeKind.ACCOUNT, key)),
            status=AccountStatus(row["status"]),
            email=row["email"],
            email_verified_at=read_time(row["email_verified_at"]),
            first_name=row["first_name"],
            last_name=row["last_name"],
            phone=row["phone"],
            address=Address.of(row),
            locale=row["locale"],
            created_at=read_time(row["created_at"]),
            key=key,
            row=row,
        )


@strawberry.type(description="What signing up asks for, to be shown before and beside the form.")
class SignUpRequirements:
    password_min_length: int = strawberry.field(description="Characters that a password has at least.")
    password_rules: list[str] = strawberry.field(
        description="Each rule of passwords in words, in the reader's language."
    )
    security_questions_required: int = strawberry.field(description="How many questions are to be chosen and answered.")
    security_questions: list[SecurityQuestion] = strawberry.field(description="The questions to choose from.")
    passcode_length: int = strawberry.field(description="Digits that a passcode has.")
    terms_version: str = strawberry.field(description="What to send as `termsVersion` once the holder has read them.")
    terms_url: str = strawberry.field(description="Where the terms of service can be read.")
    states: list[str] = strawberry.field(description="The two-letter codes that an address in the United States takes.")


@strawberry.type(description="The text that a consent agrees to, as it is now.")
class Agreement:
    kind: AgreementKind = strawberry.field(description="What is agreed to.")
    version: str = strawberry.field(description='What a consent names, e.g. "2026-11".')
    text: str = strawberry.field(description="The whole text, in Markdown.")
