"""How the domain's enums are published: one enum everywhere, with a description of each value."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition


def publish(enum: type[Enum], description: str, /, **values: str) -> None:
    """Make an enum of the domain a GraphQL one. `values` describes each of its members, by name."""
    if values.keys() != enum.__members__.keys():
        raise ValueError(f"{enum.__name__}: describe each of its values, and no others")
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = vars(enum)["__strawberry_definition__"]
    for value in definition.values:
        value.description = values[value.name]
