"""The schema as front-end makers get it: the committed file is what is served, and everything is described."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
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
SECRET = re.compile("password|passcode|answer|secret|hash", re.IGNORECASE)
TOLD = {
    "PaymentMethodSetupPayload.clientSecret",
    "Security.passwordChangedAt",
    "SignUpRequirements.passcodeLength",
    "SignUpRequirements.passwordMinLength",
    "SignUpRequirements.passwordRules",
}
"""What is named after a secret and yet may be read: rules about it, when it was changed, and what the processor made
for the front end's own form."""


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


@pytest.mark.row("Q9", "P4")
@pytest.mark.rule("9")
def test_no_secret_of_a_holder_can_be_read_back() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())

    named = {
        f"{name}.{key}"
        for name, kind in schema.type_map.items()
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and name != "Mutation"
        for key in kind.fields
        if SECRET.search(key)
    }

    assert named == TOLD


def test_everything_in_the_schema_is_described() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())

    bare = [name for name, description in described(schema) if not (description or "").strip()]

    assert bare == []
