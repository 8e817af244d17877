"""Who may come in: sign-ins of holders and keys in one table, and the counters that slow guessing down."""

from __future__ import annotations

from tortoise import fields

from api.domain.accounts import KEY_ROLES, Channel
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.staff import StaffMember


class ApiKey(Row):
    """A key of the phone switch or of a payment partner; its secret is a row of `sign_ins`."""

    name = fields.CharField(80, unique=True)
    role = fields.CharField(24)
    created_at = fields.DatetimeField()

    class Meta:
        table = "api_keys"
        constraints = [one_of("api_keys", "role", [role.value for role in sorted(KEY_ROLES, key=lambda r: r.value)])]


class SignIn(Row):
    """One bearer of a token. `in_browser`: it came as a cookie; `proved_at`: the password was given last.

    Only the token's SHA-256 is kept; the token has 256 random bits, so no salt is needed.
    """

    token_hash = fields.CharField(64, unique=True)
    account: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="sign_ins", null=True
    )
    key: fields.ForeignKeyNullableRelation[ApiKey] = fields.ForeignKeyField(
        "models.ApiKey", on_delete=fields.RESTRICT, related_name="sign_ins", null=True
    )
    staff: fields.ForeignKeyNullableRelation[StaffMember] = fields.ForeignKeyField(
        "models.StaffMember", on_delete=fields.RESTRICT, related_name="sign_ins", null=True
    )
    in_browser = fields.BooleanField(default=False)
    proved_at = fields.DatetimeField(null=True)
    device = fields.CharField(200, default="")
    channel = fields.CharField(16)
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sign_ins"
        constraints = [
            one_of("sign_ins", "channel", Channel),
            holds(
                "sign_ins_one_bearer",
                "(CASE WHEN account_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN key_id IS NULL THEN 0 ELSE 1 END)"
                " + (CASE WHEN staff_id IS NULL THEN 0 ELSE 1 END) = 1",
            ),
        ]


class GuessCounter(Row):
    """How often something was tried since `window_at`; one row per subject, see auth/limits."""

    subject = fields.CharField(100, unique=True)
    window_at = fields.DatetimeField(db_index=True)
    count = fields.IntField()

    class Meta:
        table = "guess_counters"
        constraints = [holds("guess_counters_count", "count >= 0")]
