"""PAYMENTS_URL as it names Stripe: whole or refused, and never repeated."""

import pytest

from api.adapters.payments import open_processor
from api.adapters.payments_stripe_keys import Keys, keys_of

WHOLE = "stripe://sk_test_hidden?webhook_secret=whsec_hidden&publishable_key=pk_test_shown"


def test_it_holds_the_three_keys() -> None:
    assert keys_of(WHOLE) == Keys("sk_test_hidden", "whsec_hidden", "pk_test_shown")


@pytest.mark.parametrize(
    "url",
    [
        "stripe://",
        "stripe://hidden",
        "stripe://pk_test_hidden?webhook_secret=whsec_hidden&publishable_key=pk_test_shown",
        "stripe://sk_test_hidden",
        "stripe://sk_test_hidden?webhook_secret=whsec_hidden",
        "stripe://sk_test_hidden?webhook_secret=hidden&publishable_key=pk_test_shown",
        "stripe://sk_test_hidden?webhook_secret=whsec_hidden&publishable_key=sk_test_hidden",
        "stripe://sk_test_hidden?publishable_key=pk_test_shown",
        "stripe://sk_test_hidden/path?webhook_secret=whsec_hidden&publishable_key=pk_test_shown",
        WHOLE + "&webhook_secret=whsec_hidden",
        WHOLE + "&other=hidden",
        "stripe://[sk_test_hidden?webhook_secret=whsec_hidden",
        "stripe:sk_test_hidden",
        "Stripe://sk_test_hidden",
    ],
)
def test_anything_else_is_refused_in_one_line_that_repeats_none_of_it(url: str, tmp_path: object) -> None:
    with pytest.raises(ValueError, match=r"^PAYMENTS_URL m[a-z]+ [^\n]+$") as refused:
        open_processor(url, data_dir=tmp_path, public_url="https://calls.example")  # type: ignore[arg-type]
    assert "hidden" not in str(refused.value)
