"""Who is asking when proxies stand between: their headers count only from proxies that the deployment names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str, forwarded_for: Iterable[str], proxies: Sequence[Network]) -> str:
    """Return the address of the client that a request counts for.

    `peer` is who opened the connection, `forwarded_for` each `X-Forwarded-For` header in order. From a peer that is no
    proxy of ours the headers are a claim that anybody can make, and are not looked at. Otherwise each proxy has
    appended whom it heard from: the right-most address that is not a proxy of ours is the client, and what stands to
    its left is again a claim. Where an entry cannot be read, the one who appended it counts as the client.
    """
    if not _is_trusted(_address(peer), proxies):
        return peer
    nearest = peer
    for entry in reversed([part for header in forwarded_for for part in header.split(",")]):
        address = _address(_without_port(entry.strip()))
        if address is None:
            return nearest
        nearest = str(address)
        if not _is_trusted(address, proxies):
            return nearest
    return nearest


def _is_trusted(address: Address | None, proxies: Sequence[Network]) -> bool:
    return address is not None and any(address.version == proxy.version and address in proxy for proxy in proxies)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket that listens on both kinds reports IPv4 in this form.
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
