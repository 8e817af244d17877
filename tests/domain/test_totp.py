"""One-time passwords by RFC 6238."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from api.domain.totp import code_at, matching_step, provisioning_uri, step_at

SECRET = b"12345678901234567890"
NOW = 1_234_567_890.0
# RFC 6238, appendix B, for SHA-1; its eight digits end with the six that apps show.
VECTORS = (
    (59, "94287082"),
    (1_111_111_109, "07081804"),
    (1_111_111_111, "14050471"),
    (1_234_567_890, "89005924"),
    (2_000_000_000, "69279037"),
    (20_000_000_000, "65353130"),
)


@pytest.mark.rule("10")
@pytest.mark.parametrize("seconds, code", VECTORS)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert code_at(SECRET, step_at(seconds)) == code[-6:]


@pytest.mark.rule("10")
@pytest.mark.parametrize("drift, fits", [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phones_clock_may_be_off_by_one_step_each_way(drift: int, fits: bool) -> None:
    step = step_at(NOW) + drift

    assert matching_step(SECRET, code_at(SECRET, step), NOW) == (step if fits else None)


@pytest.mark.rule("10")
def test_a_code_that_was_used_and_any_before_it_are_not_taken_again() -> None:
    now = step_at(NOW)

    taken = [matching_step(SECRET, code_at(SECRET, now + drift), NOW, after=now) for drift in (-1, 0, 1)]

    assert taken == [None, None, now + 1]


@pytest.mark.parametrize("typed", ["", "89005", "8900592", "89005a", "٨٩٠٠٥٩", "-90059", "0x8900", "005924\0"])
def test_what_is_no_code_fits_nothing(typed: str) -> None:
    assert matching_step(SECRET, typed, NOW) is None


def test_spaces_between_the_digits_do_not_count() -> None:
    assert matching_step(SECRET, " 005 924 ", NOW) == step_at(NOW)


def test_an_app_is_told_all_that_it_needs() -> None:
    uri = urlsplit(provisioning_uri(SECRET, account="ann+1@mail.test", issuer="Example: Calls & Co"))

    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert uri.path == "/Example%20Calls%20%26%20Co:ann%2B1@mail.test"
    assert parse_qs(uri.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Example Calls & Co"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
