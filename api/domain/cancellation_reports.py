"""What marketing is told of unsubscribing: counts by reason and facility that single nobody out (rule 30)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID


class Group(NamedTuple):
    """Whom a row counts: by reason and facility, each None where several are merged or no reason was chosen."""

    reason: str | None = None
    facility_id: UUID | None = None


class ReportRow(NamedTuple):
    """How many of a group cancelled, and how many stayed."""

    group: Group
    cancelled: int
    stayed: int


Counts = Mapping[Group, int]
MERGED = Group()


def report_rows(cancelled: Counts, stayed: Counts, *, cell_min: int, rows_max: int) -> list[ReportRow]:
    """Return the rows of a report, those with most flows first, the merged one last.

    Each of the two counts is merged by itself, see `merge_small`; a row that is left without either is left out. Past
    `rows_max` rows the smallest are merged too. Sums are those of what was given.
    """
    total = Counter(cancelled) + Counter(stayed)
    kept = {group for group, _ in total.most_common(rows_max - 1)} if len(total) > rows_max else set(total)
    columns = [merge_small(_bounded(counts, kept), cell_min) for counts in (cancelled, stayed)]
    groups = {group for column in columns for group, count in column.items() if count}
    rows = [ReportRow(group, columns[0].get(group, 0), columns[1].get(group, 0)) for group in groups]
    return sorted(rows, key=_in_order)


def merge_small(counts: Counts, cell_min: int) -> dict[Group, int]:
    """Return counts none of which is under `cell_min`, save for one that is the sum of all.

    What is too small joins the others of its reason, and where these are too few still, the merged rest. A rest that is
    too small takes the smallest of the others in, else it could be told by subtracting these from the sum.
    """
    shown = {group: count for group, count in counts.items() if count >= cell_min and group != MERGED}
    by_reason: Counter[Group] = Counter()
    for group, count in counts.items():
        if group not in shown:
            by_reason[Group(group.reason)] += count
    rest = by_reason.pop(MERGED, 0)
    for group, count in by_reason.items():
        if count >= cell_min:
            shown[group] = shown.get(group, 0) + count
        else:
            rest += count
    while 0 < rest < cell_min and shown:
        smallest = min(shown, key=lambda group: (shown[group], str(group)))
        rest += shown.pop(smallest)
    return shown | ({MERGED: rest} if rest else {})


def _bounded(counts: Counts, kept: set[Group]) -> Counts:
    bounded: Counter[Group] = Counter()
    for group, count in counts.items():
        bounded[group if group in kept else MERGED] += count
    return bounded


def _in_order(row: ReportRow) -> tuple[bool, int, str, str]:
    group = row.group
    return group == MERGED, -row.cancelled - row.stayed, group.reason or "", str(group.facility_id or "")
