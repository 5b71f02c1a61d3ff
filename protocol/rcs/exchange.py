"""One HTTP request as data, for any platform. Knows no socket, no token and no server's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode

import msgspec

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
JSON_HEADERS: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})


class Request(msgspec.Struct, frozen=True):
    """What to ask. ``path`` is percent-encoded and stands below the server root; for a token it is a whole URL.

    ``query`` holds plain pairs, ``answer_size_max`` counts the octets of the answer's body that are worth reading.
    ``headers`` has no Authorization unless the request brings its own credentials.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""
    answer_size_max: int = 65_536

    def target(self, root: str) -> str:
        """The whole URL, percent-encoded; ``root`` is used for a path that is not a URL itself."""
        url = self.path if "://" in self.path else root.rstrip("/") + self.path
        if not self.query:
            return url
        return url + ("&" if "?" in url else "?") + urlencode(self.query)
