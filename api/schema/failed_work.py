"""Background work that was given up."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.adapters.database import Row, read_time, read_uuid
from api.domain.ids import NodeKind, global_id
from api.schema.errors import Payload
from api.schema.pages import connection
from api.schema.scalars import PageInfo
from api.services.pages import Page


@strawberry.type(description="Background work that failed until it was given up, e.g. a mail that no server took.")
class FailedWork:
    id: strawberry.ID = strawberry.field(description="Names it for `staffRetryWork`.")
    kind: str = strawberry.field(description="What was to be done.")
    key: str = strawberry.field(description="To what: unique within the kind.")
    failures: int = strawberry.field(description="How often it was tried in vain.")
    last_error: str | None = strawberry.field(description="What went wrong last, as the logs name it.")
    due_at: datetime = strawberry.field(description="When it last fell due.")
    failed_at: datetime | None = strawberry.field(description="When it was given up; null once it is to be tried anew.")

    @staticmethod
    def of(row: Row) -> FailedWork:
        return FailedWork(
            id=strawberry.ID(global_id(NodeKind.DUE_WORK, read_uuid(row["id"]))),
            kind=row["kind"],
            key=row["key"],
            failures=row["failures"],
            last_error=row["last_error"],
            due_at=read_time(row["due_at"]),
            failed_at=read_time(row["failed_at"]) if row["failed_at"] else None,
        )


@strawberry.type(description="A piece of work on a page, with its cursor.")
class FailedWorkEdge:
    cursor: str = strawberry.field(description="Names this place in the list.")
    node: FailedWork = strawberry.field(description="The work.")


@strawberry.type(description="Work that was given up, newest first.")
class FailedWorkConnection:
    edges: list[FailedWorkEdge] = strawberry.field(description="Those on this page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @staticmethod
    def of(page: Page) -> FailedWorkConnection:
        return connection(FailedWorkConnection, FailedWorkEdge, FailedWork.of, page)


@strawberry.type(description="The work as it is now.")
class FailedWorkPayload(Payload):
    work: FailedWork | None = strawberry.field(default=None, description="Null when refused.")
