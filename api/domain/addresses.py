"""Postal addresses: what one must hold, and whether its ZIP code fits its state (rule 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.domain.faults import ErrorCode, Fault
from api.domain.plain_text import is_blank, text_faults, tidy
from api.domain.sign_up_data import sign_up_data

_UNITED_STATES = "US"


@dataclass(frozen=True, slots=True)
class Address:
    """An address as typed, or normalised: codes in capitals, `line2` None where there is none."""

    line1: str
    line2: str | None
    city: str
    state: str
    zip: str
    country: str = _UNITED_STATES


def normalise_address(address: Address) -> Address:
    """Return the address as it is stored and printed; meant for one without faults."""
    line2 = tidy(address.line2 or "")
    country = tidy(address.country).upper()
    state = tidy(address.state)
    return Address(
        line1=tidy(address.line1),
        line2=None if is_blank(line2) else line2,
        city=tidy(address.city),
        state=state.upper() if country == _UNITED_STATES else state,
        zip=tidy(address.zip).upper(),
        country=country,
    )


def zip_fits_state(zip_code: str, state: str) -> bool:
    """Tell whether post offices of `state` serve the ZIP code, by the longest prefix of it that is known."""
    fitting = {
        (len(first), served)
        for served, ranges in sign_up_data().zip_prefixes.items()
        for first, last in ranges
        if first <= zip_code[: len(first)] <= last
    }
    return bool(fitting) and (max(fitting)[0], state) in fitting


def _place_faults(codes: Mapping[str, str]) -> list[Fault]:
    """Return what is wrong with "country", "state" and "zip" together; one that is missing was refused already."""
    data = sign_up_data()
    if "country" not in codes:
        return []
    form = data.postal_codes.get(codes["country"])
    if form is None:
        return [Fault(ErrorCode.INVALID, "sign_ups.country_unknown", ("country",))]
    in_states = codes["country"] == _UNITED_STATES
    state = codes.get("state", "")
    faults = []
    if in_states and state and state not in data.states:
        faults.append(Fault(ErrorCode.INVALID, "sign_ups.state_unknown", ("state",)))
    if "zip" in codes and not form.fullmatch(codes["zip"]):
        key = "sign_ups.zip_malformed" if in_states else "sign_ups.postal_code_malformed"
        faults.append(Fault(ErrorCode.INVALID, key, ("zip",)))
    elif "zip" in codes and in_states and state in data.states and not zip_fits_state(codes["zip"], state):
        faults.append(Fault(ErrorCode.INVALID, "sign_ups.zip_not_in_state", ("zip",), {"state": state}))
    return faults


def address_faults(address: Address) -> list[Fault]:
    """Return each reason why the address cannot be taken, with paths such as ("zip",). Only `line2` may be empty."""
    lengths = sign_up_data().lengths_max
    codes = {"state": address.state, "zip": address.zip, "country": address.country}
    faults = [
        fault.under(name)
        for name, text in ({"line1": address.line1, "city": address.city} | codes).items()
        for fault in text_faults(text, lengths[name])
    ]
    if address.line2 is not None and not is_blank(address.line2):
        faults += [fault.under("line2") for fault in text_faults(address.line2, lengths["line2"])]
    refused = {fault.path[0] for fault in faults}
    return faults + _place_faults({name: tidy(text).upper() for name, text in codes.items() if name not in refused})
