"""The worker that a test goes to, so that those who share a server find it there."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.groups import ROOT, group_of


def test_every_file_that_names_a_group_is_in_it_however_its_marks_are_written() -> None:
    named = {path: name for path in sorted(ROOT.glob("tests/**/test_*.py")) if (name := _named(path))}

    assert len(named) > 10
    assert {path: group_of(str(path.relative_to(ROOT))) for path in named} == named


def _named(path: Path) -> str | None:
    """Return the group that a file's marks name, read as Python reads them."""
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "pytestmark":
            for call in ast.walk(statement):
                if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "xdist_group":
                    (name,) = call.args
                    assert isinstance(name, ast.Constant)
                    return str(name.value)
    return None
