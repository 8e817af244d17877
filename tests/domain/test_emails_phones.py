"""One address is one address however it is typed, and a phone number can be dialled from anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.emails import normalise_email
from api.auth.phones import phone_to_e164
from api.domain.plain_text import EMAIL_LENGTH_MAX


def key_of(text: str) -> str | None:
    email = normalise_email(text, allow_test_domains=False)
    return email.key if email else None


@pytest.mark.row("S14")
@pytest.mark.parametrize(
    "typed",
    [
        "ann@example.com",
        "Ann@example.com",
        "ANN@EXAMPLE.COM",
        "ann@Example.Com",
        "ann@example.com.",
        "  ann@example.com ",
        "ann@example。com",
        "ann@ｅｘａｍｐｌｅ.com",
    ],
)
def test_ways_of_typing_one_address_are_the_same_address(typed: str) -> None:
    assert key_of(typed) == "ann@example.com"


@pytest.mark.row("S14")
@pytest.mark.parametrize(
    "typed", ["an.n@example.com", "ann+calls@example.com", "ann@mail.example.com", "ann@exаmple.com"]
)
def test_addresses_that_may_be_somebody_elses_are_others(typed: str) -> None:
    assert key_of(typed) not in {None, "ann@example.com"}


def test_a_domain_in_another_script_is_kept_in_its_ascii_form() -> None:
    email = normalise_email("Ana@BÜCHER.example", allow_test_domains=False)
    assert email == ("Ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example")


def test_mail_goes_to_the_name_as_it_was_typed() -> None:
    email = normalise_email("Ann.Lee@Example.COM.", allow_test_domains=False)
    assert email is not None
    assert email.address == "Ann.Lee@example.com"


REFUSED_EMAILS = [
    *("", " ", "@", "ann", "ann@", "@example.com", "ann@@example.com", "ann@bob@example.com", "ann@example"),
    *("ann@example.com\r\n", "ann@example.com\nbcc: bob@example.com", "ann\r\n@example.com", "\nann@example.com"),
    *(
        "ann@example.com\x00",
        "a\x00nn@example.com",
        "ann@exam\x00ple.com",
        "ann@example.com\t",
        "ann@example.com\u2028",
    ),
    *(
        "bcc:ann@example.com",
        "mailto:ann@example.com",
        "Ann <ann@example.com>",
        "<ann@example.com>",
        '"Ann" ann@example.com',
    ),
    *("ann@example.com,bob@example.com", "ann@example.com bob@example.com", "ann@example.com;bob@example.com"),
    *(
        '"an n"@example.com',
        "ann(x)@example.com",
        "ann@[127.0.0.1]",
        "ann@127.0.0.1",
        "ann@localhost",
        "ann@host.local",
    ),
    *("ann@example.com..", "ann..lee@example.com", ".ann@example.com", "ann.@example.com", "ann@-example.com"),
    *("ann@example..com", "ann@exam ple.com", "a nn@example.com", "ann@example.test", "ann@x.invalid", "ann@x.onion"),
    *("\ud800@example.com", "ann@\ud800.com", "añn@example.com", "аnn@example.com", "\u202eann@example.com"),
    *("a" * 65 + "@example.com", "a" * 300 + "@example.com", "ann@" + "a" * 64 + ".com", "a@" * 500_000),
    "ann@" + ".".join(["a" * 60] * 5) + ".com",
]


@pytest.mark.row("S15")
@pytest.mark.parametrize("typed", REFUSED_EMAILS)
def test_what_is_no_plain_address_is_refused(typed: str) -> None:
    assert normalise_email(typed, allow_test_domains=False) is None


def test_an_address_may_have_254_characters_and_no_more() -> None:
    domain = ".".join(["d" * 62] * 3) + ".com"
    longest = "a" * (EMAIL_LENGTH_MAX - len(domain) - 1) + "@" + domain
    assert len(longest) == 254
    assert key_of(longest) == longest
    assert key_of("a" + longest) is None


def test_a_test_domain_is_taken_only_where_that_is_allowed() -> None:
    assert normalise_email("ann@family.test", allow_test_domains=True) == ("ann@family.test", "ann@family.test")
    assert normalise_email("ann@family.test", allow_test_domains=False) is None


@given(
    st.one_of(st.text(max_size=40), st.emails(), st.builds("{}@{}".format, st.text(max_size=8), st.text(max_size=12)))
)
def test_a_key_is_printable_ascii_with_one_at_and_normalises_to_itself(text: str) -> None:
    email = normalise_email(text, allow_test_domains=True)
    if email is None:
        return
    assert email.address.isascii()
    assert email.address.isprintable()
    assert " " not in email.address
    assert email.address.count("@") == 1
    assert email.key == email.address.lower()
    assert normalise_email(email.address, allow_test_domains=True) == email
    assert normalise_email(email.key, allow_test_domains=True) == (email.key, email.key)


@pytest.mark.rule("4")
@pytest.mark.parametrize(
    "typed, e164",
    [
        ("2145550123", "+12145550123"),
        ("214-555-0123", "+12145550123"),
        ("(214) 555-0123", "+12145550123"),
        ("214.555.0123", "+12145550123"),
        ("1 214 555 0123", "+12145550123"),
        ("+1 214 555 0123", "+12145550123"),
        ("  +12145550123  ", "+12145550123"),
        ("\u202a+1 214\u00a0555\u20110123\u202c", "+12145550123"),
        ("\uff0b1 214 555 0123", "+12145550123"),
        ("011 52 55 5555 0123", "+525555550123"),
        ("+52 55 5555 0123", "+525555550123"),
        ("+44 20 7946 0958", "+442079460958"),
    ],
)
def test_a_number_is_kept_as_e164(typed: str, e164: str) -> None:
    assert phone_to_e164(typed) == e164


REFUSED_PHONES = [
    *("", " ", "+", "0", "123", "555-0123", "5550123", "12345678901234567890", "+999 123 456 789", "+1 214 555 01234"),
    *(
        "1-800-FLOWERS",
        "214-555-0123 x5",
        "214-555-0123 ext. 5",
        "214-555-0123;ext=5",
        "tel:+12145550123",
        "214-555-0123#5",
    ),
    *("214-555-0123\x00", "214\n555\n0123", "214-555-0123\ud800", "two one four", "++12145550123", "1" * 1_000_000),
    *("+1 214 555 0123, +1 214 555 0124", "214-555-012O", "(((((((((("),
]


@pytest.mark.rule("4")
@pytest.mark.parametrize("typed", REFUSED_PHONES)
def test_what_cannot_be_a_complete_number_is_refused(typed: str) -> None:
    assert phone_to_e164(typed) is None


def test_a_number_without_a_country_follows_the_given_region() -> None:
    assert phone_to_e164("55 5555 0123", region="MX") == "+525555550123"


@pytest.mark.rule("4")
@given(st.one_of(st.text(max_size=20), st.text("+0123456789 ()-.", max_size=20)))
def test_e164_is_a_plus_and_at_most_15_digits_and_stays_itself(text: str) -> None:
    e164 = phone_to_e164(text)
    if e164 is None:
        return
    assert e164[0] == "+"
    assert e164[1:].isascii()
    assert e164[1:].isdecimal()
    assert len(e164) <= 16
    assert phone_to_e164(e164) == e164
