"""The house's arrows: a module imports only from layers to its right; files stay short; money is never a float."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

API = Path(__file__).parents[1] / "api"
FILES = sorted(path for path in API.rglob("*.py") if "web" not in path.relative_to(API).parts)
LINES_MAX = 300
ROOTS = {"app", "worker", "__main__", "wiring", "settings"}
LAYERS: list[set[str]] = [
    ROOTS,
    {"graphql"},
    {"routes", "resolvers", "jobs"},
    {"schema"},
    {"context"},
    {"services"},
    {"auth"},
    {"adapters"},
    {"models"},
    {"domain"},
]
MONEY = re.compile(r"cents|amount|price|cost|balance|posted|total|dollars|\bheld\b|incoming")


def layer(name: str) -> int:
    return next(place for place, names in enumerate(LAYERS) if name in names)


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the layers that a module imports from, also within functions and for types only."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole module"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("api."))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(API)))
def test_a_module_keeps_to_the_house(path: Path) -> None:
    source = path.read_text()
    tree, own = ast.parse(source), path.relative_to(API).parts[0].removesuffix(".py")
    found = set(imports(tree)) - {own}

    wrong = {name for name in found if layer(name) <= layer(own) and not {own, name} <= ROOTS}
    assert own == "__init__" or not wrong, f"imports to its left or beside it: {wrong}"
    assert not (own in ("resolvers", "routes", "jobs") and "models" in found), "the doors never see the tables"
    assert source.count("\n") <= LINES_MAX, "split it by a finer noun"
    assert "utils" not in path.stem, "name it after what it is about"
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation:
            name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
            assert not (MONEY.search(name) and "float" in ast.unparse(node.annotation)), f"{name} is a float"
