"""What happened to an account, as its holder sees it, and what the holder agreed to."""

from __future__ import annotations

from tortoise import fields

from api.domain.accounts import Channel
from api.models.accounts import Account
from api.models.base import Row, one_of


class Activity(Row):
    """One act. `action` names its text (`activity.<action>`), `params` fill it; no secret is among them."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="activity"
    )
    at = fields.DatetimeField()
    action = fields.CharField(40)
    actor = fields.CharField(80)
    channel = fields.CharField(16)
    params: fields.Field[dict[str, str]] = fields.JSONField()

    class Meta:
        table = "activity"
        constraints = [one_of("activity", "channel", Channel)]


class Consent(Row):
    """Proof of what was agreed to: the text's version and digest, in which language, when and how."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="consents"
    )
    kind = fields.CharField(24)
    version = fields.CharField(32)
    locale = fields.CharField(8)
    text_digest = fields.CharField(64)
    agreed_at = fields.DatetimeField()
    channel = fields.CharField(16)

    class Meta:
        table = "consents"
