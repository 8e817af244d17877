"""Tests that share a server go to one xdist worker: those of files with the same `pytest.mark.xdist_group`.

pytest-xdist 3.8 hands groups over in the ids of tests, which pytest 9.2 no longer lets it change, and so scatters them
without a word. The controller reads the marks from the files instead. To be dropped with a later pytest-xdist.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent.parent
_MARK = re.compile(r"""^pytestmark = (?:.*|\[[^\]]*)xdist_group\("([^"]+)"\)""", re.MULTILINE)
"""The mark may stand on a line of its own within a list."""


@cache
def group_of(path: str) -> str | None:
    """Return the group of a file of tests, or None: then each test goes where there is room."""
    file = ROOT / path
    found = _MARK.search(file.read_text("utf-8")) if file.is_file() else None
    return found[1] if found else None


class GroupScheduling(LoadScopeScheduling):
    """Gives a worker all tests of a group, in the order of their files."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0]) or nodeid


def make_scheduler(config: Any, log: Any) -> GroupScheduling | None:
    """Return the scheduler for `--dist loadgroup`."""
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None
