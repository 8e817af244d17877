"""Where a bank's page may lead back to: the allowed addresses and what is below them, and nothing that looks alike."""

import pytest

from api.domain.payments import may_return_to

ALLOWED = ("https://calls.example", "https://shop.example/app", "callsapp://paid")


@pytest.mark.parametrize(
    "url",
    [
        "https://calls.example",
        "https://calls.example/",
        "https://calls.example/paid?payment=1#done",
        "https://calls.example?payment=1",
        "https://calls.example/#/paid",
        "https://shop.example/app/paid",
        "https://shop.example/app",
        "callsapp://paid",
        "callsapp://paid/now",
        "callsapp://paid?payment=1",
        "https://calls.example/a..b/.well-known/...",
    ],
)
def test_an_allowed_address_and_what_is_below_it(url: str) -> None:
    assert may_return_to(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://calls.example",
        "https://calls.example.evil.com",
        "https://calls.example.evil.com/",
        "http://allowed.evil.com",
        "https://calls.example@evil.com",
        "https://calls.example:pass@evil.com/",
        "https://calls.example:8443/",
        "https://evil.com/https://calls.example/",
        "https://evil.com/?https://calls.example",
        "https://evil.com#https://calls.example/",
        "https://calls.example#@evil.com",
        "https://user@calls.example/",
        "//calls.example/",
        "/paid",
        "https:calls.example/",
        "https:///calls.example/",
        "https:\\\\calls.example\\",
        "https://calls.example/\\evil.com",
        "https://calls.example\\.evil.com/",
        "HTTPS://calls.example/",
        "javascript:alert(1)//https://calls.example/",
        "data:text/html,https://calls.example/",
        "callsapp://paidx",
        "callsapp://other",
        "callsapp:paid",
        "notcallsapp://paid",
        "https://shop.example/",
        "https://shop.example/application",
        "https://shop.example/app/../admin",
        "https://shop.example/app/%2e%2E/admin",
        "https://shop.example/app/..",
        "https://calls.example/ x",
        "https://calls.example/\n",
        " https://calls.example/",
        "https://calls.example/\u202e",
        "https://cal\u0142s.example/",
        "https://calls.example/" + "x" * 500,
    ],
)
def test_what_only_looks_like_one_is_refused(url: str) -> None:
    assert not may_return_to(url, ALLOWED)
