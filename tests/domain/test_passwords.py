"""Which passwords can be chosen (rule 2)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.passwords_common import is_common
from api.domain.faults import ErrorCode, Fault
from api.domain.passwords import normalise_password, password_faults, password_is_too_long, password_rules
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import LOCALES, catalogue, render

EMAIL = "jane.doe@example.com"
# Of the best-known lists of breached passwords.
WORDS = (
    "Password Welcome Qwerty Iloveyou Sunshine Princess Football Baseball Superman Charlie Dragon Monkey "
    "Letmein Shadow Master Freedom Whatever Jennifer Hunter Michelle Liverpool Chelsea Arsenal Batman Samsung "
    "Computer Starwars Summer Winter Spring Autumn Ashley Daniel Jessica Pokemon Chocolate Butterfly Purple "
    "Cookie Secret Thomas Robert Nicole Anthony Matthew Andrew Joshua Killer George Hannah "
)
PRODUCT_WORDS = sign_up_data().own_words


def never_common(password: str) -> bool:
    return False


def faults_of(password: str, email: str = EMAIL) -> list[Fault]:
    faults = password_faults(password, email=email, is_common=is_common)
    assert all(fault.path == () for fault in faults)
    assert all(render(locale, fault.key, fault.params) for fault in faults for locale in LOCALES)
    return faults


def names_of(password: str, email: str = EMAIL) -> set[str]:
    return {fault.key.removeprefix("sign_ups.password_") for fault in faults_of(password, email)}


@pytest.mark.row("S3")
@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "password",
    [
        "Kx7mqwLp",
        "Blue-Kayak-71",
        "Sunny Meadow 42",
        "  Kx7 mqwLp  ",
        "Kx7" + "mqwLpzvt" * 8,
        "Kx7" + "mqwLp" * 25,
        "Clave🔐Segura7",
        "Ñandú Volador 9",
        "密码Kx7长长长",
        "Kx7mqw👨‍👩‍👧Lp",
        "Кот7Матроскин",
        "Ｋｘ７ｍｑｗＬｐ",
    ],
)
def test_a_password_of_any_printable_characters_is_taken(password: str) -> None:
    assert faults_of(password) == []


@pytest.mark.row("S1", "S2", "S8")
@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "password, names",
    [
        ("Kx7mqwL", {"too_short"}),
        ("KxZmqwLp", {"needs_digit"}),
        ("kx7mqwlp", {"needs_upper"}),
        ("KX7MQWLP", {"needs_lower"}),
        ("x", {"too_short", "needs_digit", "needs_upper"}),
        ("!!!!!!!!", {"needs_digit", "needs_upper", "needs_lower", "too_common"}),
        ("password", {"needs_digit", "needs_upper", "too_common"}),
        ("Password1", {"too_common"}),
        ("jane.doe", {"needs_digit", "needs_upper", "holds_email"}),
        ("securus", {"too_short", "needs_digit", "needs_upper", "holds_own_word"}),
    ],
)
def test_each_broken_rule_is_told_at_once(password: str, names: set[str]) -> None:
    assert names_of(password) >= names - {"too_common"}
    assert names_of(password) == names
    assert {fault.code for fault in faults_of(password)} == {ErrorCode.WEAK_PASSWORD}


@pytest.mark.rule("2")
@given(st.text(st.sampled_from("abcABC123!é "), min_size=1, max_size=12))
def test_the_composition_rules_are_four_and_independent(password: str) -> None:
    faults = password_faults(password, email="", is_common=never_common)
    broken = {
        "sign_ups.password_too_short": len(password) < 8,
        "sign_ups.password_needs_digit": not any(c in "123" for c in password),
        "sign_ups.password_needs_upper": not any(c in "ABC" for c in password),
        "sign_ups.password_needs_lower": not any(c in "abcé" for c in password),
    }
    assert {fault.key for fault in faults} == {key for key, is_broken in broken.items() if is_broken}


@pytest.mark.rule("2")
def test_a_password_has_at_most_128_characters() -> None:
    assert faults_of("Kx7" + "ab" * 62 + "c") == []
    [fault] = faults_of("Kx7" + "ab" * 63)
    assert (fault.code, fault.key) == (ErrorCode.TOO_LONG, "sign_ups.password_too_long")


@pytest.mark.row("S4")
@pytest.mark.rule("2")
@pytest.mark.parametrize("password", ["Kx7" + "a" * 1_000_000, "\ufdfa" * 128, "\x00" * 1_000_000])
def test_a_password_that_is_too_long_is_refused_before_anything_else_is_done_with_it(password: str) -> None:
    def must_not_be_asked(password: str) -> bool:
        raise AssertionError

    faults = password_faults(password, email=EMAIL, is_common=must_not_be_asked)
    assert [fault.code for fault in faults] == [ErrorCode.TOO_LONG]
    assert password_is_too_long(password)


def test_an_empty_password_is_missing_rather_than_weak() -> None:
    assert [(fault.code, fault.key) for fault in faults_of("")] == [(ErrorCode.REQUIRED, "errors.required")]


@pytest.mark.rule("2")
@pytest.mark.parametrize("bad", ["\x00", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
@pytest.mark.parametrize("place", ["{}Kx7mqwLp", "Kx7m{}qwLp", "Kx7mqwLp{}"])
def test_a_password_holds_no_character_that_cannot_be_seen_or_stored(place: str, bad: str) -> None:
    [fault] = faults_of(place.format(bad))
    assert (fault.code, fault.key) == (ErrorCode.INVALID, "sign_ups.password_unprintable")


@pytest.mark.row("S10")
@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "password, email",
    [
        ("Jane.Doe77", EMAIL),
        ("xxJANE.DOE77xx", EMAIL),
        ("Jane.Doe@Example.com7", EMAIL),
        ("JaneDoe77", EMAIL),
        ("Jane-Doe 77", EMAIL),
        ("7Janedoe Calls", "janedoe+calls@example.com"),
        ("Ann7777x", "ann@example.com"),
        ("Jo@Example.com7", "jo@example.com"),
        ("Peña-Loca-7", "peña@example.com"),
        ("Pen\u0303a-Loca-7", "PEÑA@example.com"),
        ("Ｊａｎｅdoe77", "janedoe@example.com"),
    ],
)
def test_a_password_does_not_hold_the_emails_name(password: str, email: str) -> None:
    assert "holds_email" in names_of(password, email)


@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "email", ["jo@example.com", "a@example.com", "", "@", "@example.com", "no-address", "+x@example.com", "..@x.com"]
)
def test_a_name_too_short_to_mean_anything_or_none_at_all_refuses_nothing(email: str) -> None:
    assert names_of("Johannesburg a7 xo", email) == set()


@pytest.mark.row("S10")
@pytest.mark.rule("2")
@pytest.mark.parametrize("word", PRODUCT_WORDS)
@pytest.mark.parametrize("form", ["{}2026!", "Xy7 {}", "7{}Q"])
def test_a_password_does_not_hold_what_the_service_is_called(form: str, word: str) -> None:
    spaced = "-".join((word[:4].upper(), word[4:]))
    assert "holds_own_word" in names_of(form.format(word.title()))
    assert "holds_own_word" in names_of(form.format(spaced))


@pytest.mark.row("S9")
@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "password",
    [
        *("Password1", "PASSWORD1", "pAssword1", "Password123", "Password2026!", "Password!", "P@ssw0rd", "P@ssw0rd1!"),
        *("Welcome1", "Welcome@123", "Qwerty12", "Qwerty!1", "Iloveyou1", "Summer2026!", "Letmein1", "Trustno1"),
        *(
            "Abcd1234",
            "Aa123456",
            "Abcdefg1",
            "Aaaaaaa1",
            "Zaq12wsx",
            "1q2w3e4r",
            "Passwordpassword1",
            "Football99",
            "87654321",
        ),
    ],
)
def test_a_password_that_guessers_try_early_is_common(password: str) -> None:
    assert is_common(password)


@pytest.mark.row("S9")
@pytest.mark.rule("2")
@pytest.mark.parametrize("word", WORDS.split())
def test_a_word_that_many_choose_is_no_better_with_a_capital_and_a_number(word: str) -> None:
    assert names_of(f"{word}123") == {"too_common"}


@pytest.mark.rule("2")
@pytest.mark.parametrize(
    "password",
    [
        "",
        "a",
        "Kx7mqwLp",
        "Kx7#mq2Lp9",
        "Blue-Kayak-71",
        "Correct Horse 7 Battery",
        "Maple7!Tree",
        "X1!",
        "Clave🔐Segura7",
    ],
)
def test_a_password_of_ones_own_is_not_common(password: str) -> None:
    assert not is_common(password)


@pytest.mark.rule("2")
@given(st.text(max_size=140))
def test_any_text_can_be_asked_about(password: str) -> None:
    assert is_common(password) in {True, False}
    assert isinstance(faults_of(password), list)


@pytest.mark.row("S7")
@given(st.text(max_size=40))
def test_each_way_to_encode_the_same_text_is_the_same_password(password: str) -> None:
    forms = {unicodedata.normalize(form, password) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert {normalise_password(form) for form in forms} == {normalise_password(password)}
    assert normalise_password(normalise_password(password)) == normalise_password(password)


@pytest.mark.parametrize("other", ["kx7mqwLp", "Kx7mqwLp ", " Kx7mqwLp", "Kx7mqwL", "Kx7mqwLpp"])
def test_case_and_outer_spaces_make_another_password(other: str) -> None:
    assert normalise_password(other) != normalise_password("Kx7mqwLp")


@pytest.mark.row("S5")
def test_passwords_that_differ_late_stay_different() -> None:
    assert normalise_password("K" * 127 + "x") != normalise_password("K" * 127 + "y")


@pytest.mark.rule("2")
@pytest.mark.parametrize("locale", LOCALES)
def test_the_rules_are_shown_in_words(locale: str) -> None:
    rules = password_rules(locale)
    assert len(rules) == len([key for key in catalogue(locale) if key.startswith("sign_ups.rule_")])
    assert "8" in rules[0]
    assert "128" in rules[0]
