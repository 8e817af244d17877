"""Reasons for unsubscribing, and the terms of the flow and of its report, as shipped in `data/cancellations.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class CancellationData:
    """What unsubscribing is bound by. `offered` are the codes of reasons that can be chosen, in their order."""

    abandoned_after: timedelta
    comment_length_max: int
    cell_min: int
    days_max: int
    rows_max: int
    offered: tuple[str, ...]


@cache
def cancellation_data() -> CancellationData:
    """Return the shipped data, read once."""
    data = tomllib.loads((files("api") / "data" / "cancellations.toml").read_text("utf-8"))
    flow, report = data["flow"], data["report"]
    return CancellationData(
        abandoned_after=timedelta(hours=flow["abandoned_after_hours"]),
        comment_length_max=flow["comment_length_max"],
        cell_min=report["cell_min"],
        days_max=report["days_max"],
        rows_max=report["rows_max"],
        offered=tuple(reason["code"] for reason in data["reasons"] if not reason.get("retired")),
    )


def label_key(code: str) -> str:
    """Return the key of a reason's label."""
    return f"cancellation_reasons.{code}"
