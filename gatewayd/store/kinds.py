"""What is kept: the kinds of records, their keys, and the columns by which a cold record can be found again.

A kind is a keyed table of JSON values. Columns are taken from the value when it goes cold, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gatewayd.message import Message
from gatewayd.policy.billing import Pair
from gatewayd.policy.journey import Progress, Stage
from gatewayd.store.records import (
    Alias,
    Capability,
    Cdr,
    Delivery,
    File,
    Order,
    Parked,
    Result,
    Seen,
    Sent,
    Session,
    Taken,
    Wanted,
)

Key = int | str

_encode = msgspec.json.Encoder().encode


class Kind(msgspec.Struct, frozen=True):
    """One keyed table: its name, the type of its values, and its columns for cold look-ups."""

    name: str
    type: type[Any]
    integer_key: bool
    columns: Mapping[str, Callable[[Any], float | str | None]] = {}

    def value_in(self, key: Key, record: bytes) -> bytes:
        """The value's text within the journal's record of it: an array of kind, key and value."""
        return record[len(_encode((self.name, key))) : -1]

    @property
    def create(self) -> str:
        """The SQL that makes its table."""
        key = "key INTEGER PRIMARY KEY" if self.integer_key else "key TEXT PRIMARY KEY"
        columns = "".join(f", {name}" for name in self.columns)
        tail = "" if self.integer_key else " WITHOUT ROWID"
        return f"CREATE TABLE {self.name} ({key}, value TEXT NOT NULL{columns}){tail}"


INTERRUPTED = "!"
_UNANSWERED = (Stage.SENDING, Stage.CHECKING, Stage.REVOKING, Stage.JOINING, Stage.ENDED)


def _queue_of(progress: Progress) -> str | None:
    """Where the message waits (``link|lane|account``), or a mark that an answer is still owed to it."""
    if progress.queue:
        return f"{progress.queue}|{progress.lane}|{progress.account}"
    return INTERRUPTED if progress.stage in _UNANSWERED else None


def _due_of(record: Any) -> float | None:
    return record.due or None


def _due_of_ended(sent: Sent) -> float | None:
    """Nearly all names go with their messages, which come to an end in no order: finding them by their time as well
    would cost a page of an index for each. Those that stay behind are swept (``Spool.sweep_names``)."""
    return sent.due or None if sent.ended else None


MESSAGE = Kind("message", Message, True)
PROGRESS = Kind("progress", Progress, True, {"queue": _queue_of, "due": _due_of})
SENT = Kind("sent", Sent, False, {"due": _due_of_ended})
DELIVERY = Kind("delivery", Delivery, True, {"account": lambda d: d.box, "due": _due_of})
SESSION = Kind("session", Session, False, {"due": _due_of})
PARKED = Kind("parked", Parked, False, {"due": _due_of})
CAPABILITY = Kind("capability", Capability, False, {"due": _due_of})
SEEN = Kind("seen", Seen, False, {"due": _due_of})

BILLING = Kind("billing", Pair, False, {"due": _due_of, "open": lambda pair: pair.open_as or None})
CDR = Kind("cdr", Cdr, False)

WANTED = Kind("wanted", Wanted, False, {"due": _due_of})
ORDER = Kind("bulk_order", Order, False)

ALIAS = Kind("alias", Alias, False, {"due": _due_of})

FILE = Kind("file", File, False, {"due": _due_of})

DEAD_LETTER = Kind("dead_letter", Delivery, True, {"account": lambda d: d.box, "due": _due_of})

TAKEN = Kind("taken", Taken, False, {"due": _due_of})
RESULT = Kind("result", Result, True, {"due": _due_of})

# What the journal tells beside the records, for people who ask later: an entry under a message's or a delivery's id, or
# under 0 when it is about a link. It is in no table, and a replay passes over it (since version 6).
NOTE = "note"

KINDS_OF_VERSION_1: tuple[Kind, ...] = (MESSAGE, PROGRESS, SENT, DELIVERY, SESSION, PARKED, CAPABILITY, SEEN)
KINDS_SINCE_VERSION_2: tuple[Kind, ...] = (BILLING, CDR)
KINDS_SINCE_VERSION_3: tuple[Kind, ...] = (WANTED, ORDER)
KINDS_SINCE_VERSION_4: tuple[Kind, ...] = (ALIAS,)
KINDS_SINCE_VERSION_5: tuple[Kind, ...] = (FILE,)
KINDS_SINCE_VERSION_6: tuple[Kind, ...] = (DEAD_LETTER, TAKEN, RESULT)
KINDS: tuple[Kind, ...] = (
    *KINDS_OF_VERSION_1,
    *KINDS_SINCE_VERSION_2,
    *KINDS_SINCE_VERSION_3,
    *KINDS_SINCE_VERSION_4,
    *KINDS_SINCE_VERSION_5,
    *KINDS_SINCE_VERSION_6,
)
