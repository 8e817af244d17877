"""Numbers that are mailed and typed in: made again from the secret key when they are needed, so none is kept."""

from __future__ import annotations

from typing import NamedTuple

from api.adapters.ports import Ports

DIGITS = 8
_SEPARATORS = str.maketrans("", "", " -\u00a0\u2007\u202f")


class Number(NamedTuple):
    """A number of a purpose; `parts` say whose it is, e.g. the id of the row that waits for it."""

    purpose: str
    parts: tuple[str, ...]

    def digits(self, ports: Ports) -> str:
        """Return the number, eight digits, the same at each call."""
        # 256 bits leave a remainder that prefers no number by more than one in 2 to the 229th.
        return f"{int.from_bytes(ports.secrets.digest('number', self.purpose, *self.parts)) % 10**DIGITS:0{DIGITS}d}"

    def kept(self, ports: Ports, digits: str) -> str:
        """Return what is kept of the number, or what typed digits are to be compared by: a keyed digest, since eight
        digits without a key would be found by trying them all."""
        return ports.secrets.digest("number-kept", self.purpose, *self.parts, digits).hex()


def typed_digits(text: str) -> str | None:
    """Return the digits of a number as people type or paste it, or None for what cannot be one."""
    digits = text.translate(_SEPARATORS) if len(text) <= 4 * DIGITS else ""
    return digits if len(digits) == DIGITS and digits.isascii() and digits.isdecimal() else None
