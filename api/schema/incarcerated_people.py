"""People in custody."""

from __future__ import annotations

import strawberry

from api.adapters.database import Row, read_uuid
from api.domain.ids import NodeKind, global_id
from api.schema.facilities import Facility
from api.schema.scalars import Node


@strawberry.type(description="A person in custody, found by facility, number and last name together.")
class IncarceratedPerson(Node):
    display_name: str = strawberry.field(description="First and last name.")
    facility: Facility = strawberry.field(description="Where the person is.")

    @staticmethod
    def of(row: Row, prefix: str = "", at: str = "f_") -> IncarceratedPerson:
        return IncarceratedPerson(
            id=strawberry.ID(global_id(NodeKind.INCARCERATED_PERSON, read_uuid(row[f"{prefix}id"]))),
            display_name=f"{row[f'{prefix}first_name']} {row[f'{prefix}last_name']}",
            facility=Facility.of(row, at),
        )
