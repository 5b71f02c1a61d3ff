"""Addresses: those to listen on as people write them (``host:port``, ``[::1]:2775``), and which ones are public.

Opens nothing and resolves nothing.
"""

from __future__ import annotations

import ipaddress
import re

# The platform of one cloud, behind a public address that only its own machines reach.
_INTERNAL = (ipaddress.ip_network("168.63.129.16/32"),)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?", re.ASCII)


def parse_address(text: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[ipv6]:port``; port 0 asks the kernel for a free one. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{text!r} is not host:port")
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    if not is_host(host) or ":" in host:
        raise ValueError(f"{text!r} is not host:port")
    return host, int(port)


def address_text(host: str, port: int) -> str:
    """What ``parse_address`` takes apart."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_host(text: str) -> bool:
    """Whether the text is an IP address or could be a host name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # "10.0.0.300" is no address, and a host name made of digits and dots alone does not exist.
        return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None and not re.fullmatch(r"[0-9.]+", text)
    return True


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet: not loopback, private, link-local (where clouds keep their
    metadata), shared, multicast or reserved, nor any of these wrapped in an IPv6 address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and (address in _NAT64 or address in _COMPATIBLE):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not any(address in one for one in _INTERNAL)


def is_private(host: str) -> bool:
    """Whether a host is known not to be on the public internet: of a name this is only known when it is resolved."""
    try:
        return not is_public(host)
    except ValueError:
        return host == "localhost"


def is_loopback(host: str) -> bool:
    """Whether what goes to a host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
