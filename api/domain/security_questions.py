"""The security questions and what may answer them (rule 3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from api.domain.faults import ErrorCode, Fault
from api.domain.passwords import normalise_password, password_is_too_long
from api.domain.plain_text import EMAIL_LENGTH_MAX, is_hopeless, is_plain
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import LOCALES, render

_ACCENTS = re.compile("[\u0300-\u036f]")
_APOSTROPHES = re.compile("[\u02bc\u2018\u2019]")


@dataclass(frozen=True, slots=True)
class SecurityAnswer:
    """An answer as typed; it does not show itself in logs."""

    question_code: str
    answer: str = field(repr=False)


def question_text(code: str, locale: str) -> str:
    """Return what the question asks; KeyError for a code that was never offered."""
    return render(locale, f"security_questions.{code}")


def normalise_answer(answer: str) -> str:
    """Return the form in which answers are hashed and compared, so that people need not recall how they typed them.

    Case, accents, the kind of apostrophe, spaces at the ends, doubled spaces and punctuation at the end do not count;
    punctuation inside does. Normalising twice changes nothing. What is hashed depends on this: a change of it would
    lock out everybody who has answered.
    """
    folded = unicodedata.normalize("NFKC", answer).casefold()
    # Taken apart, accents are characters of their own; other scripts' marks belong to their letters and stay.
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", bare).casefold())
    end = len(text)
    while end and (text[end - 1].isspace() or unicodedata.category(text[end - 1]).startswith("P")):
        end -= 1
    return " ".join(text[:end].split())


@cache
def _common_answers() -> frozenset[str]:
    return frozenset(normalise_answer(answer) for answer in sign_up_data().common_answers)


@cache
def _question_words(code: str) -> frozenset[str]:
    texts = " ".join(question_text(code, locale) for locale in LOCALES)
    return frozenset(re.findall(r"\w+", normalise_answer(texts)))


def _is_in_question(answer: str, code: str) -> bool:
    words = re.findall(r"\w+", answer)
    return bool(words) and _question_words(code).issuperset(words)


def _email_names(email: str) -> set[str]:
    if len(email) > EMAIL_LENGTH_MAX:
        return set()
    return {normalise_answer(email), normalise_answer(email.rpartition("@")[0])} - {""}


def _own_faults(given: SecurityAnswer, offered: bool, email: str, password: str) -> list[Fault]:
    """Return what is wrong with one answer by itself, with an empty path."""
    data = sign_up_data()
    too_long = Fault(ErrorCode.TOO_LONG, "errors.too_long", params={"maximum": data.answer_length_max})
    if is_hopeless(given.answer, data.answer_length_max):
        return [too_long]
    if not given.answer.strip():
        return [Fault(ErrorCode.REQUIRED, "errors.required")]
    if not is_plain(given.answer):
        return [Fault(ErrorCode.INVALID, "errors.unprintable")]
    answer = normalise_answer(given.answer)
    if len(answer) > data.answer_length_max:
        return [too_long]
    keys = {
        "sign_ups.answer_too_short": len(answer) < data.answer_length_min,
        "sign_ups.answer_in_question": offered and _is_in_question(answer, given.question_code),
        "sign_ups.answer_is_password": bool(password) and answer == normalise_answer(normalise_password(password)),
        "sign_ups.answer_is_email": answer in _email_names(email),
        "sign_ups.answer_too_common": answer in _common_answers() or len(set(answer)) == 1,
    }
    params = {"minimum": data.answer_length_min}
    return [Fault(ErrorCode.INVALID, key, params=params) for key, holds in keys.items() if holds]


def security_answer_faults(answers: Sequence[SecurityAnswer], *, email: str, password: str) -> list[Fault]:
    """Return why these cannot be the holder's questions and answers, with paths such as ("0", "answer").

    `email` and `password` are the holder's, empty where they are not at hand; no answer may equal one of them.
    Of two answers or questions that are the same, the later one is at fault. (Rule 3.)
    """
    data = sign_up_data()
    if len(answers) > data.questions_required:
        # Only the count is told, so that a long list costs nothing.
        return [Fault(ErrorCode.INVALID, "sign_ups.answers_wrong_count", params={"count": data.questions_required})]
    faults = []
    if len(answers) < data.questions_required:
        params = {"count": data.questions_required}
        faults.append(Fault(ErrorCode.REQUIRED, "sign_ups.answers_wrong_count", params=params))
    if password_is_too_long(password):
        password = ""
    codes_seen: set[str] = set()
    answers_seen: set[str] = set()
    for position, given in enumerate(answers):
        offered = given.question_code in data.questions_offered
        if not offered:
            faults.append(Fault(ErrorCode.INVALID, "sign_ups.question_unknown", (str(position), "questionCode")))
        elif given.question_code in codes_seen:
            path = (str(position), "questionCode")
            faults.append(Fault(ErrorCode.DUPLICATE_CHOICE, "sign_ups.question_repeated", path))
        codes_seen.add(given.question_code)
        own = _own_faults(given, offered, email, password)
        if not own:
            answer = normalise_answer(given.answer)
            if answer in answers_seen:
                own = [Fault(ErrorCode.DUPLICATE_CHOICE, "sign_ups.answer_repeated")]
            answers_seen.add(answer)
        faults += [fault.under(str(position), "answer") for fault in own]
    return faults
