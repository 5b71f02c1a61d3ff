"""Listening addresses as people write them: ``host:port`` and ``[::1]:2775``. Opens nothing and resolves nothing."""

from __future__ import annotations

import ipaddress
import re

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


def is_host(text: str) -> bool:
    """Whether the text is an IP address or could be a host name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # "10.0.0.300" is no address, and a host name made of digits and dots alone does not exist.
        return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None and not re.fullmatch(r"[0-9.]+", text)
    return True
