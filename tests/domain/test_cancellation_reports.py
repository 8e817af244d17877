"""The report on unsubscribing: small counts are merged so that nobody can subtract them out of it (rule 30)."""

from __future__ import annotations

import random
from collections import Counter
from uuid import UUID

import pytest

from api.domain.cancellation_reports import MERGED, Group, ReportRow, merge_small, report_rows

pytestmark = pytest.mark.rule("30")
AT = [UUID(int=n) for n in range(5)]
MIN = 5


def test_what_is_large_enough_is_shown_as_it_is() -> None:
    counts = {Group("other", AT[0]): 5, Group("moved", AT[1]): 9}

    assert merge_small(counts, MIN) == counts


def test_small_facilities_of_one_reason_are_told_together() -> None:
    counts = {Group("other", AT[0]): 3, Group("other", AT[1]): 4, Group("moved", AT[1]): 9}

    assert merge_small(counts, MIN) == {Group("other"): 7, Group("moved", AT[1]): 9}


def test_a_lone_small_count_takes_the_smallest_other_in_so_that_the_sum_does_not_tell_it() -> None:
    counts = {Group("other", AT[0]): 2, Group("moved", AT[1]): 9, Group("moved", AT[2]): 30}

    assert merge_small(counts, MIN) == {MERGED: 11, Group("moved", AT[2]): 30}


def test_few_in_all_are_told_as_their_sum_alone() -> None:
    assert merge_small({Group("other", AT[0]): 1, Group("moved", AT[1]): 2}, MIN) == {MERGED: 3}


def test_flows_without_a_reason_are_shown_by_facility_or_merged() -> None:
    counts = {Group(None, AT[0]): 6, Group(None, AT[1]): 1, Group(None, AT[2]): 4}

    assert merge_small(counts, MIN) == {Group(None, AT[0]): 6, MERGED: 5}


def test_each_count_is_merged_by_itself() -> None:
    group, other = Group("other", AT[0]), Group("moved", AT[1])

    rows = report_rows({group: 7, other: 8}, {group: 1, other: 6}, cell_min=MIN, rows_max=10)

    assert rows == [ReportRow(other, 8, 0), ReportRow(group, 7, 0), ReportRow(MERGED, 0, 7)]


def test_with_a_least_count_of_one_nothing_is_merged() -> None:
    counts = {Group("other", AT[0]): 1, Group(None, AT[1]): 2}

    rows = report_rows(counts, {}, cell_min=1, rows_max=10)

    assert rows == [ReportRow(Group(None, AT[1]), 2, 0), ReportRow(Group("other", AT[0]), 1, 0)]


def test_rows_are_bounded_and_the_smallest_are_merged() -> None:
    counts = {Group(f"reason {n}", AT[0]): 10 + n for n in range(6)}

    rows = report_rows(counts, {}, cell_min=MIN, rows_max=3)

    assert [(row.group.reason, row.cancelled) for row in rows] == [("reason 5", 15), ("reason 4", 14), (None, 46)]


def test_whatever_was_counted_no_small_count_is_told_and_none_is_lost() -> None:
    pick = random.Random("rule 30")
    groups = [Group(reason, at) for reason in (None, "other", "moved", "released") for at in AT]
    for _ in range(500):
        cancelled, stayed = (
            {group: pick.choice((0, 1, 2, 4, 5, 6, 40)) for group in pick.sample(groups, pick.randrange(len(groups)))}
            for _ in range(2)
        )

        rows = report_rows(cancelled, stayed, cell_min=MIN, rows_max=pick.choice((3, 100)))

        assert all(row.cancelled or row.stayed for row in rows)
        for counts, told in ((cancelled, {row.group: row.cancelled for row in rows}),
                             (stayed, {row.group: row.stayed for row in rows})):  # fmt: skip
            total = sum(counts.values())
            assert sum(told.values()) == total
            # What could be subtracted from the sum is as large as what is told.
            assert all(count == 0 or count >= MIN or count == total for count in told.values()), (counts, told)
            exact = Counter(counts)
            assert all(count == exact[group] for group, count in told.items() if group.facility_id and count)
