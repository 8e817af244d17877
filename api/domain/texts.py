"""Texts by language and key. Read once from `data/texts/<language>/<feature>.toml`; a key is `feature.name`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

LOCALES = ("en", "es")
DEFAULT_LOCALE = "en"


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """Return all texts of a language by key."""
    texts: dict[str, str] = {}
    for file in (files("api") / "data" / "texts" / locale).iterdir():
        if file.name.endswith(".toml"):
            feature = file.name.removesuffix(".toml")
            for name, text in tomllib.loads(file.read_text("utf-8")).items():
                texts[f"{feature}.{name}"] = text
    return texts


def render(locale: str, key: str, params: Mapping[str, Any] | None = None) -> str:
    """Return the text of `key` with `{placeholders}` filled; KeyError where key or parameter is missing."""
    return catalogue(locale)[key].format_map(params or {})


def pick_locale(wanted: str | None) -> str:
    """Return the language to speak for an Accept-Language header or a locale tag; English where nothing fits.

    The header's own order counts; its weights are rare enough in practice to be ignored.
    """
    for tag in (wanted or "")[:200].split(","):
        language = tag.split(";")[0].strip().split("-")[0].split("_")[0].lower()
        if language in LOCALES:
            return language
    return DEFAULT_LOCALE
