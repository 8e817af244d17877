"""Passwords that many people use, from the frequency lists that ship with `zxcvbn`."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

# What people add to make a common word pass a form's rules: a few digits and a mark or two ("Summer2026!", "Love@123").
_DECORATION = re.compile(r"[0-9]{0,4}[!?.,*#$%&@_-]{0,3}[0-9]{0,4}")
_DECORATION_LENGTH_MAX = 11
# What is left of a shorter word, once decorated, is no more common than any other few letters.
_WORD_LENGTH_MIN = 3
_DISGUISES = str.maketrans("@013457$!", "aoieastsi")


@cache
def _common() -> frozenset[str]:
    # The 30,000 commonest of leaked passwords, in lower case, commonest first.
    # The module is some hundred thousand words, so it is loaded by the first who asks.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def _is_run(text: str) -> bool:
    """Tell whether it is one character again and again, or neighbours up or down: "aaaaaa", "abcdef", "87654321"."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return len(text) >= _WORD_LENGTH_MIN and len(steps) == 1 and steps <= {-1, 0, 1}


def _bases(password: str) -> set[str]:
    """Return the password and what it may be a decoration of."""
    shortest = max(len(password) - _DECORATION_LENGTH_MAX, _WORD_LENGTH_MIN)
    cuts = range(shortest, len(password))
    bases = {password, *(password[:cut] for cut in cuts if _DECORATION.fullmatch(password, cut))}
    return bases | {base.translate(_DISGUISES) for base in bases}


def _is_listed(base: str) -> bool:
    half = base[: len(base) // 2]
    return base in _common() or _is_run(base) or (half + half == base and half in _common())


def is_common(password: str) -> bool:
    """Tell whether a guesser would try this password early (rule 2).

    Case does not count. Refused besides the listed ones: a listed word with some digits and marks behind it
    ("Password2026!"), letters in disguise ("P@ssw0rd"), a listed word twice, and runs ("Abcdefg1").
    """
    return any(_is_listed(base) for base in _bases(password.lower()))
