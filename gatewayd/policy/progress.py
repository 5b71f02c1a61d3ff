"""How far a message is, and the steps that a decision may lead to: records, and no decision.

Knows no link, store or clock: moments are Unix seconds.
"""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

from gatewayd.message import NO_NETWORK_ERROR, Channel, State

OnUnknown = Literal["prefer_duplicate", "prefer_silence"]


class Stage(enum.StrEnum):
    """Where a message is on its way."""

    JOINING = "joining"  # a part of a long message that waits for the others
    MEMBER = "member"  # a part that travels inside another one
    QUEUED = "queued"  # waits for its turn on links[position]
    POSTPONED = "postponed"  # will be queued again when due
    CHECKING = "checking"  # the platform was asked whether the handset takes RCS
    SENDING = "sending"  # the intent is written, the answer is not known
    SENT = "sent"  # accepted by the carrier, no final word yet
    REVOKING = "revoking"  # RCS deadline passed, a revoke is on its way
    SETTLING = "settling"  # the platform could not say what became of it
    SCHEDULED = "scheduled"  # its sender wants it to go later, when due
    HELD = "held"  # a person holds it back, see policy.intervention
    ENDED = "ended"  # a part whose end is known, and told once the others' are, too


class Segment(msgspec.Struct, omit_defaults=True, gc=False):
    """One segment of the SMS leg: its name at the carrier and what was last said of it.

    ``is_taken``: it is not to be sent again. ``is_intended``: it may be on its way, and no answer is known.
    ``is_barred``: it was refused, and no other link is to try it.
    """

    carrier_id: str = ""
    state: State = State.ENROUTE
    error: str = "000"
    attempts: int = 0
    is_taken: bool = False
    is_intended: bool = False
    is_barred: bool = False
    network_error: int = NO_NETWORK_ERROR
    tlvs: tuple[tuple[int, bytes], ...] = ()


class End(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How a message ended, while its sender is not told yet. ``at`` is the carrier's time, 0 for none."""

    state: State
    channel: Channel
    error: str = "000"
    at: float = 0.0
    network_error: int = NO_NETWORK_ERROR
    tlvs: tuple[tuple[int, bytes], ...] = ()


class Progress(msgspec.Struct, omit_defaults=True, gc=False):
    """How far a message is; the mutable companion of a Message, under the same id.

    ``queue`` is set exactly while the message waits in a link's queue: the link's name. ``lane`` and ``account`` say
    where in that queue. ``due`` is the next moment (Unix seconds, 0 = never) at which it wants to be looked at,
    whatever else happens. ``attempts`` are those of the RCS leg; ``is_checked`` says that its platform called the
    handset capable, ``rcs_until`` how long the message may wait to be sent over RCS at all. ``is_plain``: nothing but a
    text was sent, or perhaps sent, over RCS. ``revoke_until``: how long a revoke may be asked for; ``revokes_again``:
    it was not looked at, and is asked for again when due. ``is_cancelled``: a person took it back, and nothing more of
    it is to be sent, see ``policy.intervention``. ``begins_at``: when one that is held is to begin, if it has not.
    ``notices`` counts what its sender was told from on the way, and ``notice`` is the id of the last of these
    deliveries. ``deciding``: the segment that speaks for all that we cut it into; empty: the worst. ``end`` is set at
    stage ENDED.
    """

    id: int
    account: str
    stage: Stage
    links: tuple[str, ...]
    reason: str = ""
    on_unknown: OnUnknown = "prefer_duplicate"
    position: int = 0
    attempts: int = 0
    is_checked: bool = False
    rcs_until: float = 0.0
    queue: str = ""
    lane: int = 0
    due: float = 0.0
    sent_at: float = 0.0
    segments: list[Segment] = []
    rcs_link: str = ""
    rcs_id: str = ""
    is_plain: bool = True
    fallback: str = ""
    parts: tuple[int, ...] = ()
    payload: bytes = b""
    member_of: int = 0
    is_cancelled: bool = False
    revoke_until: float = 0.0
    revokes_again: bool = False
    begins_at: float = 0.0
    notices: int = 0
    notice: int = 0
    deciding: Literal["", "first", "last"] = ""
    end: End | None = None

    @property
    def link(self) -> str:
        """The link whose turn it is."""
        return self.links[self.position]


class LinkTerms(msgspec.Struct, frozen=True):
    """What this module must know of a link. ``repeats_safely``: one message sent twice arrives once."""

    name: str
    channel: Channel
    retry_max: int
    deadline_s: float
    receipt_wait_s: float = 72 * 3600.0
    repeats_safely: bool = False


class Queue(msgspec.Struct, frozen=True):
    """Wait for a turn on the link; ``front`` when it was handed back and order must be kept.

    ``moved`` says that another link's turn is over.
    """

    link: str
    front: bool = False
    moved: bool = False


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before ``progress.due`` or the next event."""


class Revoke(msgspec.Struct, frozen=True):
    """Ask the RCS platform to take the message back."""

    link: str
    carrier_id: str


class Finish(msgspec.Struct, frozen=True):
    """The one final fate."""

    state: State
    error: str = "000"
    at: float = 0.0
    network_error: int = NO_NETWORK_ERROR
    tlvs: tuple[tuple[int, bytes], ...] = ()


class Ignore(msgspec.Struct, frozen=True):
    """Only worth counting, under this word. ``is_old``: it says what was known already."""

    event: str
    is_old: bool = False


Step = Queue | Wait | Revoke | Finish | Ignore

WAIT = Wait()
