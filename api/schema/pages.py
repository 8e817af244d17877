"""Arguments of connections, and how a page of rows becomes one."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.schema.scalars import PageInfo
from api.services.pages import Page, PageRequest, page_request

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

__all__ = ["After", "Before", "First", "Last", "Locale", "PageRequest", "page_info", "page_request"]


def page_info(page: Page, cursors: list[str]) -> PageInfo:
    """Return where a page stands, given the cursors of its rows."""
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )
