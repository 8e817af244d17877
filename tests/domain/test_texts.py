"""Every label, error and mail speaks English and Spanish alike."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import api
from api.domain.agreements import AgreementKind, agreement, current_version
from api.domain.faults import ErrorCode
from api.domain.texts import LOCALES, catalogue, pick_locale, render

SOURCES = sorted(Path(api.__file__).parent.rglob("*.py"))
KEY_OF_FAULT = re.compile(r'Fault\(\s*ErrorCode\.\w+,\s*"([^"]+)"')


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.rule("37")
@pytest.mark.parametrize("locale", LOCALES)
def test_each_text_is_there_in_each_language(locale: str) -> None:
    assert catalogue(locale).keys() == catalogue("en").keys()


@pytest.mark.rule("37")
@pytest.mark.parametrize("key", sorted(catalogue("en")))
def test_a_text_has_the_same_placeholders_in_each_language(key: str) -> None:
    assert placeholders(catalogue("es")[key]) == placeholders(catalogue("en")[key])


@pytest.mark.parametrize("locale", LOCALES)
def test_placeholders_are_plain_names_that_reach_into_nothing(locale: str) -> None:
    names = {name for text in catalogue(locale).values() for name in placeholders(text)}
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_text_is_empty_or_untidy(locale: str) -> None:
    untidy = {
        key for key, text in catalogue(locale).items() if not text.strip() or text != text.strip() or "  " in text
    }
    assert untidy == set()


@pytest.mark.rule("37")
@pytest.mark.parametrize("feature", ["errors", "sign_ups", "security_questions"])
def test_what_is_said_in_spanish_is_not_left_in_english(feature: str) -> None:
    texts = {key: text for key, text in catalogue("es").items() if key.startswith(f"{feature}.")}
    assert texts
    assert [key for key, text in texts.items() if text == catalogue("en")[key]] == []


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.value)
def test_each_error_code_has_a_text_of_its_own(code: ErrorCode) -> None:
    assert f"errors.{code.value.lower()}" in catalogue("en")


@pytest.mark.parametrize(
    "code", ["BAD_REQUEST", "UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED", "TOO_COMPLEX", "INTERNAL"]
)
def test_each_code_of_a_top_level_error_has_a_text(code: str) -> None:
    assert f"errors.{code.lower()}" in catalogue("en")


@pytest.mark.rule("37")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_each_fault_names_a_text_that_there_is(source: Path) -> None:
    named = set(KEY_OF_FAULT.findall(source.read_text("utf-8")))
    assert named - catalogue("en").keys() == set()


def test_rendering_fills_the_placeholders() -> None:
    assert render("en", "errors.rate_limited", {"seconds": 30}) == "Too many tries. Please try again in 30 seconds."
    assert "30 segundos" in render("es", "errors.rate_limited", {"seconds": 30})


def test_rendering_without_a_parameter_is_a_bug_that_shows() -> None:
    with pytest.raises(KeyError):
        render("en", "errors.rate_limited")


@pytest.mark.rule("37")
@pytest.mark.parametrize(
    "wanted, locale",
    [
        (None, "en"),
        ("", "en"),
        ("es", "es"),
        ("ES", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("es_US", "es"),
        ("fr-CA, es;q=0.5", "es"),
        ("en-US,es", "en"),
        ("fr", "en"),
        ("*", "en"),
        (",;,-", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_the_language_is_the_first_wanted_that_we_speak(wanted: str | None, locale: str) -> None:
    assert pick_locale(wanted) == locale


@pytest.mark.rule("37")
@pytest.mark.parametrize("locale", LOCALES)
def test_the_terms_of_service_name_their_version_in_each_language(locale: str) -> None:
    version, text = agreement(AgreementKind.TERMS, locale)
    assert version == current_version(AgreementKind.TERMS)
    assert version in text.split("##")[0]


def test_the_terms_of_service_have_the_same_sections_in_each_language() -> None:
    shapes = {
        locale: [
            line.split(" ")[0] for line in agreement(AgreementKind.TERMS, locale).text.splitlines() if line[:1] in "#-"
        ]
        for locale in LOCALES
    }
    assert shapes["es"] == shapes["en"]


def test_an_agreement_in_a_language_that_we_do_not_speak_is_in_english() -> None:
    assert agreement(AgreementKind.TERMS, "fr") == agreement(AgreementKind.TERMS, "en")
