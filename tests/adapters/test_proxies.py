"""Whose request it is behind proxies (rule 10): changing a header must not start the counters anew."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from api.routes.proxies import client_address
from api.settings import SettingsError, load_settings

PROXIES = [ip_network(network) for network in ("10.0.0.0/8", "192.0.2.1", "2001:db8:1::/48")]


@pytest.mark.row("L7")
@pytest.mark.rule("10")
@pytest.mark.parametrize("peer", ["198.51.100.7", "2001:db8:2::1", "11.0.0.1", "", "testclient", "/tmp/socket"])
@pytest.mark.parametrize("claimed", [[], ["1.2.3.4"], ["1.2.3.4, 10.0.0.1"], ["10.0.0.1", "unknown"]])
def test_from_a_peer_that_is_no_proxy_of_ours_headers_do_not_count(peer: str, claimed: list[str]) -> None:
    assert client_address(peer, claimed, PROXIES) == peer


@pytest.mark.rule("10")
@pytest.mark.parametrize("claimed", [["1.2.3.4"], []])
def test_without_named_proxies_no_header_counts(claimed: list[str]) -> None:
    assert client_address("127.0.0.1", claimed, ()) == "127.0.0.1"


@pytest.mark.row("L7")
@pytest.mark.rule("10")
@pytest.mark.parametrize(
    "headers, client",
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4, 198.51.100.7, 192.0.2.1, 10.9.9.9"], "198.51.100.7"),
        (["198.51.100.7:54321"], "198.51.100.7"),
        (["2001:db8:2::5"], "2001:db8:2::5"),
        (["[2001:db8:2::5]:443, 2001:db8:1::9"], "2001:db8:2::5"),
        (["::ffff:198.51.100.7, ::ffff:10.0.0.2"], "198.51.100.7"),
        (["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        (["198.51.100.7, unknown, 10.0.0.3"], "10.0.0.3"),
        (["unknown"], "10.0.0.1"),
        (["198.51.100.7,"], "10.0.0.1"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_behind_our_proxies_the_right_most_stranger_is_the_client(headers: list[str], client: str) -> None:
    assert client_address("10.0.0.1", headers, PROXIES) == client


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy.example", "10.0.0.0/99", "*"])
def test_a_wrong_list_of_proxies_stops_the_start_and_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        load_settings(trusted_proxies=text, sandbox="on", secret_key="k" * 32)


def test_proxies_are_read_from_the_settings() -> None:
    settings = load_settings(trusted_proxies="10.0.0.0/8,192.0.2.1", sandbox="on", secret_key="k" * 32)
    assert [str(proxy) for proxy in settings.proxies] == ["10.0.0.0/8", "192.0.2.1/32"]
