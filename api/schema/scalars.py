"""Scalars and the interfaces that everything shares."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

from api.context import Context
from api.domain.money import dollars, format_money, plain_decimal


def _parse_decimal(value: Any) -> Decimal:
    return plain_decimal(value)


def _parse_decimal_literal(node: Any, _variables: Any = None) -> Decimal:
    kind = type(node).__name__
    if kind == "StringValueNode":
        return plain_decimal(node.value)
    if kind == "IntValueNode":
        return plain_decimal(int(node.value) if len(node.value) <= 20 else node.value + "x")
    raise ValueError("a decimal number must be given as a string")


def _utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_instant(value: Any) -> datetime:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("an instant must be given as RFC 3339 text")
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None or "T" not in value.upper():
        raise ValueError("an instant needs a time zone, like 2026-11-22T12:00:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant must be one that UTC has a date for") from None


def _parse_date(value: Any) -> date:
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError("a date must be given as text, like 2026-11-22")
    return date.fromisoformat(value)


SCALARS: dict[object, ScalarDefinition] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description='Decimal number as a string, never a float: "29.99". No exponents, at most 12 digits '
        "before the point and four after it.",
        serialize=str,
        parse_value=_parse_decimal,
        parse_literal=_parse_decimal_literal,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339 instant, always sent in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_utc,
        parse_value=_parse_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description="ISO 8601 calendar date.",
        serialize=date.isoformat,
        parse_value=_parse_date,
    ),
}
CONFIG = StrawberryConfig(scalar_map=SCALARS)

Info = strawberry.Info[Context, None]


@strawberry.interface(description="Anything that has an id by which `node` finds it again.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque and global; does not change.")


@strawberry.type(description="Where a page of a connection stands in the whole list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="True when more follow after `endCursor`.")
    has_previous_page: bool = strawberry.field(description="True when others come before `startCursor`.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first edge; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last edge; null on an empty page.")


@strawberry.type(description="An amount of money.")
class Money:
    amount: Decimal = strawberry.field(description='Dollars with two places, as a string: "29.99".')
    currency: str = strawberry.field(description="ISO 4217 code; always USD.")
    cents: strawberry.Private[int]

    @strawberry.field(description='As a person reads it: "$1,234.50", "-$5.00".')
    def formatted(
        self,
        info: Info,
        locale: Annotated[
            str | None, strawberry.argument(description='"en" or "es"; both write it alike today.')
        ] = None,
    ) -> str:
        return format_money(self.cents, locale or info.context.locale)

    @staticmethod
    def of(cents: int) -> Money:
        return Money(amount=dollars(cents), currency="USD", cents=cents)
