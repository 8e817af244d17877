"""Getting back in and moving house: resets of a password, and changes of the e-mail address."""

from __future__ import annotations

from tortoise import fields

from api.models.accounts import Account
from api.models.base import Row, holds


class PasswordReset(Row):
    """A reset under way, for known and unknown addresses alike. `subject` is the keyed digest of the address;
    `live_subject` is the same while the reset lives, else NULL, so that only the newest lives.

    The number is derived from `id` and the secret key; `code_hash` is its keyed digest, of no use without that key.
    """

    subject = fields.CharField(64)
    live_subject = fields.CharField(64, unique=True, null=True)
    account: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="resets", null=True
    )
    code_hash = fields.CharField(64)
    code_tries = fields.IntField(default=0)
    token_hash = fields.CharField(64, unique=True, null=True)
    answer_tries = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    verified_at = fields.DatetimeField(null=True)

    class Meta:
        table = "password_resets"
        constraints = [holds("password_resets_tries", "code_tries >= 0 AND answer_tries >= 0")]


class EmailChange(Row):
    """A new address that waits for its link; one per account, the newest."""

    account: fields.OneToOneRelation[Account] = fields.OneToOneField(
        "models.Account", on_delete=fields.RESTRICT, related_name="email_change"
    )
    email = fields.CharField(254)
    email_key = fields.CharField(254)
    link_number = fields.IntField(default=1)
    token_hash = fields.CharField(64, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "email_changes"
