"""Three different questions, and answers that only the holder gives (rule 3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.faults import ErrorCode, Fault
from api.domain.security_questions import SecurityAnswer, normalise_answer, question_text, security_answer_faults
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import LOCALES, render

EMAIL = "jane.doe@example.com"
PASSWORD = "Blue-Kayak-71"
GOOD = (("first_pet", "Biscuit"), ("birth_city", "El Paso"), ("favorite_movie", "Paper Moon"))


def given_answers(*pairs: tuple[str, str]) -> list[SecurityAnswer]:
    return [SecurityAnswer(code, answer) for code, answer in pairs]


def faults_of(*pairs: tuple[str, str], email: str = EMAIL, password: str = PASSWORD) -> list[Fault]:
    faults = security_answer_faults(given_answers(*pairs), email=email, password=password)
    assert all(render(locale, fault.key, fault.params) for fault in faults for locale in LOCALES)
    return faults


def with_first(answer: str, code: str = "first_pet") -> list[tuple[ErrorCode, str, tuple[str, ...]]]:
    return [(fault.code, fault.key, fault.path) for fault in faults_of((code, answer), *GOOD[1:])]


@pytest.mark.rule("3")
def test_the_five_questions_are_offered_in_both_languages() -> None:
    offered = sign_up_data().questions_offered
    assert offered == ("first_pet", "childhood_place", "birth_city", "first_school", "favorite_movie")
    assert [question_text(code, "en") for code in offered] == [
        "What is the name of your first pet?",
        "What was your favorite place to visit as a child?",
        "In what city were you born?",
        "What is the name of your first school?",
        "What is your favorite movie?",
    ]
    assert all(question_text(code, "es").startswith("¿") for code in offered)


@pytest.mark.rule("3")
def test_three_different_questions_with_answers_are_taken() -> None:
    assert faults_of(*GOOD) == []


@pytest.mark.rule("3")
@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_are_refused(count: int) -> None:
    [fault] = faults_of(*GOOD[:count])
    assert (fault.code, fault.key, fault.path) == (ErrorCode.REQUIRED, "sign_ups.answers_wrong_count", ())


@pytest.mark.rule("3")
@pytest.mark.parametrize("count", [4, 5, 10_000])
def test_more_than_three_are_refused_without_a_look_at_each(count: int) -> None:
    [fault] = faults_of(*[("nonsense", "x" * 1000)] * count)
    assert (fault.code, fault.key, fault.path) == (ErrorCode.INVALID, "sign_ups.answers_wrong_count", ())


@pytest.mark.row("Q8")
@pytest.mark.rule("3")
def test_a_question_chosen_twice_is_told_where_it_is_repeated() -> None:
    faults = faults_of(GOOD[0], ("first_pet", "Waffles"), ("first_pet", "Domino"))
    assert [(fault.code, fault.path) for fault in faults] == [
        (ErrorCode.DUPLICATE_CHOICE, ("1", "questionCode")),
        (ErrorCode.DUPLICATE_CHOICE, ("2", "questionCode")),
    ]


@pytest.mark.rule("3")
@pytest.mark.parametrize("code", ["", "First_Pet", "first_pet ", "mothers_name", "../first_pet", "\x00", "x" * 100_000])
def test_a_question_that_is_not_offered_is_refused(code: str) -> None:
    assert with_first("Biscuit", code) == [(ErrorCode.INVALID, "sign_ups.question_unknown", ("0", "questionCode"))]


@pytest.mark.row("Q7")
@pytest.mark.rule("3")
@pytest.mark.parametrize("same", ["Biscuit", "BISCUIT", "  biscuit ", "Biscuit!", "Bíscuit"])
def test_two_answers_that_count_as_the_same_are_refused(same: str) -> None:
    [fault] = faults_of(GOOD[0], ("birth_city", same), GOOD[2])
    assert (fault.code, fault.path) == (ErrorCode.DUPLICATE_CHOICE, ("1", "answer"))


@pytest.mark.row("Q7")
@pytest.mark.rule("3")
@pytest.mark.parametrize(
    "answer, code, key",
    [
        ("", ErrorCode.REQUIRED, "errors.required"),
        ("   ", ErrorCode.REQUIRED, "errors.required"),
        ("\u00a0\u3000", ErrorCode.REQUIRED, "errors.required"),
        ("ab", ErrorCode.INVALID, "sign_ups.answer_too_short"),
        ("a b", None, None),
        ("Up!!!", ErrorCode.INVALID, "sign_ups.answer_too_short"),
        ("...", ErrorCode.INVALID, "sign_ups.answer_too_short"),
        ("Rex", None, None),
        ("y" + "x" * 99, None, None),
        ("y" + "x" * 100, ErrorCode.TOO_LONG, "errors.too_long"),
        ("yx" * 1_000_000, ErrorCode.TOO_LONG, "errors.too_long"),
        ("\ufdfa" * 100, ErrorCode.TOO_LONG, "errors.too_long"),
        ("Bis\x00cuit", ErrorCode.INVALID, "errors.unprintable"),
        ("Biscuit\n", ErrorCode.INVALID, "errors.unprintable"),
        ("Bis\ud800cuit", ErrorCode.INVALID, "errors.unprintable"),
        ("Bis\u202ecuit", ErrorCode.INVALID, "errors.unprintable"),
        ("Bis\u200bcuit", ErrorCode.INVALID, "errors.unprintable"),
        ("Blue", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("PIZZA!", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("123456", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("Password", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("contrasena", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("Azul", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("I don’t know.", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("aaaa", ErrorCode.INVALID, "sign_ups.answer_too_common"),
        ("Blue Whale", None, None),
        ("blue-kayak-71", ErrorCode.INVALID, "sign_ups.answer_is_password"),
        ("Jane.Doe@Example.com", ErrorCode.INVALID, "sign_ups.answer_is_email"),
        ("jane.doe", ErrorCode.INVALID, "sign_ups.answer_is_email"),
        ("Jane", None, None),
    ],
)
def test_an_answer_is_taken_or_refused(answer: str, code: ErrorCode | None, key: str | None) -> None:
    expected = [] if code is None else [(code, key, ("0", "answer"))]
    assert with_first(answer) == expected


@pytest.mark.row("Q7")
@pytest.mark.rule("3")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", sign_up_data().questions_offered)
def test_the_question_is_no_answer_to_itself(code: str, locale: str) -> None:
    others = [pair for pair in (*GOOD, ("first_school", "Lakeview")) if pair[0] != code][:2]
    [fault] = faults_of((code, question_text(code, locale)), *others)
    assert (fault.key, fault.path) == ("sign_ups.answer_in_question", ("0", "answer"))


@pytest.mark.rule("3")
@pytest.mark.parametrize(
    "answer, is_refused", [("first pet", True), ("Pet", True), ("mascota", True), ("my first pet Biscuit", False)]
)
def test_words_of_the_question_are_no_answer(answer: str, is_refused: bool) -> None:
    assert ("sign_ups.answer_in_question" in {key for _, key, _ in with_first(answer)}) == is_refused


@pytest.mark.rule("3")
def test_without_email_and_password_at_hand_the_rest_is_still_checked() -> None:
    assert faults_of(*GOOD, email="", password="") == []
    assert [fault.key for fault in faults_of(("first_pet", "blue"), *GOOD[1:], email="", password="")] == [
        "sign_ups.answer_too_common"
    ]


@pytest.mark.rule("3")
def test_all_that_is_wrong_is_told_at_once() -> None:
    faults = faults_of(("nonsense", "blue"), ("birth_city", ""))
    assert [(fault.code, fault.path) for fault in faults] == [
        (ErrorCode.REQUIRED, ()),
        (ErrorCode.INVALID, ("0", "questionCode")),
        (ErrorCode.INVALID, ("0", "answer")),
        (ErrorCode.REQUIRED, ("1", "answer")),
    ]


@pytest.mark.row("Q6")
@pytest.mark.parametrize(
    "typed",
    [
        "O'Hare Park",
        "o'hare park",
        "  O'Hare   Park ",
        "O’Hare Park",
        "O'HARE PARK.",
        "O'Hare\u00a0Park!?",
        "Ｏ'Hare Park",
    ],
)
def test_how_an_answer_was_typed_does_not_count(typed: str) -> None:
    assert normalise_answer(typed) == "o'hare park"


@pytest.mark.parametrize("typed", ["México", "mexico", "Me\u0301xico", "MÉXICO"])
def test_accents_do_not_count(typed: str) -> None:
    assert normalise_answer(typed) == "mexico"


@pytest.mark.parametrize("one, other", [("St. Paul", "St Paul"), ("El Paso", "ElPaso"), ("Rex", "Rex 2"), ("कि", "का")])
def test_what_else_differs_is_another_answer(one: str, other: str) -> None:
    assert normalise_answer(one) != normalise_answer(other)


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(answer: str) -> None:
    once = normalise_answer(answer)
    assert normalise_answer(once) == once


@given(st.text(max_size=30))
def test_any_text_can_be_given_as_an_answer_without_a_fault_of_ours(answer: str) -> None:
    assert isinstance(with_first(answer), list)


@pytest.mark.row("Q9")
def test_an_answer_does_not_show_itself_in_logs() -> None:
    assert "Biscuit" not in repr(SecurityAnswer("first_pet", "Biscuit"))
