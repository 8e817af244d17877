"""What a text that came in means (rule 17). The words are `data/replies.toml`."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_SPACES = re.compile(r"\s+")


class Reply(Enum):
    """What was said."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"
    YES = "YES"
    OTHER = "OTHER"


class Read(NamedTuple):
    """What a text means, and the language that its words are of."""

    reply: Reply
    locale: str


@cache
def _words() -> dict[str, frozenset[str]]:
    tables = tomllib.loads((files("api") / "data" / "replies.toml").read_text("utf-8"))
    return {name: frozenset(words) for name, words in tables.items()}


def read_reply(text: str) -> Read:
    """Return what a text means. STOP counts before all else, then HELP; Yes only where nothing else is said."""
    known, words = _words(), [_letters(part) for part in _SPACES.split(text)]
    words = [word for word in words if word]
    whole = "".join(words)
    locale = "es" if known["spanish"].intersection([whole, *words]) else "en"
    if whole in known["stop"] | known["stop_anywhere"] or known["stop_anywhere"].intersection(words):
        return Read(Reply.STOP, locale)
    if whole in known["start"]:
        return Read(Reply.START, locale)
    if words and words[0] in known["help"]:
        return Read(Reply.HELP, locale)
    return Read(Reply.YES if whole in known["yes"] else Reply.OTHER, locale)


def _letters(text: str) -> str:
    """Return the letters and digits of a text, small and plain: "¡Sí!" is "si"."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LN")
