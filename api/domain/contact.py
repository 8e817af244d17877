"""Where the operator is reached (rule 32), as shipped in `data/contact.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def contact_lines() -> Mapping[str, str]:
    """Return phone numbers and postal addresses by name, in the order in which they are shown.

    What each is called is the text "contact.<name>".
    """
    lines: dict[str, str] = tomllib.loads((files("api") / "data" / "contact.toml").read_text("utf-8"))
    return lines
