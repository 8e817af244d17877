"""Plumbing: idempotency keys, the outbox, due work, and what only the sandbox has."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from api.models.accounts import Account
from api.models.base import Row, holds


class IdempotencyKey(Row):
    """A client's key, in the same transaction as what it made (`result_id`). `scope` is the account it belongs to."""

    scope = fields.UUIDField()
    key = fields.CharField(200)
    mutation = fields.CharField(40)
    input_digest = fields.CharField(64)
    result_id = fields.UUIDField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "idempotency_keys"


class OutboxEvent(Row):
    """Something an account's watchers must be told, numbered per account, in the transaction it tells of."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="events"
    )
    number = fields.BigIntField()
    message = fields.TextField()
    created_at = fields.DatetimeField()
    published_at = fields.DatetimeField(null=True)

    class Meta:
        table = "outbox_events"


class DueWork(Row):
    """Work that falls due, unique by kind and key. A claim takes a lease and an attempt number; done rows are deleted.

    `attempt` fences, `failures` counts what went wrong. `due_at` is product time, which the sandbox moves;
    `leased_until` and `created_at` are machine time.
    """

    kind = fields.CharField(40)
    key = fields.CharField(120)
    due_at = fields.DatetimeField()
    payload: fields.Field[dict[str, object]] = fields.JSONField()
    attempt = fields.IntField(default=0)
    failures = fields.IntField(default=0)
    leased_until = fields.DatetimeField(null=True)
    failed_at = fields.DatetimeField(null=True)
    last_error = fields.CharField(300, null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "due_work"
        constraints = [holds("due_work_attempt", "attempt >= 0 AND failures >= 0")]


class SandboxClock(Model):
    """How far the sandbox's clock is ahead of the machine's, in seconds; one row."""

    id = fields.IntField(primary_key=True)
    ahead_seconds = fields.FloatField(default=0.0)

    class Meta:
        table = "sandbox_clock"
        constraints = [holds("sandbox_clock_one_row", "id = 1")]


class SandboxMessage(Row):
    """A mail or text that the sandbox sent to nobody."""

    kind = fields.CharField(8)
    recipient = fields.CharField(254)
    key = fields.CharField(160, unique=True)
    subject = fields.CharField(300, default="")
    text = fields.TextField()
    html = fields.TextField(null=True)
    at = fields.DatetimeField()

    class Meta:
        table = "sandbox_messages"
