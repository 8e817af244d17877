"""How long a reset lives and how often it can be tried (rule 6), as shipped in `data/recovery.toml`."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class RecoveryData(NamedTuple):
    """Lifetimes, and tries per number and per reset."""

    number_lives: timedelta
    number_tries: int
    reset_lives: timedelta
    answer_sets: int
    kept: timedelta


@cache
def recovery_data() -> RecoveryData:
    """Return what ships."""
    data = tomllib.loads((files("api") / "data" / "recovery.toml").read_text("utf-8"))
    return RecoveryData(
        number_lives=timedelta(minutes=data["number"]["minutes"]),
        number_tries=data["number"]["tries"],
        reset_lives=timedelta(minutes=data["reset"]["minutes"]),
        answer_sets=data["reset"]["answer_sets"],
        kept=timedelta(hours=data["kept"]["hours"]),
    )
