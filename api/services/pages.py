"""Pages of lists that grow, by keyset: a cursor names the last row seen, so that new rows shift nothing."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from api.adapters.database import Row, fetch
from api.domain.faults import ErrorCode, Fault, Refused

SIZE = 20
SIZE_MAX = 100
CURSOR_LENGTH_MAX = 300


class PageRequest(NamedTuple):
    """How many rows, and from where: after `cursor`, or before it when `backward`."""

    size: int
    backward: bool
    cursor: str | None


class Page(NamedTuple):
    """Rows in the list's order, and whether there are others on either side."""

    rows: Sequence[Row]
    has_next: bool
    has_previous: bool


def page_request(first: int | None, after: str | None, last: int | None, before: str | None) -> PageRequest:
    """Read Relay's arguments; raises Refused where they contradict each other or are out of range (1 to 100)."""
    if (first is not None and last is not None) or (after is not None and before is not None):
        raise Refused(Fault(ErrorCode.INVALID, "errors.page_both_ways"))
    backward = last is not None or (before is not None and first is None)
    size = last if last is not None else first if first is not None else SIZE
    if not 1 <= size <= SIZE_MAX:
        raise Refused(Fault(ErrorCode.INVALID, "errors.page_size", params={"maximum": SIZE_MAX}))
    if (backward and after is not None) or (not backward and before is not None):
        raise Refused(Fault(ErrorCode.INVALID, "errors.page_both_ways"))
    return PageRequest(size, backward, before if backward else after)


def cursor_of(*key: Any) -> str:
    """Return the opaque cursor of a row's key: integers, instants, UUIDs or printable text."""
    return urlsafe_b64encode(json.dumps([str(part) for part in key]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, kinds: tuple[type, ...]) -> list[Any]:
    try:
        if len(cursor) > CURSOR_LENGTH_MAX or not cursor.isascii():
            raise ValueError
        parts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(parts, list):
            raise ValueError
        return [_read_part(part, kind) for kind, part in zip(kinds, parts, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Refused(Fault(ErrorCode.INVALID, "errors.cursor_invalid")) from None


def _read_part(part: Any, kind: type) -> Any:
    """Return a part of a key; ValueError for all that `cursor_of` does not write and for what no column holds."""
    if not isinstance(part, str) or not part.isprintable():
        raise ValueError
    value = datetime.fromisoformat(part) if kind is datetime else kind(part)
    if str(value) != part:
        raise ValueError
    if isinstance(value, datetime) and value.utcoffset() != timedelta(0):
        raise ValueError
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError
    return value


async def newest_first(
    select: str, values: Sequence[Any], key: Sequence[tuple[str, type]], request: PageRequest
) -> Page:
    """Return a page of a list whose newest row comes first; one statement.

    `select` ends in a `where` clause whose placeholders are `values`; `key` names the columns that order the list,
    unique together, with their types (int, datetime, UUID, str).
    """
    return await _page(select, values, key, request, falling=True)


async def in_order(select: str, values: Sequence[Any], key: Sequence[tuple[str, type]], request: PageRequest) -> Page:
    """Return a page of a list whose smallest key comes first, as `newest_first` does."""
    return await _page(select, values, key, request, falling=False)


async def _page(
    select: str, values: Sequence[Any], key: Sequence[tuple[str, type]], request: PageRequest, *, falling: bool
) -> Page:
    columns = ", ".join(column for column, _ in key)
    arguments = list(values)
    query = select
    rising = request.backward is falling
    if request.cursor is not None:
        arguments += _read_cursor(request.cursor, tuple(kind for _, kind in key))
        places = ", ".join(f"${len(values) + n + 1}" for n in range(len(key)))
        query += f" and ({columns}) {'>' if rising else '<'} ({places})"
    direction = "asc" if rising else "desc"
    query += " order by " + ", ".join(f"{column} {direction}" for column, _ in key) + f" limit {request.size + 1}"
    rows = list(await fetch(query, *arguments))
    more = len(rows) > request.size
    rows = rows[: request.size]
    if request.backward:
        return Page(rows[::-1], request.cursor is not None, more)
    return Page(rows, more, request.cursor is not None)
