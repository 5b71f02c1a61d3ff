"""Whether an address lies in one of some networks, however it is written. Knows nothing of who comes from there."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks:
    """Some networks; perhaps none."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def holds(self, address: str) -> bool:
        """Whether the address is in one of them; what is no address is in none."""
        peer = address_of(address)
        return peer is not None and any(peer in network for network in self._networks)


def address_of(text: str) -> Address | None:
    """The address that a text stands for, without a zone, an IPv4 one as such; None when it is none."""
    try:
        peer = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        return peer.ipv4_mapped
    return peer
