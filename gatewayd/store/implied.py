"""What the journal's records say, and what they say without words.

A progress that tells a carrier's id for a segment gives the message that name, and the end of a progress is the end of
its message and of its names: three changes of each message that need no record of their own. While the process lives
they are made beside the record that implies them (``Journal.imply``); here they are found again in what was written.

A name whose message had it before the last fold, and ended after it, is not found again. It outlives its message
after a crash: until its time is over it says that a receipt is for one that has ended, which is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from gatewayd.policy.progress import Progress
from gatewayd.store.kinds import KINDS, MESSAGE, NOTE, PROGRESS, SENT, Key, Kind
from gatewayd.store.records import Sent

NAME_TTL_S: Final = 7 * 86_400.0

_BY_NAME: Final = {kind.name: kind for kind in KINDS}
_decode = msgspec.json.Decoder(list[tuple[str, Key, msgspec.Raw]]).decode
_decode_progress = msgspec.json.Decoder(Progress).decode
_encode = msgspec.json.Encoder().encode


def name_of(link: str, carrier_id: str) -> str:
    """The key of a carrier's id; the spool, which needs it three times for each message, writes it out."""
    return f"{link}|{carrier_id}"


class Changes:
    """Reads groups in their order."""

    def __init__(self) -> None:
        self._names: dict[Key, set[str]] = {}

    def of(self, at: float, records: bytes) -> Iterator[tuple[Kind, Key, bytes | None]]:
        """Kind, key and the value's text, None for one that is gone, of each change of a group.

        ``at`` is when it was committed (Unix seconds). Raises DecodeError or KeyError for what is no group.
        """
        for name, key, raw in _decode(records):
            if name == NOTE:
                continue
            kind, text = _BY_NAME[name], bytes(raw)
            value = None if text == b"null" else text
            yield kind, key, value
            if kind is PROGRESS:
                yield from self._ended(key) if value is None else self._named(key, value, at)

    def _ended(self, message_id: Key) -> Iterator[tuple[Kind, Key, bytes | None]]:
        yield MESSAGE, message_id, None
        for name in self._names.pop(message_id, ()):
            yield SENT, name, None

    def _named(self, message_id: Key, value: bytes, at: float) -> Iterator[tuple[Kind, Key, bytes | None]]:
        if b'"carrier_id":' not in value:
            return
        progress = _decode_progress(value)
        for number, segment in enumerate(progress.segments):
            name = name_of(progress.link, segment.carrier_id)
            names = self._names.setdefault(message_id, set())
            if segment.carrier_id and name not in names:
                names.add(name)
                yield SENT, name, _encode(Sent(progress.id, number, due=at + NAME_TTL_S))
