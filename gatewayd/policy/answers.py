"""What may be told of a message or a handset to the application that asks, whichever way it asks.

Knows neither where the answer comes from nor how it is written down. Times are Unix seconds, 0 for what has not come.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gatewayd.message import Channel, State


class HomeAway(Exception):
    """The worker that may know does not answer: ask again later."""


class Fate(msgspec.Struct, omit_defaults=True):
    """What is known of a message. Times are Unix seconds, 0 for what has not come; ``stage`` is empty after the end."""

    message_id: int
    source: str
    destination: str
    state: State
    accepted_at: float
    stage: str = ""
    channel: Channel | None = None
    link: str = ""
    error: str = "000"
    fallback: str = ""
    deliver_at: float = 0.0
    expires_at: float = 0.0
    sent_at: float = 0.0
    done_at: float = 0.0
    segments: int = 0
    segments_done: int = 0
    reference: int = -1
    is_cancelled: bool = False


class Cancelling(msgspec.Struct):
    """What came of taking a message back: it is gone; it will be told; it has left, or has ended already."""

    outcome: Literal["cancelled", "under_way", "too_late"]


class Talk(msgspec.Struct, omit_defaults=True):
    """An open conversation. ``sender`` is as the application wrote it, ``bot`` what the handset sees, if another."""

    id: str
    sender: str
    opened_at: float
    until: float
    message_id: int
    replies: int = 0
    bot: str = ""


NOT_YET: Final = frozenset({"asked", "asked_in_bulk", "quota", "paused", "too_many_questions"})
"""Why there is no answer yet to a question about a handset: one is awaited; it comes when many are asked about; the
question could not leave."""


class Known(msgspec.Struct, omit_defaults=True):
    """What is known of a handset on one link; ``capable`` None: nothing. ``at`` and ``until`` are 0 where it is not an
    answer that was kept."""

    link: str
    capable: bool | None
    reason: str
    at: float = 0.0
    until: float = 0.0


class NamedFate(msgspec.Struct, omit_defaults=True):
    """What is known of one message under a name, and what may stand in its place: a text in the same ``encoding``,
    which is empty after the end. ``is_part``: it has a header. ``is_named``: there may be others under the name."""

    fate: Fate
    encoding: str = ""
    is_part: bool = False
    is_named: bool = False


class Named(msgspec.Struct):
    """All messages under a name that one worker knows."""

    fates: list[NamedFate]


class Changes(msgspec.Struct):
    """What came of changing messages, one word each: ``cancelled``, ``under_way`` (it will be told), ``replaced``, or
    ``too_late``."""

    outcomes: list[str]


class Word(msgspec.Struct):
    """One word, such as the name of an account."""

    word: str
