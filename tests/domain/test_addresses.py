"""An address fits together (rule 4)."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.addresses import Address, address_faults, normalise_address, zip_fits_state
from api.domain.faults import ErrorCode
from api.domain.sign_up_data import sign_up_data
from api.domain.texts import LOCALES, render

GOOD = Address("500 Commerce Street", None, "Dallas", "TX", "75202")

# A ZIP code of each state's capital, and of one place in each territory and each Armed Forces area.
ZIP_OF_STATE = (
    {"AA": "34001", "AE": "09012", "AK": "99801", "AL": "36104", "AP": "96201", "AR": "72201"}
    | {"AS": "96799", "AZ": "85001", "CA": "95814", "CO": "80202", "CT": "06103", "DC": "20001"}
    | {"DE": "19901", "FL": "32301", "GA": "30303", "GU": "96910", "HI": "96813", "IA": "50309"}
    | {"ID": "83702", "IL": "62701", "IN": "46225", "KS": "66603", "KY": "40601", "LA": "70802"}
    | {"MA": "02201", "MD": "21401", "ME": "04330", "MI": "48933", "MN": "55102", "MO": "65101"}
    | {"MP": "96950", "MS": "39205", "MT": "59601", "NC": "27601", "ND": "58501", "NE": "68508"}
    | {"NH": "03301", "NJ": "08608", "NM": "87501", "NV": "89701", "NY": "12207", "OH": "43215"}
    | {"OK": "73102", "OR": "97301", "PA": "17101", "PR": "00901", "RI": "02903", "SC": "29201"}
    | {"SD": "57501", "TN": "37219", "TX": "78701", "UT": "84111", "VA": "23219", "VI": "00802"}
    | {"VT": "05602", "WA": "98501", "WI": "53703", "WV": "25301", "WY": "82001"}
)
# Places whose ZIP code lies outside the block that the rest of their state has, or shares one with a neighbour.
UNUSUAL_ZIPS = [
    tuple(pair.split())
    for pair in (
        "00501 NY",
        "06390 NY",
        "20101 VA",
        "20588 MD",
        "20598 VA",
        "05501 MA",
        "73301 TX",
        "88510 TX",
        "73960 TX",
        "83414 WY",
        "39901 GA",
        "00601 PR",
        "09901 AE",
        "99950 AK",
        "96898 HI",
        "00851 VI",
        "93801 CA",
        "86556 AZ",
        "88439 NM",
        "34997 FL",
    )
]


def told(address: Address) -> list[tuple[ErrorCode, str, str]]:
    faults = address_faults(address)
    assert all(render(locale, fault.key, fault.params) for fault in faults for locale in LOCALES)
    return [(fault.code, fault.key, ".".join(fault.path)) for fault in faults]


@pytest.mark.rule("4")
def test_the_states_are_those_that_go_on_an_envelope() -> None:
    assert sign_up_data().states == tuple(ZIP_OF_STATE)
    assert len(sign_up_data().states) == 50 + 1 + 5 + 3


@pytest.mark.rule("4")
@pytest.mark.parametrize("state", ZIP_OF_STATE)
def test_a_zip_code_fits_its_own_state_and_no_other(state: str) -> None:
    assert [other for other in ZIP_OF_STATE if zip_fits_state(ZIP_OF_STATE[state], other)] == [state]


@pytest.mark.rule("4")
@pytest.mark.parametrize("zip_code, state", UNUSUAL_ZIPS)
def test_a_zip_code_outside_the_usual_block_fits_its_state(zip_code: str, state: str) -> None:
    assert told(replace(GOOD, zip=zip_code, state=state)) == []


@pytest.mark.rule("4")
def test_no_prefix_of_three_digits_belongs_to_two_states() -> None:
    blocks = {
        state: {number for first, last in ranges if len(first) == 3 for number in range(int(first), int(last) + 1)}
        for state, ranges in sign_up_data().zip_prefixes.items()
    }
    assert [(one, other) for one, other in combinations(blocks, 2) if blocks[one] & blocks[other]] == []


def test_each_range_of_prefixes_is_in_order_and_of_one_length() -> None:
    for ranges in sign_up_data().zip_prefixes.values():
        assert ranges
        for first, last in ranges:
            assert first.isdecimal()
            assert last.isdecimal()
            assert len(first) == len(last)
            assert first <= last


@pytest.mark.rule("4")
@pytest.mark.parametrize("zip_code", ["75202", " 75202 ", "75202-0001"])
@pytest.mark.parametrize("state", ["TX", "tx", " Tx "])
@pytest.mark.parametrize("country", ["US", "us", " Us"])
def test_codes_may_be_typed_in_any_case_with_spaces_around(zip_code: str, state: str, country: str) -> None:
    address = replace(GOOD, zip=zip_code, state=state, country=country)
    assert told(address) == []
    stored = normalise_address(address)
    assert (stored.zip, stored.state, stored.country) == (zip_code.strip(), "TX", "US")


@pytest.mark.rule("4")
@pytest.mark.parametrize(
    "zip_code",
    [
        "7520",
        "752020",
        "75202-",
        "75202-1",
        "75202-00001",
        "752020001",
        "75202 0001",
        "7520a",
        "٧٥٢٠٢",
        "-75202",
        "75 202",
    ],
)
def test_a_zip_code_has_five_or_nine_digits(zip_code: str) -> None:
    assert told(replace(GOOD, zip=zip_code)) == [(ErrorCode.INVALID, "sign_ups.zip_malformed", "zip")]


@pytest.mark.rule("4")
@pytest.mark.parametrize(
    "zip_code, state", [("75202", "NM"), ("10001", "NJ"), ("96799", "HI"), ("00000", "TX"), ("99999", "CA")]
)
def test_a_zip_code_of_another_state_is_refused(zip_code: str, state: str) -> None:
    assert told(replace(GOOD, zip=zip_code, state=state)) == [(ErrorCode.INVALID, "sign_ups.zip_not_in_state", "zip")]


@pytest.mark.rule("4")
@pytest.mark.parametrize("state", ["XX", "Texas", "T", "FM", "ON", "T X", "TX1"])
def test_a_state_that_is_none_is_refused_and_the_zip_left_alone(state: str) -> None:
    assert told(replace(GOOD, state=state)) == [(ErrorCode.INVALID, "sign_ups.state_unknown", "state")]


@pytest.mark.rule("4")
@pytest.mark.parametrize("country", ["USA", "XX", "PR", "GB", "United States", "U"])
def test_a_country_that_is_not_served_is_refused_and_the_rest_left_alone(country: str) -> None:
    assert told(replace(GOOD, country=country, state="Anything", zip="1")) == [
        (ErrorCode.INVALID, "sign_ups.country_unknown", "country")
    ]


@pytest.mark.rule("4")
@pytest.mark.parametrize(
    "country, zip_code, key",
    [
        ("CA", "K1A 0B1", None),
        ("CA", "k1a0b1", None),
        ("CA", "75202", "sign_ups.postal_code_malformed"),
        ("CA", "D1A 0B1", "sign_ups.postal_code_malformed"),
        ("MX", "06000", None),
        ("MX", "6000", "sign_ups.postal_code_malformed"),
        ("MX", "06000-1234", "sign_ups.postal_code_malformed"),
    ],
)
def test_abroad_the_state_is_any_text_and_the_code_has_the_countrys_form(
    country: str, zip_code: str, key: str | None
) -> None:
    address = Address("1 Main Street", None, "Somewhere", "Any Province", zip_code, country)
    assert told(address) == ([(ErrorCode.INVALID, key, "zip")] if key else [])
    assert normalise_address(address).state == "Any Province"


@pytest.mark.rule("4")
@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0", "\u200b", "\u3164", "\u202e"])
@pytest.mark.parametrize("name", ["line1", "city", "state", "zip", "country"])
def test_only_line_two_may_be_left_out(name: str, blank: str) -> None:
    assert told(replace(GOOD, **{name: blank})) == [(ErrorCode.REQUIRED, "errors.required", name)]
    assert told(replace(GOOD, line2=blank)) == []
    assert normalise_address(replace(GOOD, line2=blank)).line2 is None


@pytest.mark.rule("4")
@pytest.mark.parametrize("name", ["line1", "line2", "city", "state", "zip", "country"])
@pytest.mark.parametrize("factor", [1, 100_000])
def test_a_field_that_is_too_long_is_refused(name: str, factor: int) -> None:
    length_max = sign_up_data().lengths_max[name]
    assert told(replace(GOOD, **{name: "x" * (length_max + 1) * factor})) == [
        (ErrorCode.TOO_LONG, "errors.too_long", name)
    ]


@pytest.mark.parametrize("name", ["line1", "line2", "city"])
def test_a_field_may_be_as_long_as_its_limit(name: str) -> None:
    assert told(replace(GOOD, **{name: "x" * sign_up_data().lengths_max[name]})) == []


@pytest.mark.rule("4")
@pytest.mark.parametrize(
    "bad", ["\x00", "\n", "\r\n", "\x1b", "\ud800", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff"]
)
@pytest.mark.parametrize("name", ["line1", "line2", "city", "state", "zip", "country"])
def test_a_field_holds_nothing_that_is_not_shown(name: str, bad: str) -> None:
    assert told(replace(GOOD, **{name: f"7{bad}5"})) == [(ErrorCode.INVALID, "errors.unprintable", name)]


@pytest.mark.rule("4")
def test_all_that_is_wrong_is_told_at_once() -> None:
    found = told(Address("", "x" * 101, "Dal\x00las", "XX", "1"))
    assert found == [
        (ErrorCode.REQUIRED, "errors.required", "line1"),
        (ErrorCode.INVALID, "errors.unprintable", "city"),
        (ErrorCode.TOO_LONG, "errors.too_long", "line2"),
        (ErrorCode.INVALID, "sign_ups.state_unknown", "state"),
        (ErrorCode.INVALID, "sign_ups.zip_malformed", "zip"),
    ]


def test_an_address_is_stored_tidy() -> None:
    typed = Address("  500  Commerce Street ", " Apt  4 ", "San Jose\u0301", "ca", "95112", "us")
    assert normalise_address(typed) == Address("500 Commerce Street", "Apt 4", "San José", "CA", "95112", "US")


@given(
    st.builds(
        Address,
        *[st.text(max_size=12)] * 2,
        st.text(max_size=12),
        st.sampled_from(["TX", "tx", "XX"]),
        st.text("0123456789- ", max_size=11),
    )
)
def test_normalising_an_address_changes_no_verdict_and_nothing_the_second_time(address: Address) -> None:
    stored = normalise_address(address)
    assert normalise_address(stored) == stored
    if not address_faults(address):
        assert address_faults(stored) == []
