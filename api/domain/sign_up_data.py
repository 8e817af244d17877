"""What signing up asks for and refuses, as shipped in `data/sign_up.toml` and `data/zip_prefixes.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class SignUpData:
    """The limits, lists and forms of rules 2 to 4.

    `lengths_max` is by the field's name in Python ("first_name"). `postal_codes` is by country, each pattern for the
    whole code. `zip_prefixes` is by state, in the alphabet's order: ranges of prefixes of equal length, ends included.
    """

    password_length_min: int
    password_length_max: int
    email_name_length_min: int
    own_words: tuple[str, ...]
    questions_required: int
    questions_offered: tuple[str, ...]
    answer_length_min: int
    answer_length_max: int
    common_answers: frozenset[str]
    passcode_length: int
    guessable_passcodes: frozenset[str]
    lengths_max: Mapping[str, int]
    postal_codes: Mapping[str, re.Pattern[str]]
    zip_prefixes: Mapping[str, tuple[tuple[str, str], ...]]
    terms_url_path: str

    @property
    def states(self) -> tuple[str, ...]:
        """The states, territories and Armed Forces addresses of the United States, as on an envelope."""
        return tuple(self.zip_prefixes)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((files("api") / "data" / name).read_text("utf-8"))


def _ends(prefixes: str) -> tuple[str, str]:
    first, _, last = prefixes.partition("-")
    return first, last or first


@cache
def sign_up_data() -> SignUpData:
    """Return the shipped data, read once."""
    data = _read("sign_up.toml")
    password, questions, answers, passcode = (
        data[table] for table in ("password", "security_questions", "answers", "passcode")
    )
    return SignUpData(
        password_length_min=password["length_min"],
        password_length_max=password["length_max"],
        email_name_length_min=password["email_name_length_min"],
        own_words=tuple(password["own_words"]),
        questions_required=questions["required"],
        questions_offered=tuple(questions["offered"]),
        answer_length_min=answers["length_min"],
        answer_length_max=answers["length_max"],
        common_answers=frozenset(answers["common"]),
        passcode_length=passcode["length"],
        guessable_passcodes=frozenset(passcode["guessable"]),
        lengths_max={
            name.removesuffix("_length_max"): length for name, length in (data["profile"] | data["address"]).items()
        },
        postal_codes={country: re.compile(form) for country, form in data["postal_codes"].items()},
        zip_prefixes={
            state: tuple(_ends(prefixes) for prefixes in ranges)
            for state, ranges in sorted(_read("zip_prefixes.toml").items())
        },
        terms_url_path=data["terms"]["url_path"],
    )
