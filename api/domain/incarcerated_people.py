"""People in custody: how what is typed of them is compared."""

from __future__ import annotations

import unicodedata

NUMBER_LENGTH_MAX = 40
NAME_LENGTH_MAX = 80


def name_key(last_name: str) -> str:
    """Return a last name as it is compared: lower case, letters only, without accents; empty where nothing is left."""
    apart = unicodedata.normalize("NFKD", last_name).casefold()
    return "".join(character for character in apart if character.isalpha())


def number_key(number: str) -> str:
    """Return a facility's number of a person as it is kept and compared: capitals, without spaces and hyphens."""
    folded = unicodedata.normalize("NFKC", number).upper()
    return "".join(character for character in folded if character.isalnum())
