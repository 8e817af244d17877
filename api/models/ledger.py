"""The ledger: accounts, entries with their legs, balances and holds. Entries and legs are never changed or deleted."""

from __future__ import annotations

from tortoise import fields

from api.domain.ledger import HoldKind, HoldState, LedgerKind, TransactionKind, Unit
from api.domain.service_accounts import Product
from api.models.accounts import Account
from api.models.base import Row, holds, one_of
from api.models.service_accounts import ServiceAccount


class Balance(Row):
    """The projection of a service's postings and holds, locked by whoever moves its money.

    `revision` grows by one with each change, `sequence` with each entry. `may_be_negative` is set by a chargeback
    alone: the database refuses any other way below zero. `unbilled` is the part of what Direct Bill owes that is on no
    invoice yet. `low_below` is the highest of the thresholds that were set.
    """

    service_account: fields.OneToOneRelation[ServiceAccount] = fields.OneToOneField(
        "models.ServiceAccount", on_delete=fields.RESTRICT, related_name="balance"
    )
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="balances"
    )
    product = fields.CharField(24)
    unit = fields.CharField(16, default=Unit.USD_CENT.value)
    posted = fields.BigIntField(default=0)
    unbilled = fields.BigIntField(default=0, db_default=0)
    held = fields.BigIntField(default=0)
    incoming = fields.BigIntField(default=0)
    credit_limit = fields.BigIntField(default=0)
    low_below = fields.BigIntField(null=True)
    may_be_negative = fields.BooleanField(default=False)
    revision = fields.BigIntField(default=0)
    sequence = fields.BigIntField(default=0)
    changed_at = fields.DatetimeField()

    class Meta:
        table = "balances"
        constraints = [
            one_of("balances", "product", Product),
            one_of("balances", "unit", Unit),
            holds("balances_never_negative", "posted >= 0 OR may_be_negative OR product = 'DIRECT_BILL'"),
            holds(
                "balances_hold_what_is_there",
                "held >= 0 AND (held <= posted OR may_be_negative OR product = 'DIRECT_BILL')",
            ),
            holds("balances_incoming", "incoming >= 0"),
            holds("balances_revision", "revision >= 0 AND sequence >= 0 AND sequence <= revision"),
        ]


class LedgerAccount(Row):
    """One account of the books: its kind and whose it is (`key`: a service account's id, a processor's name, …)."""

    kind = fields.CharField(24)
    key = fields.CharField(80)
    unit = fields.CharField(16, default=Unit.USD_CENT.value)
    balance: fields.ForeignKeyNullableRelation[Balance] = fields.ForeignKeyField(
        "models.Balance", on_delete=fields.RESTRICT, related_name="ledger_accounts", null=True
    )

    class Meta:
        table = "ledger_accounts"
        constraints = [
            one_of("ledger_accounts", "kind", LedgerKind),
            one_of("ledger_accounts", "unit", Unit),
        ]


class JournalEntry(Row):
    """One movement, unique by its source. Where it moves a balance, it is also the holder's transaction."""

    source_key = fields.CharField(160, unique=True)
    kind = fields.CharField(24, null=True)
    balance: fields.ForeignKeyNullableRelation[Balance] = fields.ForeignKeyField(
        "models.Balance", on_delete=fields.RESTRICT, related_name="entries", null=True
    )
    sequence = fields.BigIntField(null=True)
    amount = fields.BigIntField(null=True)
    balance_after = fields.BigIntField(null=True)
    call_id = fields.UUIDField(null=True)
    payment_id = fields.UUIDField(null=True)
    occurred_at = fields.DatetimeField()
    posted_at = fields.DatetimeField()

    class Meta:
        table = "journal_entries"
        constraints = [
            holds(
                "journal_entries_kind_known",
                "kind IS NULL OR kind IN (" + ", ".join(repr(k.value) for k in TransactionKind) + ")",
            ),
            holds(
                "journal_entries_whole",
                "(balance_id IS NULL AND sequence IS NULL AND amount IS NULL AND balance_after IS NULL) OR "
                "(balance_id IS NOT NULL AND sequence >= 1 AND amount <> 0 AND balance_after IS NOT NULL"
                " AND kind IS NOT NULL)",
            ),
        ]


class Leg(Row):
    """One transfer of an entry; its shape makes the books sum to zero."""

    entry: fields.ForeignKeyRelation[JournalEntry] = fields.ForeignKeyField(
        "models.JournalEntry", on_delete=fields.RESTRICT, related_name="legs"
    )
    debit: fields.ForeignKeyRelation[LedgerAccount] = fields.ForeignKeyField(
        "models.LedgerAccount", on_delete=fields.RESTRICT, related_name="debits"
    )
    credit: fields.ForeignKeyRelation[LedgerAccount] = fields.ForeignKeyField(
        "models.LedgerAccount", on_delete=fields.RESTRICT, related_name="credits"
    )
    amount = fields.BigIntField()
    unit = fields.CharField(16, default=Unit.USD_CENT.value)

    class Meta:
        table = "legs"
        constraints = [
            holds("legs_amount", "amount > 0"),
            holds("legs_two_accounts", "debit_id <> credit_id"),
            one_of("legs", "unit", Unit),
        ]


class Hold(Row):
    """Money set aside until a call or payment is decided. `subject` is the call's or payment's id; one hold each."""

    balance: fields.ForeignKeyRelation[Balance] = fields.ForeignKeyField(
        "models.Balance", on_delete=fields.RESTRICT, related_name="holds"
    )
    kind = fields.CharField(16)
    subject = fields.UUIDField(unique=True)
    amount = fields.BigIntField()
    state = fields.CharField(16, default=HoldState.PENDING.value)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "holds"
        constraints = [
            one_of("holds", "kind", HoldKind),
            one_of("holds", "state", HoldState),
            holds("holds_amount", "amount >= 0"),
            holds("holds_end_once", "(state = 'PENDING') = (ended_at IS NULL)"),
        ]
