"""What every table shares: a time-ordered UUID as its key."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7


class Row(Model):
    """A table keyed by UUIDv7: new rows go to the index's end, and a key tells nobody how many there are."""

    id = fields.UUIDField(primary_key=True, default=uuid7)

    class Meta:
        abstract = True


def one_of(name: str, column: str, values: type[Enum] | Iterable[str]) -> CheckConstraint:
    """Return the constraint that `column` holds one of these values; `name` is the table's."""
    allowed = [v.value for v in values] if isinstance(values, type) else list(values)
    return CheckConstraint(check=f"{column} IN ({', '.join(repr(v) for v in allowed)})", name=f"{name}_{column}_known")


def holds(name: str, check: str) -> CheckConstraint:
    """Return a constraint on a row's own columns, in SQL that both engines understand."""
    return CheckConstraint(check=check, name=name)
