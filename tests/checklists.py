"""Tables of what is decided by which test: `python -m tests.checklists` writes them anew from the marks of the tests.

Each `docs/checklists/<name>.toml` lists what there is to decide: the mark that tests bear for it, a title per id, and
where no test decides it, or not quite as asked, the reason. The table goes beside it, as `<name>.md`.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "checklists"


class Marked(NamedTuple):
    """A test that bears a mark for one id."""

    id: str
    path: str
    test: str


class Checklist(NamedTuple):
    """One list: `sections` of titles by id, and reasons by id; `elsewhere` are ids of marks that it does not list."""

    name: str
    mark: str
    title: str
    intro: str
    counts: Mapping[str, int]
    also: Sequence[str]
    elsewhere: Sequence[str]
    sections: Mapping[str, Mapping[str, str]]
    reasons: Mapping[str, str]

    @property
    def ids(self) -> list[str]:
        """All ids in their order."""
        return [id for titles in self.sections.values() for id in titles]

    @property
    def expected(self) -> set[str]:
        """The ids that the list is known to have: a letter, or none, and a number up to its count; and what was put
        in between later, such as "13a"."""
        counted = {f"{letter}{n}" for letter, count in self.counts.items() for n in range(1, count + 1)}
        return counted | set(self.also)


def read(file: Path) -> Checklist:
    """Return the list of a file."""
    data = tomllib.loads(file.read_text("utf-8"))
    return Checklist(
        file.stem, data["mark"], data["title"], data["intro"].strip(), data["counts"], data.get("also", []),
        data.get("elsewhere", []), data["sections"], data["reasons"],
    )  # fmt: skip


def checklists() -> list[Checklist]:
    """Return every list there is."""
    return [read(file) for file in sorted(FOLDER.glob("*.toml"))]


def marked(mark: str, folder: Path = ROOT / "tests") -> list[Marked]:
    """Return the tests that bear a mark, by id, file and place; those of a whole file (`pytestmark`) too."""
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        # A test that is listed at an id by two marks is listed once.
        of_file = list(_ids(mark, _file_marks(tree)))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                ids = dict.fromkeys([*of_file, *_ids(mark, node.decorator_list)])
                found += [Marked(id, path.relative_to(folder).as_posix(), node.name) for id in ids]
    return sorted(found, key=lambda it: (_in_order(it.id), it.path))


def table(checklist: Checklist, tests: Sequence[Marked]) -> str:
    """Return the table as Markdown."""
    lines = [f"# {checklist.title}", "", checklist.intro, ""]
    lines += [
        f"Written by `make tables` from `{checklist.name}.toml` and the tests' marks; do not edit it by hand.",
        "",
    ]
    for section, titles in checklist.sections.items():
        lines += [f"## {section}", "", "| row | what has to hold | decided by, or why it differs |", "|---|---|---|"]
        for id, title in titles.items():
            decided = [checklist.reasons[id]] if id in checklist.reasons else []
            decided += [f"`{path}`: {names}" for path, names in _by_file(id, tests)]
            lines.append(f"| {id} | {title} | {'<br>'.join(decided)} |")
        lines.append("")
    return "\n".join(lines)


def write() -> None:
    """Write every table."""
    for checklist in checklists():
        (FOLDER / f"{checklist.name}.md").write_text(table(checklist, marked(checklist.mark)), "utf-8")


def _by_file(id: str, tests: Sequence[Marked]) -> Iterator[tuple[str, str]]:
    files: dict[str, list[str]] = {}
    for it in tests:
        if it.id == id:
            files.setdefault(it.path, []).append(it.test.removeprefix("test_").replace("_", " "))
    for path, names in files.items():
        yield path, "; ".join(names)


def _file_marks(tree: ast.Module) -> Sequence[ast.expr]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "pytestmark" for target in node.targets):
            return node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
    return []


def _ids(mark: str, marks: Sequence[ast.expr]) -> Iterator[str]:
    for node in marks:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"pytest.mark.{mark}":
            yield from (str(_literal(argument)) for argument in node.args)


def _literal(node: ast.expr) -> Any:
    if not isinstance(node, ast.Constant):
        raise SystemExit(f"line {node.lineno}: marks of checklists take plain texts")
    return node.value


def _in_order(id: str) -> tuple[str, int, str]:
    found = re.fullmatch(r"([A-Z]*)(\d*)(.*)", id)
    assert found is not None
    return found[1], int(found[2] or 0), found[3]


if __name__ == "__main__":
    if sys.argv[1:]:
        raise SystemExit("it takes no arguments")
    write()
