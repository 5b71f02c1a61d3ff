"""How listeners of the gateway encrypt: no TLS older than 1.2, and callers are asked for no certificate.

Knows neither what is listened for nor where certificates come from.
"""

from __future__ import annotations

import ssl


def server_context(certificate: str, key: str | None) -> ssl.SSLContext:
    """What a listener shows. ``key`` None: it is in the same file. Raises OSError when a file cannot be read."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
