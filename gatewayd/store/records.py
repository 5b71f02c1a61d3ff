"""The stored records beside the message itself: correlation, deliveries, sessions, parked receipts, capabilities,
billing records, handsets to be asked about, uploaded files.

Times are Unix seconds. ``due`` is the moment after which the record has had its time.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gatewayd.message import NO_NETWORK_ERROR, Attachment, Channel, Encoding, Receipt, State
from gatewayd.policy.billing import Record
from gatewayd.policy.callbacks import Call


class _Record(msgspec.Struct, omit_defaults=True, gc=False):
    """Values of a kind: short JSON, only what differs from the defaults."""


class Sent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Under a carrier's message id: whose segment it is. Key: ``link|carrier id``.

    ``ended`` tells that the message has its final fate already: what comes now is only counted, until ``due``.
    ``told`` are the receipts that its application was owed then, where it wants another one once they were read.
    """

    message_id: int
    segment: int = 0
    ended: bool = False
    due: float = 0.0
    told: tuple[Delivery, ...] = ()


class Facts(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What sinks other than SMPP can tell of a delivery besides: a deliver_sm has no place for it.

    ``concat`` as in Message. ``event`` is what became of a session; a billed one has the ``record`` of the operator's
    class. ``dead_because`` and ``dead_at`` (Unix seconds) are a dead letter's. ``call`` is for the sink of callbacks.
    """

    channel: Channel | None = None
    concat: tuple[int, int, int] | None = None
    event: Literal["", "opened", "closed", "billed"] = ""
    record: Record | None = None
    dead_because: str = ""
    dead_at: float = 0.0
    call: Call | None = None


class Delivery(_Record):
    """What is owed to one sink of an account: a receipt, an MO or news of a session, until it was taken. Key: its id.

    ``sink`` is empty for SMPP. A session's news: ``submitted_at`` and ``done_at`` are its begin and its end,
    ``session_sequence`` counts its replies.
    ``displayed`` makes a receipt one of a message that was read: the account's word for it. It never goes while the
    delivery that it ``follows`` is still owed. A receipt whose state is not final is news from on the way.
    """

    id: int
    account: str
    kind: Literal["receipt", "mo", "session"]
    source_ton: int
    source_npi: int
    source: str
    destination_ton: int
    destination_npi: int
    destination: str
    created_at: float
    due: float
    attempts: int = 0
    user_message_reference: int = -1
    # a receipt
    message_id: int = 0
    state: State = State.ENROUTE
    error: str = "000"
    submitted_at: float = 0.0
    done_at: float = 0.0
    displayed: str = ""
    follows: int = 0
    # an MO
    payload: bytes = b""
    encoding: Encoding = Encoding.GSM
    data_coding: int = 0
    esm_class: int = 0
    protocol_id: int = 0
    udh: bytes = b""
    tlvs: tuple[tuple[int, bytes], ...] = ()
    session_id: str = ""
    session_number: int = 0
    session_sequence: int = 0
    postback: str = ""
    attachment: Attachment | None = None
    place: str = ""
    # for other sinks than SMPP
    sink: str = ""
    facts: Facts | None = None
    # of a receipt: as in Message and Receipt; ``payload`` is then the beginning of the message's text
    known_as: str = ""
    network_error: int = NO_NETWORK_ERROR

    @property
    def box(self) -> str:
        """Whose it is, as a column: the account, and behind a tab, which no name has, the sink if it is not SMPP."""
        return f"{self.account}\t{self.sink}" if self.sink else self.account

    def told(self) -> dict[str, str | None]:
        """What a line in the log says of it."""
        return {
            "delivery": f"{self.id:x}",
            "account": self.account,
            "sink": self.sink or "smpp",
            "kind": self.kind,
            "message": f"{self.message_id:x}" if self.message_id else None,
            "handset": self.source,
        }


class Session(_Record):
    """A conversation between a sender address (or bot) and a handset. Key: ``sender|handset``.

    ``sender`` and its TON/NPI are as the application wrote them, so that a reply goes back to that address; ``handset``
    (TON, NPI, address) is as it wrote that one, where it is not the canonical form.
    """

    id: str
    account: str
    sender_ton: int
    sender_npi: int
    sender: str
    opened_at: float
    due: float
    message_id: int
    user_message_reference: int = -1
    replies: int = 0
    handset: tuple[int, int, str] | None = None


class Parked(_Record):
    """Receipts whose message id is not known yet, in the order they came. Key: ``link|carrier id``."""

    link: str
    receipts: list[Receipt]
    due: float


class Capability(_Record):
    """What a platform said of a handset. Key: ``link|handset``."""

    capable: bool
    reason: str
    at: float
    due: float


class Seen(_Record):
    """An inbound message that was already taken: a platform may repeat it. Key: ``link|dedup id``."""

    due: float


class Cdr(_Record):
    """A billing record on its way to its file. Key: ``origin|sequence``, with zeros before so that keys sort.

    ``origin`` is the worker that made it, ``sequence`` counts the records of that worker without a gap. The last one of
    all stays after it ``is_written``: the next sequence number is known by it.
    """

    origin: int
    sequence: int
    agent: str
    user: str
    record: Record
    is_written: bool = False

    @property
    def id(self) -> str:
        """What it is called outside, in files and tables."""
        return f"{self.origin}-{self.sequence}"

    @property
    def key(self) -> str:
        """Where it is kept."""
        return f"{self.origin:03}|{self.sequence:015}"


class Wanted(_Record):
    """A handset that a platform is to be asked about, with many others, once ``due``. Key: ``link|handset``."""

    due: float


class Order(_Record):
    """A question about many handsets that a platform is working on. Key: the link."""

    request_id: str
    handsets: list[str]
    at: float


class Taken(_Record):
    """What a sender's own key names. Key: ``account|digest of the key|handset``."""

    message_id: int
    fingerprint: str
    due: float


class Result(_Record):
    """How a message ended, for an application that asks. Key: its id. Addresses are as the application wrote them."""

    account: str
    source: str
    destination: str
    state: State
    error: str
    channel: Channel
    accepted_at: float
    done_at: float
    due: float
    reference: int = -1
    known_as: str = ""


class Alias(_Record):
    """What a platform calls the user behind a pseudonymous address. Key: ``link|address``."""

    alias: str
    due: float


class File(_Record):
    """What a platform calls a file that we uploaded, until it drops it (``due``). Key: ``link|SHA-256 in hex``.

    ``owner`` is whose file it is there: another bot could not use it. ``is_ready`` tells that it may be sent.
    """

    owner: str
    ref: str
    file_id: str
    mime_type: str
    size: int
    is_ready: bool
    sent_at: float
    due: float
