"""What travels over the HTTP API, as types: by them calls are read, answers written, and the description is made.

Knows neither HTTP nor how a message is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from gatewayd.message import Channel, State
from gatewayd.senders.http_problems import Problem, ProblemDocument
from protocol.rcs.answers import JSON_FAULTS
from protocol.rcs.content import Content

T = TypeVar("T")

IDEMPOTENCY_KEY_MAX = 200
NUMBER_PATTERN = r"^\+?[1-9][0-9]{6,14}$"
ID_PATTERN = "^[0-9a-f]{1,16}$"
Number = Annotated[
    str,
    Meta(
        pattern=NUMBER_PATTERN,
        description="A number in international form, with or without a plus.",
        examples=["+33612345678"],
    ),
]
Sender = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=20,
        description="A number of the account's, or a name of at most 11 characters.",
        examples=["SHOP"],
    ),
]
MessageId = Annotated[
    str,
    Meta(pattern=ID_PATTERN, description="As in SMPP's receipts: hexadecimal.", examples=["68854a6b54001"]),
]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its offset from UTC.")]
Status = Literal[
    "scheduled", "queued", "sending", "sent", "delivered", "expired", "failed", "rejected", "cancelled", "unknown"
]


class Template(msgspec.Struct, forbid_unknown_fields=True):
    """One of the gateway's templates by its name, and what stands for the placeholders that are not built in."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    parameters: Annotated[dict[str, str], Meta(max_length=100)] = {}


class Send(msgspec.Struct, forbid_unknown_fields=True, rename={"sender": "from", "traffic_class": "class"}):
    """One message. Of ``rcs``, ``rcs_text`` and ``template`` at most one; without ``text`` the SMS says their words."""

    to: Number
    sender: Sender
    text: Annotated[
        str | None,
        Meta(description="What goes by SMS, and by RCS unless there is something richer; cut where it is too long."),
    ] = None
    rcs: Annotated[Content | None, Meta(description="What goes over RCS instead of the text.")] = None
    rcs_text: Annotated[str | None, Meta(description="Another text for RCS.")] = None
    template: Annotated[Template | None, Meta(description="A template that makes what goes over RCS.")] = None
    traffic_class: (
        Annotated[str, Meta(max_length=100, description="One of the account's classes of traffic, such as otp.")] | None
    ) = None
    schedule_at: Annotated[Moment | None, Meta(description="When it is to go; now, if left out.")] = None
    validity_s: (
        Annotated[
            float, Meta(gt=0, le=31_536_000, description="For how many seconds it is worth sending, from now on.")
        ]
        | None
    ) = None
    priority: Annotated[int, Meta(ge=0, le=3, description="A higher one goes first.")] = 0
    receipt: Annotated[
        Literal["final", "failure", "none"], Meta(description="Which receipts the account's sinks are to be told.")
    ] = "final"
    reference: (
        Annotated[
            int, Meta(ge=0, le=65_535, description="Your number for it; it comes back with receipts and replies.")
        ]
        | None
    ) = None
    idempotency_key: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=IDEMPOTENCY_KEY_MAX,
                description="As the header Idempotency-Key, for one message of a batch.",
            ),
        ]
        | None
    ) = None


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Many messages, each judged by itself."""

    messages: Annotated[list[Send], Meta(min_length=1, description="In their order.")]


class RawBatch(msgspec.Struct, forbid_unknown_fields=True):
    """The same, not read yet: a message that is none must not spoil the others."""

    messages: list[msgspec.Raw]


class Taken(msgspec.Struct):
    """The message is on disk, and the gateway's to deliver."""

    id: MessageId


class Outcome(msgspec.Struct, omit_defaults=True):
    """How one message of a batch fared: ``status`` 202 and its id, or another one and the problem."""

    status: int
    id: str = ""
    problem: ProblemDocument | None = None


class BatchResult(msgspec.Struct):
    """In the order of the messages."""

    accepted: int
    refused: int
    results: list[Outcome]


class MessageState(msgspec.Struct, omit_defaults=True, rename={"sender": "from"}):
    """What is known of a message. What has not come is left out.

    ``state`` and ``error`` are those of the receipt, ``fallback`` is why it left RCS. ``segments`` are SMS, as the
    carrier counts them.
    """

    id: MessageId
    status: Status
    state: State
    sender: str
    to: str
    accepted_at: Moment
    channel: Channel | None = None
    error: str = ""
    fallback: str = ""
    scheduled_at: Moment | None = None
    expires_at: Moment | None = None
    sent_at: Moment | None = None
    done_at: Moment | None = None
    segments: int = 0
    segments_done: int = 0
    reference: int | None = None
    cancelling: bool = False


class Cancelled(msgspec.Struct):
    """``cancelled``: it is not sent. ``under_way``: it is being revoked, and its receipt will say how that ended."""

    id: MessageId
    outcome: Literal["cancelled", "under_way"]


class Session(msgspec.Struct, omit_defaults=True, rename={"sender": "from"}):
    """An open conversation; ``id`` is what its replies bear."""

    id: str
    sender: str
    handset: str
    opened_at: Moment
    open_until: Moment
    message_id: MessageId
    replies: int = 0
    bot: str = ""


class Sessions(msgspec.Struct):
    """Conversations that are open now."""

    sessions: list[Session]


class LinkCapability(msgspec.Struct, omit_defaults=True):
    """What is known of a number on one link; no ``rcs``: nothing. ``reason`` is a word.

    ``not_asked``: nobody has asked. ``asked``, ``asked_in_bulk``: the answer is still to come. ``quota``, ``paused``,
    ``too_many_questions``: the question could not leave.
    """

    link: str
    reason: str
    rcs: bool | None = None
    checked_at: Moment | None = None
    valid_until: Moment | None = None


class Capability(msgspec.Struct, omit_defaults=True):
    """Whether a number takes RCS over any link that the account uses; no ``rcs``: it is not known."""

    number: str
    links: list[LinkCapability]
    rcs: bool | None = None


def decoded(read: Callable[[bytes], T], octets: bytes) -> T:
    """What JSON says, by the decoder of a type. Raises Problem."""
    try:
        return read(octets)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        pattern = problem.replace("\\\\", "\\")  # it is told as Python would write it
        raise Problem("bad-shape", pattern, element=path.rstrip("`").lstrip(".")) from None
    except msgspec.DecodeError as error:
        raise Problem("bad-json", str(error)) from None
    except JSON_FAULTS:
        raise Problem("bad-json") from None
