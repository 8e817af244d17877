"""What a password must be (rule 2). What it is hashed to is not decided here."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from api.domain.faults import ErrorCode, Fault
from api.domain.plain_text import EMAIL_LENGTH_MAX, is_hopeless, is_printable
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import render

IsCommon = Callable[[str], bool]


def normalise_password(password: str) -> str:
    """Return the form that is hashed and compared: Unicode NFKC, which every way of typing the same text shares.

    Case and spaces count, those at the ends too, and nothing is cut off. NIST SP 800-63B asks for this form or NFKD.
    """
    return unicodedata.normalize("NFKC", password)


def password_is_too_long(password: str) -> bool:
    """Tell whether no account can have this password; ask before normalising or hashing what a stranger sends."""
    length_max = sign_up_data().password_length_max
    return is_hopeless(password, length_max) or len(normalise_password(password)) > length_max


def _compact(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _holds_email(password: str, email: str) -> bool:
    """Tell whether the password holds the address, its name, or the name's part before a "+" tag.

    Case does not count, nor do dots and dashes: "janedoe" is the name in "jane.doe@example.com".
    """
    if len(email) > EMAIL_LENGTH_MAX or not email.strip():
        return False
    address = normalise_password(email).strip().casefold()
    name = address.rpartition("@")[0]
    names = {name, name.partition("+")[0]}
    length_min = sign_up_data().email_name_length_min
    return (
        address in password.casefold()
        or any(len(part) >= length_min and part in password.casefold() for part in names)
        or any(len(_compact(part)) >= length_min and _compact(part) in _compact(password) for part in names)
    )


def _weaknesses(password: str, email: str, is_common: IsCommon) -> Iterator[str]:
    if not any(character.isdecimal() for character in password):
        yield "sign_ups.password_needs_digit"
    if not any(character.isupper() for character in password):
        yield "sign_ups.password_needs_upper"
    if not any(character.islower() for character in password):
        yield "sign_ups.password_needs_lower"
    if _holds_email(password, email):
        yield "sign_ups.password_holds_email"
    if any(word in _compact(password) for word in sign_up_data().own_words):
        yield "sign_ups.password_holds_own_word"
    if is_common(password):
        yield "sign_ups.password_too_common"


def password_faults(password: str, *, email: str, is_common: IsCommon) -> list[Fault]:
    """Return each reason why `password` cannot be chosen, with an empty path; for signing up, changing and resetting.

    Lengths count characters of the normalised form. `email` is the holder's address, as typed or as stored, and may
    be malformed or empty. `is_common` gets the normalised form. (Rule 2.)
    """
    data = sign_up_data()
    if not password:
        return [Fault(ErrorCode.REQUIRED, "errors.required")]
    if password_is_too_long(password):
        params = {"maximum": data.password_length_max}
        return [Fault(ErrorCode.TOO_LONG, "sign_ups.password_too_long", params=params)]
    if not is_printable(password):
        return [Fault(ErrorCode.INVALID, "sign_ups.password_unprintable")]
    normalised = normalise_password(password)
    faults = [Fault(ErrorCode.WEAK_PASSWORD, key) for key in _weaknesses(normalised, email, is_common)]
    if len(normalised) < data.password_length_min:
        params = {"minimum": data.password_length_min}
        faults.insert(0, Fault(ErrorCode.WEAK_PASSWORD, "sign_ups.password_too_short", params=params))
    return faults


def password_rules(locale: str) -> list[str]:
    """Return the rules in words, to be shown before a password is chosen."""
    data = sign_up_data()
    lengths = {"minimum": data.password_length_min, "maximum": data.password_length_max}
    names = ("length", "digit", "upper", "lower", "own_words", "common")
    return [render(locale, f"sign_ups.rule_{name}", lengths) for name in names]
