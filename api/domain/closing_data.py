"""Windows and terms of closing an account, as shipped in `data/closing.toml` (rules 20 to 27)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class ClosingData:
    """What closing is bound by, apart from how money goes back."""

    preview: timedelta
    replay: timedelta
    calls_window: timedelta
    hold_days_min: int
    hold_days_max: int
    quiet: timedelta
    write_off_days: int
    staff_code: timedelta
    staff_code_tries: int
    export: timedelta
    inactivity_notice_days: int


@cache
def closing_data() -> ClosingData:
    """Return the shipped data, read once."""
    data = tomllib.loads((files("api") / "data" / "closing.toml").read_text("utf-8"))
    return ClosingData(
        preview=timedelta(minutes=data["preview"]["minutes"]),
        replay=timedelta(minutes=data["replay"]["minutes"]),
        calls_window=timedelta(hours=data["calls"]["window_hours"]),
        hold_days_min=data["direct_bill"]["hold_days_min"],
        hold_days_max=data["direct_bill"]["hold_days_max"],
        quiet=timedelta(hours=data["direct_bill"]["quiet_hours"]),
        write_off_days=data["direct_bill"]["write_off_days"],
        staff_code=timedelta(minutes=data["staff_code"]["minutes"]),
        staff_code_tries=data["staff_code"]["tries"],
        export=timedelta(minutes=data["export"]["minutes"]),
        inactivity_notice_days=data["inactivity"]["notice_days"],
    )
