"""What can be opened and what bounds it, as data. Read once from `data/service_accounts.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from api.domain.service_accounts import Product


@dataclass(frozen=True, slots=True)
class ServiceAccountData:
    """`credit_limit` is Direct Bill's, in cents."""

    offered: frozenset[Product]
    credit_limit: int
    phones_max: int
    label_length_max: int


@cache
def service_account_data() -> ServiceAccountData:
    """Return the bounds that ship."""
    data = tomllib.loads((files("api") / "data" / "service_accounts.toml").read_text("utf-8"))
    return ServiceAccountData(
        frozenset(Product(code) for code in data["offered"]),
        data["direct_bill"]["credit_limit"],
        data["phones"]["count_max"],
        data["phones"]["label_length_max"],
    )
