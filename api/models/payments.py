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
    """What a payment will cost, line by line, see domain/charge_lines. Paid at most once, see payments.quote."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="quotes"
    )
    purpose = fields.CharField(24)
    service_account: fields.ForeignKeyNullableRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="quotes", null=True
    )
    plan_id = fields.UUIDField(null=True)
    invoice_id = fields.UUIDField(null=True)
    stamps = fields.IntField(null=True)
    lines: fields.Field[list[object]] = fields.JSONField()
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
    """Money that comes in. Its id is the key at the processor; `quote` is unique, so it is paid once.

    `account` is NULL while money of a partner has found no account yet, and where an invoice was paid by its link.
    `account_number` is what the partner named, `recorded_by` the key or member of staff that recorded it. A renewal has
    its `subscription_id` and the `period` that it is for; `renewal_key`, made of both, is unique until it has failed,
    so that a period is charged once.
    """

    account: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="payments", null=True
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
    plan_id = fields.UUIDField(null=True)
    invoice_id = fields.UUIDField(null=True)
    stamps = fields.IntField(null=True)
    lines: fields.Field[list[object]] = fields.JSONField()
    decline_reason = fields.CharField(32, null=True)
    processor = fields.CharField(24, null=True)
    processor_reference = fields.CharField(120, null=True)
    action_url = fields.CharField(500, null=True)
    external_reference = fields.CharField(80, null=True)
    account_number = fields.CharField(40, null=True)
    recorded_by = fields.UUIDField(null=True)
    paid_at = fields.DatetimeField(null=True)
    applied_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    settled_at = fields.DatetimeField(null=True)
    subscription_id = fields.UUIDField(null=True)
    period = fields.IntField(null=True)
    renewal_key = fields.CharField(60, null=True)

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


class FeeRule(Row):
    """A fee or tax on a purpose, as an operator edits them: `fixed` cents and `per_million` of the amount.

    A tax has a jurisdiction (a state); it applies where the account's address is. The days are of Central time; the
    last one is not included.
    """

    purpose = fields.CharField(24)
    kind = fields.CharField(8)
    jurisdiction = fields.CharField(8, null=True)
    label_en = fields.CharField(80)
    label_es = fields.CharField(80)
    fixed = fields.BigIntField(default=0)
    per_million = fields.IntField(default=0)
    effective_from = fields.DateField()
    effective_until = fields.DateField(null=True)

    class Meta:
        table = "fee_rules"
        constraints = [
            one_of("fee_rules", "purpose", PaymentPurpose),
            one_of("fee_rules", "kind", ("FEE", "TAX")),
            holds("fee_rules_amounts", "fixed >= 0 AND per_million >= 0 AND per_million <= 1000000"),
            holds("fee_rules_taxes_go_somewhere", "kind <> 'TAX' OR jurisdiction IS NOT NULL"),
        ]


class ProcessorEvent(Row):
    """A signed call of the processor, kept before it is acted on. `event_id` is unique per processor."""

    processor = fields.CharField(24)
    event_id = fields.CharField(120)
    kind = fields.CharField(60)
    reference = fields.CharField(120)
    payload: fields.Field[dict[str, object]] = fields.JSONField()
    received_at = fields.DatetimeField()
    applied_at = fields.DatetimeField(null=True)

    class Meta:
        table = "processor_events"


class Dispute(Row):
    """A chargeback of a payment at its processor; `amount` in cents is what the bank took back."""

    payment: fields.ForeignKeyRelation[Payment] = fields.ForeignKeyField(
        "models.Payment", on_delete=fields.RESTRICT, related_name="disputes"
    )
    processor = fields.CharField(24)
    reference = fields.CharField(120)
    amount = fields.BigIntField()
    status = fields.CharField(8)
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "disputes"
        constraints = [
            one_of("disputes", "status", ("OPEN", "WON", "LOST")),
            holds("disputes_amount", "amount > 0"),
        ]
