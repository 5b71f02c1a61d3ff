"""Which addresses a message may name for its own news: an account's list of them, as a rule and as a judgement.

An entry is an address; any query may follow it. With a ``*`` at its end, anything may. Where it leads to, its host and
port, is always said whole. Opens nothing and resolves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from gatewayd.config.addresses import is_host

URL_SIZE_MAX: Final = 2_048
# A path that climbs would leave the folder that an entry names; programs behind it may read %2e as a dot.
_CLIMBS: Final = re.compile(r"(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|%2f|%5c|$)", re.IGNORECASE)


def is_entry(text: str) -> bool:
    """Whether the text can stand in such a list."""
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme in ("http", "https") and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        return False
    if not is_sound or parts.username is not None or not text.isascii() or not text.isprintable() or " " in text:
        return False
    # The first slash ends the host: what ends in * before it would take in strangers' hosts.
    return parts.path.startswith("/") and "*" not in text[:-1] and not parts.query and not parts.fragment


def is_allowed(url: str, entries: Iterable[str]) -> bool:
    """Whether a message may name this address."""
    if len(url) > URL_SIZE_MAX or not url.isprintable():
        return False
    if climbs(url):
        return False
    before_query = _before_query(url)
    return any(
        before_query.startswith(entry[:-1]) if entry.endswith("*") else before_query == entry for entry in entries
    )


def climbs(url: str) -> bool:
    """Whether its path has a step upwards, however that is written."""
    return _CLIMBS.search(_before_query(url)) is not None


def _before_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]
