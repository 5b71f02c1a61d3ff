"""Going through all values of a kind in the order of their keys, in pieces, while the store goes on changing.

For people who look or tidy up; nothing that is done for each message comes here. Knows keys and texts, not meanings.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from gatewayd.store.journal import Journal
from gatewayd.store.kinds import Key, Kind

CHUNK: Final = 200


def first_key(kind: Kind) -> Key:
    """What stands before every key of a kind."""
    return -1 if kind.integer_key else ""


def walk(journal: Journal, kind: Kind, after: Key | None = None) -> Iterator[tuple[Key, bytes | str]]:
    """Key and text of every value behind ``after``, by key: each as it is when it is given, or was a chunk ago.

    What is put meanwhile may be missed. Stop whenever you like, and let others have the loop: no statement is left
    open.
    """
    last = first_key(kind) if after is None else after
    changed = journal.changed_keys(kind, last)
    at = 0
    while True:
        rows = journal.rows_after(kind, last, CHUNK)
        is_end = len(rows) < CHUNK
        upto = len(changed) if is_end else bisect_right(changed, rows[-1][0])
        texts = dict(rows)
        keys = sorted({*texts, *changed[at:upto]})
        at = upto
        for key in keys:
            text = journal.text_of(kind, key, texts.get(key))
            if text is not None:
                yield key, text
        if is_end:
            return
        last = rows[-1][0]
