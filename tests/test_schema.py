"""The schema as front-end makers get it: the committed file is what is served, and everything is described."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)

ROOT = Path(__file__).parents[1]


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Yield everything that can bear a description, with the one that it has."""
    for name, kind in schema.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        yield name, kind.description
        if isinstance(kind, GraphQLEnumType):
            for key, value in kind.values.items():
                yield f"{name}.{key}", value.description
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for key, field in kind.fields.items():
                yield f"{name}.{key}", field.description
                for argument, its in field.args.items():
                    yield f"{name}.{key}({argument})", its.description
        if isinstance(kind, GraphQLInputObjectType):
            for key, its in kind.fields.items():
                yield f"{name}.{key}", its.description


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "api", "schema"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert printed == (ROOT / "schema.graphql").read_text(), "write it with: make schema"


def test_everything_in_the_schema_is_described() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())

    bare = [name for name, description in described(schema) if not (description or "").strip()]

    assert bare == []
