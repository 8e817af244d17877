"""E-mail addresses: which are taken, and which are one and the same."""

from __future__ import annotations

from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from api.domain.faults import ErrorCode, Fault
from api.domain.plain_text import EMAIL_LENGTH_MAX, is_blank

EMAIL_COMPARED_MAX = 1000
"""Addresses have 254 characters at most; of a longer text, which is refused, no more than this is looked at."""


class Email(NamedTuple):
    """An address in the form to send to, and the key by which two are the same."""

    address: str
    key: str


def normalise_email(text: str, *, allow_test_domains: bool) -> Email | None:
    """Return the address; None where mail could not safely be sent to it.

    Refused are display names, comments, quoted names, bare addresses of hosts, controls, and more than 254 characters.
    The name before the @ must be ASCII: few mail servers take another, and look-alike letters have no place there.
    A domain in another script becomes its ASCII form (IDNA), so a look-alike domain is another address, and looks it.
    `allow_test_domains` takes names under ".test" (RFC 6761), which no one can own; for the sandbox and tests.

    Two addresses are the same by `key`: case does not count on either side, nor does a full stop after the domain.
    Dots and "+" tags count, since what they mean is the receiving server's affair.
    """
    typed = text.strip(" ").removesuffix(".")
    if len(typed) > EMAIL_LENGTH_MAX:
        return None
    try:
        valid = validate_email(
            typed,
            strict=True,
            check_deliverability=False,
            allow_smtputf8=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            test_environment=allow_test_domains,
        )
    except (EmailNotValidError, UnicodeError):
        return None
    address = valid.ascii_email
    if address is None or len(address) > EMAIL_LENGTH_MAX:
        return None
    return Email(address, address.lower())


def email_faults(text: str, name: str, *, allow_test_domains: bool) -> list[Fault]:
    """Return why this cannot be an e-mail address, with the path (name,)."""
    if is_blank(text[:EMAIL_COMPARED_MAX]):
        return [Fault(ErrorCode.REQUIRED, "errors.required", (name,))]
    if normalise_email(text[:EMAIL_COMPARED_MAX], allow_test_domains=allow_test_domains) is None:
        return [Fault(ErrorCode.INVALID, "sign_ups.email_invalid", (name,))]
    return []
