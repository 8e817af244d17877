"""Comma-separated values (RFC 4180) that a spreadsheet shows and never runs."""

from __future__ import annotations

from collections.abc import Sequence

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Plain(str):
    """A value made here, e.g. an amount below zero, that stays as it is."""

    __slots__ = ()


def csv_line(cells: Sequence[str]) -> str:
    """Return one line with its end. A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return ",".join(map(_cell, cells)) + "\r\n"


def _cell(text: str) -> str:
    if not isinstance(text, Plain) and text.startswith(_RUNS):
        text = f"'{text}"
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
