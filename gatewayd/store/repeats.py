"""Submits that bear a key of their sender's: the same one that comes again is known, and taken once.

A key is an account's and a handset's, so it is kept at the handset's home and found there however many workers there
are. It is written in the commit of the message it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from gatewayd.message import TAG_IDEMPOTENCY, Message
from gatewayd.policy.numbering import handset_of
from gatewayd.store.journal import Journal
from gatewayd.store.kinds import TAKEN
from gatewayd.store.records import Taken

KEEP_S = 86_400.0
_DIGEST_SIZE = 16


class Known(NamedTuple):
    """What a key named before: the message's id, and whether what comes now says the same."""

    message_id: int
    is_same: bool


class Repeats:
    """The keys of this home. ``keep_s`` is for how long one is known."""

    def __init__(self, journal: Journal, clock: Callable[[], float], keep_s: float = KEEP_S) -> None:
        self._journal = journal
        self._clock = clock
        self.keep_s = keep_s

    def find(self, key: str, message: Message) -> Known | None:
        """What was taken under a key (of ``key_of``), perhaps a moment ago and not durable yet."""
        taken: Taken | None = self._journal.get(TAKEN, key)
        if taken is None or taken.due <= self._clock():
            return None
        return Known(taken.message_id, taken.fingerprint == fingerprint_of(message))

    def remember(self, key: str, message: Message) -> None:
        """This message is about to be taken under a key."""
        due = self._clock() + self.keep_s
        self._journal.put(TAKEN, key, Taken(message.id, fingerprint_of(message), due))


def key_of(message: Message) -> str:
    """Under which key a message is kept, nothing for one that bears none."""
    for tag, value in message.tlvs:
        if tag == TAG_IDEMPOTENCY:
            digest = hashlib.blake2b(value, digest_size=_DIGEST_SIZE).hexdigest()
            handset = handset_of(message.destination, message.destination_ton, message.destination_npi)
            return f"{message.account}|{digest}|{handset}"
    return ""


def fingerprint_of(message: Message) -> str:
    """What the message says, in short: not when, for a time that counts from now is another one the next time."""
    said = (message.source, message.encoding, message.payload, message.traffic_class, message.udh, message.tlvs)
    return hashlib.blake2b(repr(said).encode(), digest_size=_DIGEST_SIZE).hexdigest()
