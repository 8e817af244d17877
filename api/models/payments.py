"""Payment methods, quotes and payments. No column can hold a card number."""

from __future__ import annotations

from tortoise import fields

from api.domain.payments import DeclineReason, PaymentChannel, PaymentPurpose, PaymentStatus
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.service_accounts import ServiceAccount


class PaymentMethod(Row):
    """A card as a token of the processor. `default_of` is the account's id on its one default card, else NULL."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="methods"
    )
    processor = fields.CharField(24)
    card_token = fields.CharField(120)
    brand = fields.CharField(24)
    last4 = fields.CharField(4)
    expiry_month = fields.SmallIntField()
    expiry_year = fields.SmallIntField()
    default_of = fields.UUIDField(unique=True, null=True)
    added_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "payment_methods"
        constraints = [
            holds("payment_methods_expiry", "expiry_month BETWEEN 1 AND 12 AND expiry_year BETWEEN 2000 AND 2200"),
        ]


class Quote(Row):
    """What a payment will cost, line by line: `[[label key, cents], …]`. Paid at most once, see payments.quote."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="quotes"
    )
    purpose = fields.CharField(24)
    service_account: fields.ForeignKeyNullableRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="quotes", null=True
    )
    lines: fields.Field[list[tuple[str, int]]] = fields.JSONField()
    amount = fields.BigIntField()
    total = fields.BigIntField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "quotes"
        constraints = [
            one_of("quotes", "purpose", PaymentPurpose),
            holds("quotes_amounts", "amount > 0 AND total >= amount"),
        ]


class Payment(Row):
    """Money that comes in. Its id is the processor's idempotency key; `quote` is unique, so it is paid once."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="payments"
    )
    quote: fields.OneToOneNullableRelation[Quote] = fields.OneToOneField(
        "models.Quote", on_delete=fields.RESTRICT, related_name="payment", null=True
    )
    service_account: fields.ForeignKeyNullableRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="payments", null=True
    )
    method: fields.ForeignKeyNullableRelation[PaymentMethod] = fields.ForeignKeyField(
        "models.PaymentMethod", on_delete=fields.RESTRICT, related_name="payments", null=True
    )
    purpose = fields.CharField(24)
    channel = fields.CharField(16)
    status = fields.CharField(24)
    amount = fields.BigIntField()
    total = fields.BigIntField()
    lines: fields.Field[list[tuple[str, int]]] = fields.JSONField()
    decline_reason = fields.CharField(32, null=True)
    processor = fields.CharField(24, null=True)
    processor_reference = fields.CharField(120, null=True)
    action_url = fields.CharField(500, null=True)
    external_reference = fields.CharField(80, null=True)
    created_at = fields.DatetimeField()
    settled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "payments"
        constraints = [
            one_of("payments", "purpose", PaymentPurpose),
            one_of("payments", "channel", PaymentChannel),
            one_of("payments", "status", PaymentStatus),
            holds("payments_amounts", "amount > 0 AND total >= amount"),
            holds(
                "payments_reason_known",
                "decline_reason IS NULL OR decline_reason IN (" + ", ".join(repr(r.value) for r in DeclineReason) + ")",
            ),
        ]
