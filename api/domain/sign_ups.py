"""The three stages of signing up (rules 1 to 4): each can be checked alone, and tells all that is wrong with it.

Paths begin with the stage: ("profile", "address", "zip"). Whether an e-mail address is one is for `auth/emails` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from api.domain.addresses import Address, address_faults, normalise_address
from api.domain.agreements import AgreementKind, current_version
from api.domain.faults import ErrorCode, Fault
from api.domain.passwords import IsCommon, password_faults
from api.domain.plain_text import is_blank, is_hopeless, text_faults, tidy
from api.domain.security_questions import SecurityAnswer, security_answer_faults
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import LOCALES

PhoneToE164 = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Stage 1 as typed."""

    email: str
    password: str = field(repr=False)
    accept_terms: bool
    terms_version: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Stage 3, as on the ID: as typed, or normalised with the phone as E.164. `locale` None: none was chosen."""

    first_name: str
    last_name: str
    address: Address
    phone: str
    passcode: str = field(repr=False)
    locale: str | None = None


def credentials_faults(credentials: Credentials, is_common: IsCommon) -> list[Fault]:
    """Return what is wrong with stage 1, but for the shape of its e-mail address (rule 2)."""
    faults = [
        fault.under("password")
        for fault in password_faults(credentials.password, email=credentials.email, is_common=is_common)
    ]
    if not credentials.accept_terms:
        faults.append(Fault(ErrorCode.TERMS_NOT_ACCEPTED, "sign_ups.terms_not_accepted", ("acceptTerms",)))
    if credentials.terms_version != current_version(AgreementKind.TERMS):
        facts = {"changed": ("termsVersion",)}
        faults.append(Fault(ErrorCode.STALE, "sign_ups.terms_stale", ("termsVersion",), facts=facts))
    return [fault.under("credentials") for fault in faults]


def security_answers_faults(answers: Sequence[SecurityAnswer], credentials: Credentials | None) -> list[Fault]:
    """Return what is wrong with stage 2 (rule 3); without stage 1 nothing can be compared with the password."""
    email, password = (credentials.email, credentials.password) if credentials else ("", "")
    faults = security_answer_faults(answers, email=email, password=password)
    return [fault.under("securityAnswers") for fault in faults]


def passcode_faults(passcode: str) -> list[Fault]:
    """Return why this cannot be a passcode, with an empty path; also for changing it (rule 4)."""
    data = sign_up_data()
    if not passcode:
        return [Fault(ErrorCode.REQUIRED, "errors.required")]
    if not re.fullmatch("[0-9]+", passcode) or len(passcode) != data.passcode_length:
        return [Fault(ErrorCode.INVALID, "sign_ups.passcode_malformed", params={"length": data.passcode_length})]
    if passcode in data.guessable_passcodes:
        return [Fault(ErrorCode.INVALID, "sign_ups.passcode_guessable")]
    return []


def phone_faults(phone: str, phone_to_e164: PhoneToE164) -> list[Fault]:
    """Return why this cannot be a phone number, with an empty path."""
    length_max = sign_up_data().lengths_max["phone"]
    if is_hopeless(phone, length_max):
        return [Fault(ErrorCode.TOO_LONG, "errors.too_long", params={"maximum": length_max})]
    if is_blank(phone):
        return [Fault(ErrorCode.REQUIRED, "errors.required")]
    if phone_to_e164(phone) is None:
        return [Fault(ErrorCode.INVALID, "sign_ups.phone_invalid")]
    return []


def name_faults(first_name: str, last_name: str) -> list[Fault]:
    """Return what is wrong with the names, with paths such as ("firstName",)."""
    lengths = sign_up_data().lengths_max
    return [
        *(fault.under("firstName") for fault in text_faults(first_name, lengths["first_name"])),
        *(fault.under("lastName") for fault in text_faults(last_name, lengths["last_name"])),
    ]


def locale_faults(locale: str | None) -> list[Fault]:
    """Return why we cannot write in this language, with an empty path; None leaves the choice to us."""
    known = locale is None or locale in LOCALES
    return [] if known else [Fault(ErrorCode.INVALID, "sign_ups.locale_unknown")]


def profile_faults(profile: Profile, phone_to_e164: PhoneToE164) -> list[Fault]:
    """Return what is wrong with stage 3 (rule 4)."""
    faults = [
        *name_faults(profile.first_name, profile.last_name),
        *(fault.under("address") for fault in address_faults(profile.address)),
        *(fault.under("phone") for fault in phone_faults(profile.phone, phone_to_e164)),
        *(fault.under("passcode") for fault in passcode_faults(profile.passcode)),
        *(fault.under("locale") for fault in locale_faults(profile.locale)),
    ]
    return [fault.under("profile") for fault in faults]


def normalise_profile(profile: Profile, phone_to_e164: PhoneToE164) -> Profile:
    """Return the profile as it is stored; ValueError where the phone is none, so ask for faults first."""
    phone = phone_to_e164(profile.phone)
    if phone is None:
        raise ValueError("not a phone number")
    return replace(
        profile,
        first_name=tidy(profile.first_name),
        last_name=tidy(profile.last_name),
        address=normalise_address(profile.address),
        phone=phone,
    )
