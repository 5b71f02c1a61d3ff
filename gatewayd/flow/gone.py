"""Long messages that went as one text, for a while: what stays incomplete may be a part of one that came again.

Its application heard no answer in time and sent it anew, when all was on its way or over. Sent to the handset alone it
would be a fragment of what was read already. All parts again are another message: people say a thing twice. Knows no
link; what is remembered is lost in a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gatewayd.flow.gathering import LongMessage, long_message_of
from gatewayd.policy.progress import End
from gatewayd.store.spool import Journey

KEPT_S: Final = 600.0
KEPT_MAX: Final = 10_000


class Gone(msgspec.Struct, gc=False):
    """One of them: the message that stands for it, what each part said, and how it ended once it has."""

    head: int
    until: float
    said: dict[int, int]
    end: End | None = None


class GoneMessages:
    """Those of one worker."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._by_key: dict[LongMessage, Gone] = {}
        self._by_head: dict[int, Gone] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, parts: Sequence[Journey]) -> None:
        """All parts are there, in their order; the first stands for all."""
        now, key = self._now(), long_message_of(parts[0].message)
        self._forget(key)
        while self._by_key:
            oldest = next(iter(self._by_key))
            if self._by_key[oldest].until > now and len(self._by_key) < KEPT_MAX:
                break
            self._forget(oldest)
        gone = Gone(parts[0].progress.id, now + KEPT_S, {_place(part): _content(part) for part in parts})
        self._by_key[key] = self._by_head[gone.head] = gone

    def ended(self, head: int, end: End) -> None:
        """A message that stood for parts has its end."""
        gone = self._by_head.get(head)
        if gone is not None:
            gone.end = end

    def repeated_by(self, parts: Sequence[Journey]) -> Gone | None:
        """The message of which all of these parts came before, octet for octet."""
        gone = self._by_key.get(long_message_of(parts[0].message))
        if gone is None or gone.until <= self._now():
            return None
        return gone if all(gone.said.get(_place(part)) == _content(part) for part in parts) else None

    def _forget(self, key: LongMessage) -> None:
        gone = self._by_key.pop(key, None)
        if gone is not None:
            del self._by_head[gone.head]


def _place(part: Journey) -> int:
    assert part.message.concat is not None  # only parts are given here
    return part.message.concat[2]


def _content(part: Journey) -> int:
    message = part.message
    return hash((message.payload, message.udh, message.encoding.value))
