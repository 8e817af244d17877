"""Phone numbers as people type them, and as we keep them."""

from __future__ import annotations

import re
import unicodedata

# What is left of a number that was pasted from a contact card, once compatibility forms are folded. Letters are out:
# they would be dialled as digits ("FLOWERS"), and an extension would be lost without a word.
_TYPED = re.compile("[+]?[0-9 ()./\u2010-\u2015-]{3,39}")


def phone_to_e164(text: str, region: str = "US") -> str | None:
    """Return the number as E.164 ("+12145550123"); None where it cannot be one (rule 4).

    `region` (ISO 3166-1 alpha-2) is whose dialling rules a number without "+" follows. Possible means of a possible
    length for its country, with area code; whether it is in service is not asked.
    """
    # Loading the rules of all countries takes a while, which commands that need no phone should not spend.
    import phonenumbers

    if len(text) > 100:
        return None
    folded = unicodedata.normalize("NFKC", text)
    typed = "".join(character for character in folded if unicodedata.category(character) != "Cf").strip()
    if not _TYPED.fullmatch(typed):
        return None
    try:
        number = phonenumbers.parse(typed, region)
    except phonenumbers.NumberParseException:
        return None
    # A local number without its area code is "possible" too by the library's shorter question.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
