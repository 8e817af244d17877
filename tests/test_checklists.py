"""The tables in docs/checklists are those that the tests' marks make, and leave nothing open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checklists import FOLDER, Checklist, Marked, checklists, marked, read, table

CHECKLISTS = checklists()


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda it: it.name)
def test_the_committed_table_is_the_one_that_the_marks_make(checklist: Checklist) -> None:
    committed = (FOLDER / f"{checklist.name}.md").read_text("utf-8")

    assert committed == table(checklist, marked(checklist.mark)), "write it with: make tables"


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda it: it.name)
def test_each_row_has_a_test_or_a_reason_and_no_mark_is_of_an_unknown_row(checklist: Checklist) -> None:
    decided = {it.id for it in marked(checklist.mark)}
    listed = set(checklist.ids)

    assert listed == checklist.expected
    assert len(checklist.ids) == len(listed)
    assert listed - decided - checklist.reasons.keys() == set()
    assert checklist.reasons.keys() - listed == set()
    # Lists share a mark where their ids differ.
    known = [id for other in CHECKLISTS if other.mark == checklist.mark for id in (*other.ids, *other.elsewhere)]
    assert decided - set(known) == set()
    assert len(known) == len(set(known))


def test_a_list_may_number_its_rows_without_letters_and_put_some_in_between(tmp_path: Path) -> None:
    (tmp_path / "product.toml").write_text(
        'mark = "rule"\ntitle = "T"\nintro = "I"\ncounts = { "" = 2 }\nalso = ["1a"]\n'
        '[sections.S]\n1 = "One"\n1a = "Between"\n2 = "Two"\n[reasons]\n2 = "Comes later."\n'
    )
    checklist = read(tmp_path / "product.toml")

    lines = table(checklist, [Marked("1", "test_x.py", "test_it_holds"), Marked("1a", "test_x.py", "test_so_do_i")])

    assert checklist.ids == ["1", "1a", "2"]
    assert checklist.expected == set(checklist.ids)
    assert "| 1 | One | `test_x.py`: it holds |" in lines
    assert "| 2 | Two | Comes later. |" in lines


def test_marks_are_read_from_tests_and_from_whole_files_in_the_order_of_the_rows(tmp_path: Path) -> None:
    (tmp_path / "test_b.py").write_text(
        'pytestmark = [pytest.mark.slow, pytest.mark.rule("2")]\n'
        '@pytest.mark.rule("10", "9")\n@pytest.mark.rule("2")\ndef test_first(): ...\n'
        "def no_test(): ...\nasync def test_second(): ...\n"
    )
    (tmp_path / "test_a.py").write_text(
        'pytestmark = pytest.mark.other("7")\n@pytest.mark.rule("27a")\ndef test_x(): ...\n'
    )

    assert marked("rule", tmp_path) == [
        Marked("2", "test_b.py", "test_first"),
        Marked("2", "test_b.py", "test_second"),
        Marked("9", "test_b.py", "test_first"),
        Marked("10", "test_b.py", "test_first"),
        Marked("27a", "test_a.py", "test_x"),
    ]
