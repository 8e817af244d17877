"""How long proofs and links hold, as shipped in `data/security.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class SecurityData:
    """The times of rules 5 and 10."""

    reauthentication: timedelta
    email_change: timedelta
    new_device: timedelta


@cache
def security_data() -> SecurityData:
    """Return the shipped data, read once."""
    data = tomllib.loads((files("api") / "data" / "security.toml").read_text("utf-8"))
    return SecurityData(
        reauthentication=timedelta(minutes=data["reauthentication_minutes"]),
        email_change=timedelta(hours=data["email_change_hours"]),
        new_device=timedelta(days=data["new_device_days"]),
    )


def proof_is_fresh(proved_at: datetime | None, now: datetime) -> bool:
    """Tell whether a password given at `proved_at` still proves who is asking; None: it never was."""
    return proved_at is not None and now - proved_at < security_data().reauthentication
