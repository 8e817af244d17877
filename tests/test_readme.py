"""The README's examples, which somebody copies who sees this service for the first time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```graphql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema.graphql").read_text())


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("(")[0].split("{")[0].strip())
def test_every_example_of_the_readme_fits_the_schema(example: str, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(example)) == []
