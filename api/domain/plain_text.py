"""Text that people type into one line: which characters it may hold, and how it is tidied."""

from __future__ import annotations

import unicodedata

from api.domain.faults import ErrorCode, Fault

# Controls (NUL and line breaks among them), lone surrogates and separators of lines: a database refuses some of them,
# and mails, logs and CSV files would let others speak for themselves.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# The two joiners are invisible too, but names of several scripts cannot be written without them.
_JOINERS = frozenset("\u200c\u200d")
# Letters and symbols by their category that show nothing: a name made of them would look empty.
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# RFC 5321, section 4.5.3.1.3, as corrected by erratum 1690: a path of 256 less its brackets.
EMAIL_LENGTH_MAX = 254
# Text longer than its limit by this factor is refused before any other work is done with it.
_HOPELESS_FACTOR = 4


def is_printable(text: str) -> bool:
    """Tell whether each character can be seen, typed again and stored; spaces and emoji can."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in text)


def is_plain(text: str) -> bool:
    """Tell whether the text is printable and shows what it holds: no invisible marks, no change of direction."""
    return is_printable(text) and not any(
        unicodedata.category(character) == "Cf" and character not in _JOINERS for character in text
    )


def is_blank(text: str) -> bool:
    """Tell whether nothing of the text would be seen."""
    return all(
        unicodedata.category(character) in {"Zs", "Cf"} or character.isspace() or character in _BLANKS
        for character in text
    )


def is_hopeless(text: str, length_max: int) -> bool:
    """Tell whether the text is too long however it is normalised, so that nobody has to normalise a megabyte."""
    return len(text) > length_max * _HOPELESS_FACTOR


def tidy(text: str) -> str:
    """Return the text in Unicode's composed form, without spaces at its ends and with single ones inside."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def text_faults(text: str, length_max: int) -> list[Fault]:
    """Return why a required line of text cannot be taken, with an empty path.

    `length_max` is of characters, as `tidy` leaves them.
    """
    too_long = Fault(ErrorCode.TOO_LONG, "errors.too_long", params={"maximum": length_max})
    if is_hopeless(text, length_max):
        return [too_long]
    if is_blank(text):
        return [Fault(ErrorCode.REQUIRED, "errors.required")]
    if not is_plain(text):
        return [Fault(ErrorCode.INVALID, "errors.unprintable")]
    return [too_long] if len(tidy(text)) > length_max else []
