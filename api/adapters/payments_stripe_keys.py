"""Stripe's keys, as PAYMENTS_URL carries them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit


class Keys(NamedTuple):
    """What opens Stripe: by the first it is asked, by the second it signs, with the third its form is opened."""

    secret: str
    webhook_secret: str
    publishable: str


def keys_of(url: str) -> Keys:
    """Return the keys of `stripe://SECRET_KEY?webhook_secret=…&publishable_key=…`.

    Raises ValueError with one line, which repeats none of it.
    """
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query, strict_parsing=True)
    except ValueError:
        raise ValueError("PAYMENTS_URL must be stripe://SECRET_KEY?webhook_secret=…&publishable_key=…") from None
    secret_key = parts.netloc
    if not secret_key.startswith(("sk_", "rk_")) or parts.path.strip("/"):
        raise ValueError("PAYMENTS_URL must name Stripe's secret key, sk_… or rk_…, behind stripe://")
    named = {name: values[0] for name, values in asked.items() if len(values) == 1}
    if not named.get("webhook_secret", "").startswith("whsec_"):
        raise ValueError("PAYMENTS_URL must hold webhook_secret=whsec_…, by which Stripe signs its calls")
    if not named.get("publishable_key", "").startswith("pk_"):
        raise ValueError("PAYMENTS_URL must hold publishable_key=pk_…, for Stripe's form in the front end")
    if set(asked) != {"webhook_secret", "publishable_key"}:
        raise ValueError("PAYMENTS_URL may hold webhook_secret and publishable_key once each, and nothing else")
    return Keys(secret_key, named["webhook_secret"], named["publishable_key"])
