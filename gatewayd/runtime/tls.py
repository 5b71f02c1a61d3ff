"""How listeners of the gateway encrypt: no TLS older than 1.2, and certificates that are read again when they change.

Knows neither what is listened for nor who may come: it can tell the names in a caller's certificate, no more.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gatewayd.runtime.certificates import has_ended

logger = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""How often files are looked at; one that changed is read once it has stayed the same for as long."""

Version = tuple[tuple[int, int, int], ...]


def server_context(certificate: str, key: str | None, client_ca: str = "") -> ssl.SSLContext:
    """What a listener shows. ``key`` None: it is in the same file. Raises OSError when a file cannot be read.

    With ``client_ca``, callers are asked for a certificate, and one that none of these authorities has signed ends the
    handshake; whoever has none may go on without.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An empty password, so that an encrypted key is a fault instead of a question at a terminal.
    context.load_cert_chain(certificate, key, password="")
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.num_tickets = 0  # each bind is to prove itself anew
    return context


class LiveTls:
    """One listener's TLS. ``context`` is given to the listener once; each new handshake shows what was read last."""

    def __init__(self, certificate: str, key: str, client_ca: str = "") -> None:
        """``key`` empty: it is in the certificate's file. Raises OSError."""
        self._asked = certificate, key or None, client_ca
        self._files = tuple(filter(None, self._asked))
        self._seen = self._tried = _version(self._files)
        self._current = self.context = server_context(*self._asked)
        # Called for every handshake, whether or not the caller names a server; connections that stand are not touched.
        self.context.sni_callback = self._turn
        self.fault = ""
        """Why the files as they are now cannot be used; what was read before is shown meanwhile."""

    def look(self, *, at_once: bool = True) -> bool:
        """Read the files if they have changed; whether there is something new to say: a fault, or that it is mended.

        A certificate that has ended is taken at a start alone, where there is no other to go on with.

        ``at_once`` False waits until they have stayed the same from one look to the next: a certificate and its key
        are seldom written in one moment.
        """
        version = _version(self._files)
        is_steady = version == self._seen
        self._seen = version
        if version == self._tried or not (at_once or is_steady):
            return False
        self._tried = version
        try:
            context = server_context(*self._asked)
            if has_ended(self._asked[0], time.time()):  # mostly the old file, put back by mistake
                raise ValueError("the certificate has ended")
            self._current, self.fault = context, ""
        except (OSError, ValueError) as error:
            self.fault = f"{', '.join(self._files)}: {_reason(error)}"
        return True

    def _turn(self, stream: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if self._current is not context:
            stream.context = self._current


class TlsWatch:
    """Looks at the files of all listeners that encrypt, by the table of each."""

    def __init__(self, listeners: Mapping[str, LiveTls], on_fault: Callable[[str], None] = lambda table: None) -> None:
        self.listeners = listeners
        self._on_fault = on_fault
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look every few seconds from now on."""
        if self.listeners:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self.look(at_once=False)
        self.start()

    def look(self, *, at_once: bool = True) -> list[str]:
        """Read what has changed; returns what cannot be used, a sentence each."""
        for table, live in self.listeners.items():
            if not live.look(at_once=at_once):
                continue
            if live.fault:
                self._on_fault(table)
                logger.error(
                    "= %s: the new certificate is not taken, the old one is still shown: %s", table, live.fault
                )
            else:
                logger.info("= %s: new connections get the certificate as it is now", table)
        return [f"{table}: the new certificate is not taken: {live.fault}" for table, live in self._refused()]

    def readings(self) -> Iterator[tuple[tuple[str], float]]:
        """By the certificate's key: 1 while the files cannot be used as they are, else 0."""
        for table, live in self.listeners.items():
            yield (f"{table}.tls_certificate",), float(bool(live.fault))

    def _refused(self) -> Iterator[tuple[str, LiveTls]]:
        return ((table, live) for table, live in self.listeners.items() if live.fault)


def names_of(stream: Any) -> frozenset[str]:
    """By what names a caller's certificate may be known; none when it showed none.

    They are the subject's common name, the alternative names (DNS, address, URI, email) and ``sha256:`` with the
    certificate's fingerprint in small hexadecimal digits.
    """
    octets = stream.getpeercert(binary_form=True) if stream is not None else None
    if not octets:
        return frozenset()
    shown = stream.getpeercert()
    names = {str(value) for _, value in shown.get("subjectAltName", ())}
    names |= {str(value) for part in shown.get("subject", ()) for key, value in part if key == "commonName"}
    return frozenset(names | {f"sha256:{hashlib.sha256(octets).hexdigest()}"})


def _version(files: Sequence[str]) -> Version:
    """What tells whether files have changed; one that is not there counts as zeros."""
    found = []
    for file in files:
        try:
            facts = Path(file).stat()
            found.append((facts.st_mtime_ns, facts.st_size, facts.st_ino))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        words = (error.reason or str(error) or "unreadable").lower().replace("_", " ")
        return f"they hold no certificate with its unencrypted key in PEM that belong together ({words})"
    return getattr(error, "strerror", None) or str(error)
