"""The contract of a link: what flow may ask of a carrier, and what a carrier tells flow. No code.

A link holds no queue of its own: it takes what fits its window and gives every taken segment back exactly once,
as an outcome. All calls are synchronous and made on the event loop; what goes to the wire is gathered until the end
of the loop turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from gatewayd.message import Channel, Deferred, Inbound, Linked, Message, Outcome, Receipt, Unknown


class Result(msgspec.Struct, frozen=True, gc=False):
    """How one segment of one message fared. ``segment`` counts from 0; ``latency_s`` is send to answer."""

    message_id: int
    segment: int
    outcome: Outcome
    latency_s: float


class Report(msgspec.Struct, frozen=True, gc=False):
    """Something a carrier told us, with the token by which it is acknowledged once it is durable."""

    content: Receipt | Inbound | Linked
    token: object


class Capability(msgspec.Struct, frozen=True, gc=False):
    """What a platform said of one handset: ``capable`` is None when it could not be learned.

    ``throttled``: it wants to hear nothing for a while, and says what of.
    """

    handset: str
    capable: bool | None
    reason: str
    throttled: Deferred | None = None


class Revocation(msgspec.Struct, frozen=True, gc=False):
    """How a revoke ended: ``revoked`` True or False, or None when the platform did not say. ``throttled`` as above.

    ``retry_s``: it was not even looked at, and may be asked for again after so long. None: that is all there is to say.
    """

    message_id: int
    carrier_id: str
    revoked: bool | None
    error: str
    throttled: Deferred | None = None
    retry_s: float | None = None


class Batch(msgspec.Struct, frozen=True):
    """How a question about many handsets fared.

    ``answered``: ``reachable`` are those that take RCS, and the others do not. ``ordered``: the result is fetched under
    ``request_id``; ``running``: not yet. ``closed``: not at this hour. ``lost``: the order is not known any more.
    ``later``: after ``retry_s``, if the platform named a time; ``pauses`` says that all else must wait as well.
    ``too_few``: about more handsets, perhaps. ``refused``: not at all.
    """

    kind: Literal["answered", "ordered", "running", "closed", "lost", "later", "too_few", "refused"]
    reachable: frozenset[str] = frozenset()
    request_id: str = ""
    error: str = ""
    retry_s: float | None = None
    pauses: bool = False


class BatchAsker(Protocol):
    """What a link may offer beside its contract: questions about many handsets at once (canonical, without plus)."""

    size_min: int
    size_max: int

    async def ask_many(self, handsets: Sequence[str]) -> Batch:
        """Put the question."""

    async def fetch_many(self, request_id: str) -> Batch:
        """Ask for the result of an order."""


class KeptFile(msgspec.Struct, frozen=True):
    """What a platform calls one of our files: ``ref`` in messages (empty until it says), ``file_id`` in questions.

    ``owner`` is whose file it is there. Moments are Unix seconds; the platform drops it at ``until``.
    """

    owner: str
    ref: str
    file_id: str
    mime_type: str
    size: int
    is_ready: bool
    sent_at: float
    until: float


class FileKeeper(Protocol):
    """Where a link's uploaded files outlive a restart, by the SHA-256 of their content (hex)."""

    def recall(self, digest: str) -> KeptFile | None:
        """What was kept last."""

    def keep(self, digest: str, kept: KeptFile) -> None:
        """Remember it in the place of what was kept before."""

    def forget(self, digest: str) -> None:
        """The platform has it no more."""


class LinkListener(Protocol):
    """Flow's side: whom a link calls. Never called from inside one of the link's own methods below."""

    def on_results(self, link: Link, results: Sequence[Result]) -> None:
        """Outcomes of segments, all that one read or one loop turn brought."""

    def on_reports(self, link: Link, reports: Sequence[Report]) -> None:
        """Receipts and MOs, in the order of the wire; each must be acknowledged by ``link.acknowledge``."""

    def on_ready(self, link: Link) -> None:
        """Capacity came back: a bind came up, a window opened again after it was full, a pause ended."""

    def on_revoked(self, link: Link, revocation: Revocation) -> None:
        """The end of a ``revoke``."""

    def on_capability(self, link: Link, capability: Capability) -> None:
        """The end of a ``check_capability``."""


class Link(Protocol):
    """Our lasting relation with one carrier or platform."""

    name: str
    channel: Channel

    @property
    def is_up(self) -> bool:
        """Whether a bind (SMPP) or a token (RCS) stands."""

    @property
    def window_used(self) -> int:
        """Segments that were submitted and not answered yet."""

    def capacity(self) -> int:
        """How many segments may be submitted right now (0 when down or full)."""

    def want(self, waiting: int, keep: int) -> None:
        """So many more segments wait than could be sent; of the capacity not used, ``keep`` is still needed.

        Where workers share a link, this is how they agree on its window.
        """

    def cost(self, message: Message) -> int:
        """How many segments the message becomes on this link (RCS: always 1)."""

    def submit(self, message: Message, segments: Sequence[int] | None = None, expires_at: float = 0.0) -> None:
        """Send all segments, or only those given. Exactly one Result follows for each.

        ``expires_at`` (Unix seconds, 0 = none) is the life time that the carrier is told.
        """

    def unseen(self, message: Message, error: str) -> Unknown:
        """What became of an attempt whose end nobody saw: under the name that it bears, where we give the names."""

    def acknowledge(self, tokens: Sequence[object], stored: bool) -> None:
        """Answer reports: durable (``stored``), or refused for now so that the carrier sends them again."""

    def revoke(self, message_id: int, carrier_id: str) -> None:
        """Ask to take a message back (RCS only); ends in ``on_revoked``."""

    def spelt_out(self, receipt: Receipt) -> Receipt:
        """The same receipt with all ``aliases`` of its id: for the few whose message is not found by that."""

    def check_capability(self, handset: str) -> None:
        """Ask whether a handset (E.164 digits, no plus) takes RCS (RCS only); ends in ``on_capability``."""

    async def start(self) -> None:
        """Begin to connect, and keep connected from then on."""

    async def stop(self, drain_s: float) -> None:
        """Take no more; wait up to ``drain_s`` for what is in flight; unbind; give back the rest as Unknown."""
