"""Online accounts, what their holders chose for proof, and sign-ups that wait for their link."""

from __future__ import annotations

from tortoise import fields

from api.domain.accounts import AccountStatus
from api.models.base import Row, holds, one_of


class Account(Row):
    """The login. `email_key` decides which addresses are the same; `event_number` counts its events, see outbox."""

    status = fields.CharField(24, default=AccountStatus.ACTIVE.value)
    email = fields.CharField(254)
    email_key = fields.CharField(254, unique=True)
    email_verified_at = fields.DatetimeField()
    first_name = fields.CharField(60)
    last_name = fields.CharField(60)
    phone = fields.CharField(20)
    line1 = fields.CharField(120)
    line2 = fields.CharField(120, null=True)
    city = fields.CharField(80)
    state = fields.CharField(60)
    zip = fields.CharField(12)
    country = fields.CharField(2)
    address_revision = fields.IntField(default=1)
    locale = fields.CharField(8, default="en")
    password_hash = fields.CharField(255)
    password_changed_at = fields.DatetimeField()
    passcode_hash = fields.CharField(255)
    terms_version = fields.CharField(32)
    terms_agreed_at = fields.DatetimeField()
    event_number = fields.BigIntField(default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "accounts"
        constraints = [
            one_of("accounts", "status", AccountStatus),
            holds("accounts_revision_grows", "address_revision >= 1"),
        ]


class SecurityAnswer(Row):
    """One of the three answers, hashed; the answer itself is nowhere."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="answers"
    )
    question_code = fields.CharField(40)
    answer_hash = fields.CharField(255)

    class Meta:
        table = "security_answers"


class PendingSignUp(Row):
    """A sign-up that waits for its own link; confirming it ends the others of the same address (rule 5)."""

    email = fields.CharField(254)
    email_key = fields.CharField(254)
    password_hash = fields.CharField(255)
    passcode_hash = fields.CharField(255)
    answers: fields.Field[list[list[str]]] = fields.JSONField()
    profile: fields.Field[dict[str, str | None]] = fields.JSONField()
    locale = fields.CharField(8)
    terms_version = fields.CharField(32)
    link_number = fields.IntField(default=1)
    token_hash = fields.CharField(64, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "pending_sign_ups"
