"""Service accounts and the phones on them."""

from __future__ import annotations

from tortoise import fields

from api.domain.service_accounts import Product, ServiceStatus
from api.models.accounts import Account
from api.models.base import Row, one_of
from api.models.facilities import IncarceratedPerson


class ServiceAccount(Row):
    """One product of a holder. `open_key` is unique while open, else NULL: one open account per product, of Debit
    per person in custody (rule 13a)."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="services"
    )
    product = fields.CharField(24)
    number = fields.CharField(16, unique=True)
    status = fields.CharField(16, default=ServiceStatus.ACTIVE.value)
    open_key = fields.CharField(120, unique=True, null=True)
    incarcerated_person: fields.ForeignKeyNullableRelation[IncarceratedPerson] = fields.ForeignKeyField(
        "models.IncarceratedPerson", on_delete=fields.RESTRICT, related_name="services", null=True
    )
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "service_accounts"
        constraints = [
            one_of("service_accounts", "product", Product),
            one_of("service_accounts", "status", ServiceStatus),
        ]


class AccountPhone(Row):
    """A number on a service account. `live_phone` is the number while it is on it, else NULL: one account a number.

    Removed rows stay, since a late call record asks who had the number then (rule 13). Calls to it are refused since
    `blocked_at`.
    """

    service_account: fields.ForeignKeyRelation[ServiceAccount] = fields.ForeignKeyField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="phones"
    )
    phone = fields.CharField(20)
    live_phone = fields.CharField(20, unique=True, null=True)
    label = fields.CharField(60, null=True)
    blocked = fields.BooleanField(default=False)
    blocked_at = fields.DatetimeField(null=True)
    added_at = fields.DatetimeField()
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "account_phones"
