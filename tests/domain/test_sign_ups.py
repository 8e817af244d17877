"""Signing up in three stages, each checkable alone (rule 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.passwords_common import is_common
from api.auth.phones import phone_to_e164
from api.domain.addresses import Address
from api.domain.agreements import AgreementKind, current_version
from api.domain.faults import ErrorCode, Fault
from api.domain.security_questions import SecurityAnswer
from api.domain.sign_up_data import sign_up_data
from api.domain.sign_ups import (
    Credentials,
    Profile,
    credentials_faults,
    locale_faults,
    normalise_profile,
    passcode_faults,
    profile_faults,
    security_answers_faults,
)
from api.domain.texts import LOCALES, render

TERMS = current_version(AgreementKind.TERMS)
CREDENTIALS = Credentials("jane.doe@example.com", "Blue-Kayak-71", True, TERMS)
ANSWERS = [
    SecurityAnswer("first_pet", "Biscuit"),
    SecurityAnswer("birth_city", "El Paso"),
    SecurityAnswer("favorite_movie", "Paper Moon"),
]
PROFILE = Profile(
    first_name="Jane",
    last_name="Doe",
    address=Address("500 Commerce Street", None, "Dallas", "TX", "75202"),
    phone="(214) 555-0123",
    passcode="4071",
    locale="en",
)


def told(faults: Iterable[Fault]) -> list[tuple[ErrorCode, str, str]]:
    faults = list(faults)
    assert all(render(locale, fault.key, fault.params) for fault in faults for locale in LOCALES)
    return [(fault.code, fault.key, ".".join(fault.path)) for fault in faults]


def told_of_profile(profile: Profile) -> list[tuple[ErrorCode, str, str]]:
    return told(profile_faults(profile, phone_to_e164))


@pytest.mark.rule("1")
def test_each_stage_without_faults_is_taken() -> None:
    assert credentials_faults(CREDENTIALS, is_common) == []
    assert security_answers_faults(ANSWERS, CREDENTIALS) == []
    assert profile_faults(PROFILE, phone_to_e164) == []


@pytest.mark.rule("1")
def test_the_second_stage_can_be_checked_without_the_first() -> None:
    assert security_answers_faults(ANSWERS, None) == []


@pytest.mark.rule("3")
def test_an_answer_is_compared_with_the_first_stage_where_that_is_given() -> None:
    answers = [SecurityAnswer("first_pet", "blue-kayak-71"), *ANSWERS[1:]]
    assert security_answers_faults(answers, None) == []
    assert told(security_answers_faults(answers, CREDENTIALS)) == [
        (ErrorCode.INVALID, "sign_ups.answer_is_password", "securityAnswers.0.answer")
    ]


@pytest.mark.rule("2")
def test_terms_that_are_not_accepted_are_refused() -> None:
    assert told(credentials_faults(replace(CREDENTIALS, accept_terms=False), is_common)) == [
        (ErrorCode.TERMS_NOT_ACCEPTED, "sign_ups.terms_not_accepted", "credentials.acceptTerms")
    ]


@pytest.mark.rule("2")
@pytest.mark.parametrize("version", ["", "2020-01", TERMS + " ", TERMS + "\x00", "x" * 100_000])
def test_terms_of_another_version_are_stale(version: str) -> None:
    [fault] = credentials_faults(replace(CREDENTIALS, terms_version=version), is_common)
    assert told([fault]) == [(ErrorCode.STALE, "sign_ups.terms_stale", "credentials.termsVersion")]
    assert fault.facts == {"changed": ("termsVersion",)}


@pytest.mark.rule("1")
def test_all_that_is_wrong_with_the_credentials_is_told_at_once() -> None:
    credentials = Credentials("jane.doe@example.com", "jane.doe", False, "old")
    assert told(credentials_faults(credentials, is_common)) == [
        (ErrorCode.WEAK_PASSWORD, "sign_ups.password_needs_digit", "credentials.password"),
        (ErrorCode.WEAK_PASSWORD, "sign_ups.password_needs_upper", "credentials.password"),
        (ErrorCode.WEAK_PASSWORD, "sign_ups.password_holds_email", "credentials.password"),
        (ErrorCode.TERMS_NOT_ACCEPTED, "sign_ups.terms_not_accepted", "credentials.acceptTerms"),
        (ErrorCode.STALE, "sign_ups.terms_stale", "credentials.termsVersion"),
    ]


@pytest.mark.rule("1")
def test_all_that_is_wrong_with_the_profile_is_told_at_once() -> None:
    profile = Profile("", "D\x00e", Address("", None, "", "", "", ""), "911", "1234", "fr")
    assert told_of_profile(profile) == [
        (ErrorCode.REQUIRED, "errors.required", "profile.firstName"),
        (ErrorCode.INVALID, "errors.unprintable", "profile.lastName"),
        (ErrorCode.REQUIRED, "errors.required", "profile.address.line1"),
        (ErrorCode.REQUIRED, "errors.required", "profile.address.city"),
        (ErrorCode.REQUIRED, "errors.required", "profile.address.state"),
        (ErrorCode.REQUIRED, "errors.required", "profile.address.zip"),
        (ErrorCode.REQUIRED, "errors.required", "profile.address.country"),
        (ErrorCode.INVALID, "sign_ups.phone_invalid", "profile.phone"),
        (ErrorCode.INVALID, "sign_ups.passcode_guessable", "profile.passcode"),
        (ErrorCode.INVALID, "sign_ups.locale_unknown", "profile.locale"),
    ]


@pytest.mark.rule("4")
@pytest.mark.parametrize("name, path", [("first_name", "profile.firstName"), ("last_name", "profile.lastName")])
@pytest.mark.parametrize(
    "text, code",
    [
        ("María José", None),
        ("O’Connor-Núñez Jr.", None),
        ("Nguyễn", None),
        ("李", None),
        ("علی\u200cرضا", None),
        ("x" * 60, None),
        (" " * 30 + "x" * 60 + " " * 30, None),
        ("x" * 61, ErrorCode.TOO_LONG),
        ("x" * 1_000_000, ErrorCode.TOO_LONG),
        ("", ErrorCode.REQUIRED),
        ("   ", ErrorCode.REQUIRED),
        ("\u200b\u3164", ErrorCode.REQUIRED),
        ("Ja\x00ne", ErrorCode.INVALID),
        ("Jane\r\nBcc: a@example.com", ErrorCode.INVALID),
        ("Ja\ud800ne", ErrorCode.INVALID),
        ("\u202eenaJ", ErrorCode.INVALID),
        ("Ja\u2067ne", ErrorCode.INVALID),
        ("Ja\u200bne", ErrorCode.INVALID),
    ],
)
def test_a_name_is_taken_or_refused(name: str, path: str, text: str, code: ErrorCode | None) -> None:
    found = told_of_profile(replace(PROFILE, **{name: text}))
    assert [(fault_code, fault_path) for fault_code, _, fault_path in found] == ([(code, path)] if code else [])


@pytest.mark.rule("4")
@pytest.mark.parametrize(
    "phone, code",
    [
        ("+1 214 555 0123", None),
        ("", ErrorCode.REQUIRED),
        ("  ", ErrorCode.REQUIRED),
        ("555-0123", ErrorCode.INVALID),
        ("214-555-0123\x00", ErrorCode.INVALID),
        ("1" * 1_000_000, ErrorCode.TOO_LONG),
    ],
)
def test_a_phone_is_required_and_must_be_possible(phone: str, code: ErrorCode | None) -> None:
    found = [(fault.code, fault.path) for fault in profile_faults(replace(PROFILE, phone=phone), phone_to_e164)]
    assert found == ([(code, ("profile", "phone"))] if code else [])


@pytest.mark.rule("4")
@pytest.mark.parametrize(
    "passcode",
    [
        "123",
        "12345",
        "12a4",
        " 4071",
        "4071 ",
        "407",
        "40 71",
        "-407",
        "٤٠٧١",
        "４０７１",
        "4071\n",
        "40.1",
        "0" * 100_000,
    ],
)
def test_a_passcode_is_four_ascii_digits(passcode: str) -> None:
    assert told(passcode_faults(passcode)) == [(ErrorCode.INVALID, "sign_ups.passcode_malformed", "")]


def test_an_empty_passcode_is_missing() -> None:
    assert told(passcode_faults("")) == [(ErrorCode.REQUIRED, "errors.required", "")]


@pytest.mark.row("P1")
@pytest.mark.rule("4")
def test_one_digit_four_times_and_runs_are_too_easy_and_few_others_are() -> None:
    ring = "01234567890"
    runs = {ring[start : start + 4] for start in range(8)}
    same = {digit * 4 for digit in "0123456789"}
    refused = {f"{number:04d}" for number in range(10_000) if passcode_faults(f"{number:04d}")}
    assert refused >= same | runs | {run[::-1] for run in runs}
    assert refused == sign_up_data().guessable_passcodes
    assert len(refused) < 100


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "locale, is_known",
    [(None, True), ("en", True), ("es", True), ("EN", False), ("", False), ("es-MX", False), ("fr", False)],
)
def test_we_write_in_english_and_spanish(locale: str | None, is_known: bool) -> None:
    assert (locale_faults(locale) == []) == is_known


@pytest.mark.rule("4")
def test_a_profile_is_stored_tidy_with_its_phone_as_e164() -> None:
    typed = replace(
        PROFILE,
        first_name="  Jane  Ann ",
        last_name="Nun\u0303ez",
        address=replace(PROFILE.address, state="tx", line2=" "),
    )
    stored = normalise_profile(typed, phone_to_e164)
    assert stored == replace(PROFILE, first_name="Jane Ann", last_name="Nuñez", phone="+12145550123")


def test_a_profile_without_a_phone_number_cannot_be_stored() -> None:
    with pytest.raises(ValueError):
        normalise_profile(replace(PROFILE, phone="911"), phone_to_e164)


def test_secrets_do_not_show_themselves_in_logs() -> None:
    assert "Kayak" not in repr(CREDENTIALS)
    assert "4071" not in repr(PROFILE)


TEXT = st.text(max_size=15)


@pytest.mark.rule("1")
@given(
    st.builds(Credentials, TEXT, TEXT, st.booleans(), TEXT),
    st.lists(st.builds(SecurityAnswer, st.sampled_from(sign_up_data().questions_offered) | TEXT, TEXT), max_size=4),
    st.builds(Profile, TEXT, TEXT, st.builds(Address, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT), TEXT, TEXT, TEXT),
)
def test_whatever_is_typed_each_fault_has_a_path_in_its_stage_and_a_text(
    credentials: Credentials, answers: list[SecurityAnswer], profile: Profile
) -> None:
    stages = {
        "credentials": credentials_faults(credentials, is_common),
        "securityAnswers": security_answers_faults(answers, credentials),
        "profile": profile_faults(profile, phone_to_e164),
    }
    for stage, faults in stages.items():
        told(faults)
        assert {fault.path[0] for fault in faults} <= {stage}
