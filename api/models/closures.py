"""Closings, the refunds that follow from them, and money that could not be paid out."""

from __future__ import annotations

from tortoise import fields

from api.domain.accounts import Channel
from api.domain.closures import ClosureKind, ClosureStatus
from api.domain.payments import PaymentChannel
from api.domain.refunds import RefundMethod, RefundStatus
from api.domain.service_accounts import Product
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.payments import Payment, PaymentMethod
from api.models.service_accounts import ServiceAccount


class Closure(Row):
    """A closing. The receipt token is derived from its id. `contact_email` and `address` are erased once it is over.

    `open_for` is the account while a deletion of it, or the service while a closing of it, is open, else NULL.
    `address` is where a check goes to: the one on record when it was asked for, as the holder saw it. `rule_state` is
    the state whose rule closed a service for lack of activity, else NULL.
    """

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="closures"
    )
    kind = fields.CharField(16)
    status = fields.CharField(24)
    open_for = fields.UUIDField(unique=True, null=True)
    revision = fields.IntField(default=1)
    requested_at = fields.DatetimeField()
    requested_via = fields.CharField(16)
    requested_by = fields.UUIDField(null=True)
    reason = fields.CharField(300, null=True)
    locale = fields.CharField(8)
    contact_email = fields.CharField(254, null=True)
    address: fields.Field[dict[str, str]] = fields.JSONField(null=True)
    calls_until = fields.DatetimeField(null=True)
    hold_earliest = fields.DateField(null=True)
    hold_latest = fields.DateField(null=True)
    final_invoice_id = fields.UUIDField(null=True)
    completed_at = fields.DatetimeField(null=True)
    rule_state = fields.CharField(2, null=True)

    class Meta:
        table = "closures"
        constraints = [
            one_of("closures", "kind", ClosureKind),
            one_of("closures", "status", ClosureStatus),
            one_of("closures", "requested_via", Channel),
        ]


class ClosedService(Row):
    """A service that a closing ends; `settled_at` once its amount is fixed."""

    closure: fields.ForeignKeyRelation[Closure] = fields.ForeignKeyField(
        "models.Closure", on_delete=fields.RESTRICT, related_name="services"
    )
    service_account: fields.ForeignKeyRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="closings"
    )
    product = fields.CharField(24)
    settled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "closed_services"
        constraints = [one_of("closed_services", "product", Product)]


class Refund(Row):
    """Money on its way back to one destination, in cents. `amount` is fixed when it is CALCULATED; 0 before.

    `origin` names what it pays out, once: the source of its first posting. A card refund has parts, a check a number.
    """

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="refunds"
    )
    closure: fields.ForeignKeyNullableRelation[Closure] = fields.ForeignKeyField(
        "models.Closure", on_delete=fields.RESTRICT, related_name="refunds", null=True
    )
    service_account: fields.ForeignKeyRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="refunds"
    )
    origin = fields.CharField(120, unique=True)
    product = fields.CharField(24)
    status = fields.CharField(16)
    revision = fields.IntField(default=1)
    amount = fields.BigIntField(default=0)
    method = fields.CharField(8)
    payment_method: fields.ForeignKeyNullableRelation[PaymentMethod] = fields.ForeignKeyField(
        "models.PaymentMethod", on_delete=fields.RESTRICT, related_name="refunds", null=True
    )
    based_on_channel = fields.CharField(16, null=True)
    requested_at = fields.DatetimeField()
    window_earliest = fields.DateField()
    window_latest = fields.DateField()
    payee = fields.CharField(160, null=True)
    address: fields.Field[dict[str, str]] = fields.JSONField(null=True)
    check_number = fields.CharField(24, unique=True, null=True)
    check_run_id = fields.UUIDField(null=True)
    exported_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refunds"
        constraints = [
            one_of("refunds", "product", Product),
            one_of("refunds", "status", RefundStatus),
            one_of("refunds", "method", RefundMethod),
            holds(
                "refunds_based_on_channel_known",
                "based_on_channel IS NULL OR based_on_channel IN ("
                + ", ".join(repr(channel.value) for channel in PaymentChannel)
                + ")",
            ),
            holds("refunds_amount", "amount >= 0 AND (amount > 0 OR status IN ('SETTLING', 'NOTHING_DUE'))"),
        ]


class RefundPart(Row):
    """What of a card refund goes back against one charge. Its id is the key at the processor."""

    refund: fields.ForeignKeyRelation[Refund] = fields.ForeignKeyField(
        "models.Refund", on_delete=fields.RESTRICT, related_name="parts"
    )
    payment: fields.ForeignKeyRelation[Payment] = fields.ForeignKeyField(
        "models.Payment", on_delete=fields.RESTRICT, related_name="refund_parts"
    )
    amount = fields.BigIntField()
    status = fields.CharField(12)
    processor_reference = fields.CharField(120, null=True)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refund_parts"
        constraints = [
            holds("refund_parts_amount", "amount > 0"),
            one_of("refund_parts", "status", ("PENDING", "ACCEPTED", "CONFIRMED", "REFUSED")),
        ]


class RefundEvent(Row):
    """A line of a refund's timeline; `note` names its text, `params` fill it. Never changed."""

    refund: fields.ForeignKeyRelation[Refund] = fields.ForeignKeyField(
        "models.Refund", on_delete=fields.RESTRICT, related_name="events"
    )
    sequence = fields.IntField()
    status = fields.CharField(16)
    at = fields.DatetimeField()
    note = fields.CharField(60)
    params: fields.Field[dict[str, str]] = fields.JSONField()

    class Meta:
        table = "refund_events"
        constraints = [
            one_of("refund_events", "status", RefundStatus),
            holds("refund_events_sequence", "sequence >= 1"),
        ]


class HeldFunds(Row):
    """Money that could not be paid out and stays the holder's until it is claimed or disposed of."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="held_funds"
    )
    refund: fields.OneToOneRelation[Refund] = fields.OneToOneField(
        "models.Refund", on_delete=fields.RESTRICT, related_name="held_funds"
    )
    closure: fields.ForeignKeyNullableRelation[Closure] = fields.ForeignKeyField(
        "models.Closure", on_delete=fields.RESTRICT, related_name="held_funds", null=True
    )
    state = fields.CharField(12)
    amount = fields.BigIntField()
    cause = fields.CharField(60)
    held_since = fields.DatetimeField()
    disposition_on = fields.DateField(null=True)
    residence = fields.CharField(60)
    claim_refund_id = fields.UUIDField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "held_funds"
        constraints = [
            one_of("held_funds", "state", ("HELD", "CLAIMED", "DISPOSED")),
            holds("held_funds_amount", "amount > 0"),
        ]


class UsedEmail(Row):
    """An address of a deleted account, as a hash by a key that is never dropped: it can never be used again."""

    email_hash = fields.CharField(80, unique=True)
    key_id = fields.CharField(36)
    locale = fields.CharField(8)
    deleted_at = fields.DatetimeField()

    class Meta:
        table = "used_emails"


class LastingKey(Row):
    """A key that is never rotated out, sealed by the service's present key; see services/used_emails."""

    purpose = fields.CharField(40, unique=True)
    sealed = fields.CharField(400)
    created_at = fields.DatetimeField()

    class Meta:
        table = "lasting_keys"


class DeletionCode(Row):
    """A number that was mailed to a holder who deletes the account by telephone; one per account, the newest.

    The number is derived from `id` and the secret key; `code_hash` is its keyed digest, of no use without that key.
    """

    account: fields.OneToOneRelation[Account] = fields.OneToOneField(
        "models.Account", on_delete=fields.RESTRICT, related_name="deletion_code"
    )
    staff_id = fields.UUIDField()
    code_hash = fields.CharField(64)
    tries = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "deletion_codes"
        constraints = [holds("deletion_codes_tries", "tries >= 0")]


class InactivityRule(Row):
    """A state's rule on accounts without activity, as an operator edits them."""

    state = fields.CharField(2)
    days = fields.IntField()
    effective_from = fields.DateField()
    citation = fields.CharField(200)
    disposition_days = fields.IntField(null=True)

    class Meta:
        table = "inactivity_rules"
        constraints = [holds("inactivity_rules_days", "days > 0")]


class Activeness(Row):
    """When a holder last asked to keep a service, NULL for never, and when it was told that it will close.

    Deposits and calls are read where they are kept. `noticed_at` is void once there was activity after it.
    """

    service_account: fields.OneToOneRelation[ServiceAccount] = fields.OneToOneField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="activeness"
    )
    kept_at = fields.DatetimeField(null=True)
    noticed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "activeness"
