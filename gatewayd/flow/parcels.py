"""What crosses the mesh between workers: one small record for each kind of step, and who answers it.

A step is executed for the home by another worker; ownership of a message never crosses.
"""

from __future__ import annotations

import msgspec

from gatewayd.carriers.link import Result
from gatewayd.message import Inbound, Linked, Message, Receipt
from gatewayd.store.records import Delivery, Session


class _Parcel(msgspec.Struct, array_like=True, gc=False):
    """Short on the wire: a tag and its fields in order."""


class Submit(_Parcel, tag=1):
    """To the home: a message that an application handed in elsewhere. Answered by Stored or Rejected."""

    token: int
    message: Message


class Stored(_Parcel, tag=2):
    """From the home: these are durable."""

    tokens: list[int]


class Rejected(_Parcel, tag=3):
    """From the home: not taken, with the command_status and the word for the counter."""

    token: int
    status: int
    kind: str


class Hungry(_Parcel, tag=4):
    """To a holder: there is work for so many of this resource's credits."""

    resource: str
    wanted: int


class Grant(_Parcel, tag=5):
    """From a holder: so many credits."""

    resource: str
    count: int


class GiveBack(_Parcel, tag=6):
    """To a holder: credits that are not needed."""

    resource: str
    count: int


class Send(_Parcel, tag=7):
    """To the holder of a bind: send these segments. Answered by Done."""

    link: str
    message: Message
    segments: list[int]
    expires_at: float


class Done(_Parcel, tag=8):
    """From the holder: how segments fared."""

    link: str
    results: list[Result]


class Told(_Parcel, tag=9):
    """To the home: what a carrier said of one of its handsets. Answered by Acked."""

    link: str
    token: int
    content: Receipt | Inbound | Linked


class Acked(_Parcel, tag=10):
    """From the home: durable, or refused for now."""

    link: str
    tokens: list[int]
    stored: bool


class Stray(_Parcel, tag=11):
    """To everybody: a receipt that its home cannot match. Whoever knows the id takes it and says Claimed."""

    link: str
    receipt: Receipt


class Claimed(_Parcel, tag=12):
    """From the worker that knew the id."""

    link: str
    receipt: Receipt


class Deliver(_Parcel, tag=13):
    """To the holder of an application's bind: bring this. Answered by Delivered."""

    delivery: Delivery


class Delivered(_Parcel, tag=14):
    """From the holder: the command_status, or (status -1) why there was none."""

    account: str
    delivery_id: int
    status: int
    reason: str


class Snapshot(_Parcel, tag=15):
    """For a scrape: asked with no content, answered with this worker's metrics."""

    token: int
    content: bytes = b""


class Offer(_Parcel, tag=16):
    """To everybody: this link is new here, or another than before. Whoever has work for it asks anew."""

    link: str


class Seek(_Parcel, tag=17):
    """To a home: up to so many of its handsets whose turn it is to be asked about. Answered by Due."""

    link: str
    count: int


class Due(_Parcel, tag=18):
    """From a home: these; fewer than could be are all."""

    link: str
    handsets: list[str]


class Known(_Parcel, tag=20):
    """From the home: this one was taken before, under that id, and is durable."""

    token: int
    message_id: int


class Ask(_Parcel, tag=21):
    """A question about what may be the other worker's. Answered by Reply."""

    token: int
    what: str
    args: bytes


class Reply(_Parcel, tag=22):
    """The answer; empty when there is nothing to say."""

    token: int
    content: bytes


class Learned(_Parcel, tag=19):
    """To a home: what a platform said of its handsets."""

    link: str
    reachable: list[str]
    others: list[str]


class Continue(_Parcel, tag=23):
    """To the home of a user's other address: the conversation that was begun under the one that is not its own."""

    link: str
    linked: Linked
    session: Session


Parcel = (
    Submit
    | Stored
    | Rejected
    | Hungry
    | Grant
    | GiveBack
    | Send
    | Done
    | Told
    | Acked
    | Stray
    | Claimed
    | Deliver
    | Delivered
    | Snapshot
    | Offer
    | Seek
    | Due
    | Learned
    | Known
    | Ask
    | Reply
    | Continue
)
