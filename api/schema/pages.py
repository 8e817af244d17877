"""Arguments of connections, and how a page of rows becomes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Protocol, TypeVar

import strawberry

from api.adapters.database import Row, read_uuid
from api.schema.scalars import PageInfo
from api.services.pages import Page, PageRequest, cursor_of, page_request

First = Annotated[
    int | None, strawberry.argument(description="How many from the start, 1 to 100; 20 without `first` and `last`.")
]
After = Annotated[str | None, strawberry.argument(description="Only those after this cursor; goes with `first`.")]
Last = Annotated[int | None, strawberry.argument(description="How many from the end, 1 to 100.")]
Before = Annotated[str | None, strawberry.argument(description="Only those before this cursor; goes with `last`.")]
Locale = Annotated[
    str | None,
    strawberry.argument(
        description='"en" or "es"; left out: the account\'s own, signed out the one of Accept-Language.'
    ),
]

__all__ = ["After", "Before", "First", "Last", "Locale", "PageRequest", "connection", "page_request"]

_Node = TypeVar("_Node")
_NodeIn = TypeVar("_NodeIn", contravariant=True)
_Edge = TypeVar("_Edge")
_EdgeOut = TypeVar("_EdgeOut", covariant=True)
_Connection = TypeVar("_Connection", covariant=True)


class _EdgeType(Protocol[_NodeIn, _EdgeOut]):
    def __call__(self, *, cursor: str, node: _NodeIn) -> _EdgeOut: ...


class _ConnectionType(Protocol[_Edge, _Connection]):
    def __call__(self, *, edges: list[_Edge], page_info: PageInfo) -> _Connection: ...


def _by_id(row: Row) -> tuple[Any, ...]:
    return (read_uuid(row["id"]),)


def connection(
    connection_type: _ConnectionType[_Edge, _Connection],
    edge_type: _EdgeType[_Node, _Edge],
    node_of: Callable[[Row], _Node],
    page: Page,
    key_of: Callable[[Row], tuple[Any, ...]] = _by_id,
) -> _Connection:
    """Return a page of rows as a connection; `key_of` names what the list is ordered by, for the cursors."""
    cursors = [cursor_of(*key_of(row)) for row in page.rows]
    return connection_type(
        edges=[edge_type(cursor=cursor, node=node_of(row)) for cursor, row in zip(cursors, page.rows, strict=True)],
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
    )
