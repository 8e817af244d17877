"""The staff's door."""

from __future__ import annotations

import strawberry

from api.resolvers.fields import query
from api.schema.scalars import Info
from api.schema.staff import Staff


@strawberry.type
class StaffQueries:
    """Queries of staff."""

    @query("What staff may see and do; null for everybody else.")
    async def staff(self, info: Info) -> Staff | None:
        viewer = info.context.viewer
        return Staff.of(viewer) if viewer else None
