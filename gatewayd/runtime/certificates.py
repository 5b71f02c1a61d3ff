"""When certificates end: read from their files, and again only when a file has changed.

Knows neither who uses a file nor what follows from an end.
"""

from __future__ import annotations

from pathlib import Path


class Certificates:
    """The ends of the certificates in some files."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, bool], tuple[tuple[int, int], float | None]] = {}

    def end_of(self, path: Path, *, is_bundle: bool = False) -> float | None:
        """The Unix time at which the first certificate of a file ends, or of a bundle the last one.

        A chain is as good as its weakest part; a bundle of authorities always holds some that are past. None when the
        file cannot be read.
        """
        try:
            status = path.stat()
            version = (status.st_mtime_ns, status.st_size)
            known = self._known.get((path, is_bundle))
            if known is None or known[0] != version:
                known = self._known[path, is_bundle] = version, _end(path.read_bytes(), is_bundle)
        except OSError:
            return None
        return known[1]


def has_ended(path: str, now: float) -> bool:
    """Whether the certificate that a listener shows, the first of its file, is over. Raises OSError or ValueError.

    What stands behind it is not asked: chains often bear an authority that ended years ago, and that nobody needs.
    """
    from cryptography import x509

    return x509.load_pem_x509_certificate(Path(path).read_bytes()).not_valid_after_utc.timestamp() < now


def _end(pem: bytes, is_bundle: bool) -> float | None:
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return None
    ends = [certificate.not_valid_after_utc.timestamp() for certificate in found]
    return max(ends) if is_bundle else min(ends)
