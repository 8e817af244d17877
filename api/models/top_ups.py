"""AutoPay, TextPay and low-balance alerts: what follows a low balance.

Amounts in cents. `told_sequence` is the balance's sequence at which it last acted: it acts again only after an entry
past that left the balance at or above the threshold, so crossing it once acts once.
"""

from __future__ import annotations

from tortoise import fields

from api.domain.top_ups import AutoPayState, OfferState, TextPayState
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.payments import PaymentMethod
from api.models.service_accounts import ServiceAccount


class AutoPay(Row):
    """AutoPay of a service; one row each, also after it was ended. `payment_id` is the charge in flight."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="auto_pays"
    )
    service_account: fields.OneToOneRelation[ServiceAccount] = fields.OneToOneField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="auto_pay"
    )
    method: fields.ForeignKeyRelation[PaymentMethod] = fields.ForeignKeyField(
        "models.PaymentMethod", on_delete=fields.RESTRICT, related_name="auto_pays"
    )
    state = fields.CharField(16)
    threshold = fields.BigIntField()
    amount = fields.BigIntField()
    monthly_cap = fields.BigIntField(null=True)
    consent_id = fields.UUIDField()
    told_sequence = fields.BigIntField(null=True)
    payment_id = fields.UUIDField(null=True)
    tries = fields.SmallIntField(default=0)
    tried_first_at = fields.DatetimeField(null=True)
    set_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "auto_pays"
        constraints = [
            one_of("auto_pays", "state", AutoPayState),
            holds("auto_pays_amounts", "threshold > 0 AND amount >= threshold"),
        ]


class TextPay(Row):
    """TextPay of a service; one row each, also after it was ended. `live_phone` is NULL then: one TextPay a mobile."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="text_pays"
    )
    service_account: fields.OneToOneRelation[ServiceAccount] = fields.OneToOneField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="text_pay"
    )
    method: fields.ForeignKeyRelation[PaymentMethod] = fields.ForeignKeyField(
        "models.PaymentMethod", on_delete=fields.RESTRICT, related_name="text_pays"
    )
    phone = fields.CharField(20)
    live_phone = fields.CharField(20, unique=True, null=True)
    state = fields.CharField(16)
    threshold = fields.BigIntField()
    amount = fields.BigIntField()
    consent_id = fields.UUIDField()
    told_sequence = fields.BigIntField(null=True)
    set_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "text_pays"
        constraints = [
            one_of("text_pays", "state", TextPayState),
            holds("text_pays_amounts", "threshold > 0 AND amount > 0"),
        ]


class TextOffer(Row):
    """An offer by text. `open_for` is the TextPay while it is open, else NULL: one open offer each."""

    text_pay: fields.ForeignKeyRelation[TextPay] = fields.ForeignKeyField(
        "models.TextPay", on_delete=fields.RESTRICT, related_name="offers"
    )
    open_for = fields.UUIDField(unique=True, null=True)
    state = fields.CharField(16)
    amount = fields.BigIntField()
    offered_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    payment_id = fields.UUIDField(null=True)

    class Meta:
        table = "text_offers"
        constraints = [one_of("text_offers", "state", OfferState), holds("text_offers_amount", "amount > 0")]


class LowBalanceAlert(Row):
    """A threshold below which the holder wants to be told."""

    service_account: fields.OneToOneRelation[ServiceAccount] = fields.OneToOneField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="low_balance_alert"
    )
    threshold = fields.BigIntField()
    told_sequence = fields.BigIntField(null=True)

    class Meta:
        table = "low_balance_alerts"
        constraints = [holds("low_balance_alerts_threshold", "threshold > 0")]


class StoppedPhone(Row):
    """A mobile that answered STOP, as a keyed hash, which outlives a deleted account."""

    phone_hash = fields.CharField(80, unique=True)
    stopped_at = fields.DatetimeField()

    class Meta:
        table = "stopped_phones"


class InboundText(Row):
    """A text that came in, by its provider's id, so that a repeat is recognised. Its words are not kept."""

    message_id = fields.CharField(120, unique=True)
    received_at = fields.DatetimeField()

    class Meta:
        table = "inbound_texts"


class NotificationPreference(Row):
    """By which channels a holder wants to hear of a topic; without a row, as `data/notifications.toml` says."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="notification_preferences"
    )
    topic = fields.CharField(24)
    channels: fields.Field[list[str]] = fields.JSONField()
    changed_at = fields.DatetimeField()

    class Meta:
        table = "notification_preferences"
