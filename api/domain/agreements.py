"""The texts that people agree to, by kind and version. Read once from `data/agreements`."""

from __future__ import annotations

import tomllib
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from api.domain.texts import DEFAULT_LOCALE, LOCALES

_FOLDER = files("api") / "data" / "agreements"


class AgreementKind(Enum):
    """What is agreed to."""

    TERMS = "TERMS"
    RENEWAL = "RENEWAL"


class AgreementText(NamedTuple):
    """A version ("2026-11") and its text, in Markdown."""

    version: str
    text: str


@cache
def _current_versions() -> dict[str, str]:
    return tomllib.loads((_FOLDER / "current.toml").read_text("utf-8"))


def current_version(kind: AgreementKind) -> str:
    """Return the version that a consent must name today."""
    return _current_versions()[kind.value]


@cache
def text_of(kind: AgreementKind, version: str, locale: str) -> str:
    """Return a version's text in a language of ours; FileNotFoundError for a version that there never was.

    An earlier version's files stay, since people have agreed to them.
    """
    return (_FOLDER / f"{kind.value.lower()}-{version}.{locale}.md").read_text("utf-8")


def agreement(kind: AgreementKind, locale: str) -> AgreementText:
    """Return the current text in a language, in English where `locale` is none of ours."""
    version = current_version(kind)
    return AgreementText(version, text_of(kind, version, locale if locale in LOCALES else DEFAULT_LOCALE))
