"""How a link encrypts: what it trusts and shows, read anew when a person says so.

Knows neither who is spoken to nor whether anybody is. Connections that stand are not touched.
"""

from __future__ import annotations

import ssl

from gatewayd.config import schema
from gatewayd.runtime.tls import server_context


class CarrierTls:
    """The context of the link's next connection; None where it does not encrypt."""

    def __init__(self, settings: schema.Link) -> None:
        self._settings = settings
        self.context: ssl.SSLContext | None = None

    def read(self) -> None:
        """Read the files. Raises OSError or ValueError, and what was read before stays."""
        settings = self._settings
        if settings.tls:
            self.context = _listening(settings) if settings.listen else _dialling(settings)

    def server_name(self, host: str) -> str | None:
        """What the carrier's certificate must bear."""
        return (self._settings.tls_server_name or host) if self.context is not None else None


def _dialling(settings: schema.Link) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.tls_ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_certificate:
        # An empty password, so that an encrypted key is a fault instead of a question at a terminal.
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    return context


def _listening(settings: schema.Link) -> ssl.SSLContext:
    context = server_context(settings.tls_certificate, settings.tls_key, settings.tls_ca)
    if settings.tls_ca:
        context.verify_mode = ssl.CERT_REQUIRED  # a carrier is one that can show it, or none
    return context
