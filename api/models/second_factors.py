"""Second factors: a TOTP secret per account or staff member, its recovery codes, and sign-ins that wait for a code."""

from __future__ import annotations

from tortoise import fields

from api.models.base import Row, holds


class SecondFactor(Row):
    """`owner` is the id of an account or of a staff member. The secret is sealed with a key of the service; `last_step`
    is the last time step that was used, so that no code works twice."""

    owner = fields.UUIDField(unique=True)
    sealed_secret = fields.CharField(400)
    confirmed_at = fields.DatetimeField(null=True)
    last_step = fields.BigIntField(default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "second_factors"


class RecoveryCode(Row):
    """One code that stands in for the factor once; only its keyed digest is kept."""

    owner = fields.UUIDField()
    code_hash = fields.CharField(64, unique=True)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "recovery_codes"


class Challenge(Row):
    """A sign-in whose password was right and whose code is still to come."""

    token_hash = fields.CharField(64, unique=True)
    owner = fields.UUIDField()
    is_staff = fields.BooleanField(default=False)
    in_browser = fields.BooleanField(default=False)
    device = fields.CharField(200)
    channel = fields.CharField(16)
    tries = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "challenges"
        constraints = [holds("challenges_tries", "tries >= 0")]
