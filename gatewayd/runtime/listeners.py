"""The sockets that the daemon listens on: taken from systemd where it passes them, otherwise opened here.

Accepts nothing: workers share the descriptors, and deal out among themselves what connects (``dealing``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator, MutableMapping
from typing import Final

from gatewayd.config import schema
from gatewayd.config.addresses import address_text, parse_address

logger = logging.getLogger(__name__)

KINDS: Final = ("smpp", "smpp_tls", "metrics", "webhooks", "http", "http_tls")
# What waits while no worker accepts, as during a restart; the kernel cuts it to net.core.somaxconn.
BACKLOG: Final = 4_096

_FIRST_PASSED = 3  # SD_LISTEN_FDS_START
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")

Sockets = dict[str, list[socket.socket]]


class ListenFault(Exception):
    """A socket cannot be had, in a sentence for people."""


def open_all(config: schema.Config, environment: MutableMapping[str, str] = os.environ) -> Sockets:
    """Every listening socket by its kind; systemd's take the place of the configured ones. Raises ListenFault."""
    sockets: Sockets = {kind: [] for kind in KINDS}
    with contextlib.ExitStack() as undo:
        undo.callback(close_all, sockets)
        for kind, passed in _take_passed(environment):
            sockets[kind].append(passed)
        _check_passed(sockets, config)
        for kind, addresses in configured(config).items():
            if not sockets[kind]:
                for address in addresses:
                    _open(address, kind, sockets[kind])
        undo.pop_all()
    return sockets


def close_all(sockets: Sockets) -> None:
    """Close this process's copies: others that hold one go on listening."""
    for several in sockets.values():
        for one in several:
            one.close()
        several.clear()


def configured(config: schema.Config) -> dict[str, tuple[str, ...]]:
    """The addresses of each kind, as the configuration writes them."""
    return {
        "smpp": config.smpp.listen,
        "smpp_tls": config.smpp.tls_listen,
        "metrics": (config.metrics.listen,) if config.metrics.listen else (),
        "webhooks": (config.webhooks.listen,) if config.webhooks.listen else (),
        "http": config.http.listen,
        "http_tls": config.http.tls_listen,
    }


def address_of(listener: socket.socket) -> str:
    """Where it listens, as the configuration would write it."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return str(name)
    host, port = name[:2]
    return address_text(host, port)


def _take_passed(environment: MutableMapping[str, str]) -> Iterator[tuple[str, socket.socket]]:
    """What systemd passed to this very process (sd_listen_fds(3)). The variables are taken out for our children."""
    pid, count, names = (environment.pop(variable, "") for variable in _VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return
    known = {kind.replace("_", "-"): kind for kind in KINDS}
    for index, name in enumerate((names.split(":") + [""] * int(count))[: int(count)]):
        if name not in known:
            wanted = ", ".join(known)
            raise ListenFault(f"systemd passed a socket named {name!r}; FileDescriptorName= must be one of {wanted}")
        passed = socket.socket(fileno=_FIRST_PASSED + index)
        passed.setblocking(False)
        passed.set_inheritable(False)
        yield known[name], passed


def _check_passed(sockets: Sockets, config: schema.Config) -> None:
    addresses = configured(config)
    for kind, several in sockets.items():
        for passed in several:
            accepts = passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if passed.type != socket.SOCK_STREAM or not accepts:
                raise ListenFault(f"the socket that systemd passed for {kind} does not listen; use ListenStream=")
        told, wanted = [address_of(passed) for passed in several], list(addresses[kind])
        if told and sorted(told) != sorted(wanted):
            logger.warning("%s listens on %s, as systemd says; the configuration says %s", kind, told, wanted)
    if sockets["smpp_tls"] and not config.smpp.tls_certificate:
        raise ListenFault("systemd passed a socket for smpp-tls, but smpp.tls_certificate is not configured")
    if sockets["http_tls"] and not config.http.tls_certificate:
        raise ListenFault("systemd passed a socket for http-tls, but http.tls_certificate is not configured")


def _open(address: str, kind: str, into: list[socket.socket]) -> None:
    """Listen on every address that the host's name stands for."""
    host, port = parse_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, where in dict.fromkeys(found):
            into.append(_listen(family, where))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
        raise ListenFault(f"cannot listen on {address} for {kind}: {reason}") from error


def _listen(family: int, where: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Otherwise [::] would take the IPv4 address of the same port too.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
