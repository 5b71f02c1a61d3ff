"""What the journal's records say, and what they say without words.

A progress that tells a carrier's id for a segment gives the message that name, and the end of a progress is the end of
its message and of its names: three changes of each message that need no record of their own. While the process lives
they are made beside the record that implies them (``Journal.imply``); here they are found again in what was written.

A crash in the middle of a fold may leave a name in its table that its message's end should have taken along: until its
time is over it says that a receipt is for a message that has ended, which is true.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

import msgspec

from gatewayd.policy.progress import Progress
from gatewayd.store.kinds import KINDS, MESSAGE, NOTE, PROGRESS, SENT, Key, Kind
from gatewayd.store.records import Sent

NAME_TTL_S: Final = 7 * 86_400.0

_ENDED: Final = b'"stage":"ended"'
_BY_NAME: Final = {kind.name: kind for kind in KINDS}
_decode = msgspec.json.Decoder(list[tuple[str, Key, msgspec.Raw]]).decode
_decode_progress = msgspec.json.Decoder(Progress).decode
_encode = msgspec.json.Encoder().encode


def name_of(link: str, carrier_id: str) -> str:
    """The key of a carrier's id; the spool, which needs it three times for each message, writes it out."""
    return f"{link}|{carrier_id}"


class Changes:
    """Reads groups in their order."""

    def __init__(self, cold: Callable[[Key], str | None]) -> None:
        """``cold`` gives the text of a progress as the tables have it."""
        self._cold = cold
        self._names: dict[Key, Collection[str]] = {}  # of each message of these groups, as it was told last
        self._owners: dict[str, Key] = {}  # who was given a name last: carriers use them again

    def of(self, at: float, records: bytes) -> Iterator[tuple[Kind, Key, bytes | None]]:
        """Kind, key and the value's text, None for one that is gone, of each change of a group.

        ``at`` is when it was committed (Unix seconds). Raises DecodeError or KeyError for what is no group.
        """
        for name, key, raw in _decode(records):
            if name == NOTE:
                continue
            kind, text = _BY_NAME[name], bytes(raw)
            value = None if text == b"null" else text
            if kind is PROGRESS:
                yield from self._of_progress(key, value, at)
                continue
            if kind is MESSAGE and value is not None:
                self._names.setdefault(key, ())  # it is new, or was not sent yet
            yield kind, key, value

    def _of_progress(self, key: Key, value: bytes | None, at: float) -> Iterator[tuple[Kind, Key, bytes | None]]:
        before = self._names.pop(key, None)
        if before is None:
            before = _names_in((self._cold(key) or "").encode())
        yield PROGRESS, key, value
        if value is None:
            yield MESSAGE, key, None
        named = _names_in(value or b"")
        if value is None or _ENDED in value:  # a part that waits for the others to be told has no names any more
            for name in {*before, *named}:
                if self._owners.get(name, key) == key:
                    yield SENT, name, None
            named = {}
        for name, number in named.items():
            if name not in before:
                self._owners[name] = key
                yield SENT, name, _encode(Sent(int(key), number, due=at + NAME_TTL_S))
        if value is not None:
            self._names[key] = named


def _names_in(text: bytes) -> dict[str, int]:
    """The names that a progress tells, and of which segment each is."""
    if b'"carrier_id":' not in text:
        return {}
    progress = _decode_progress(text)
    names = (name_of(progress.link, segment.carrier_id) if segment.carrier_id else "" for segment in progress.segments)
    return {name: number for number, name in enumerate(names) if name}
