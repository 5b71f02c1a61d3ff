"""What the sender of one message wants to be told of it at an address of its own, and which of that has come.

The events are Kannel's bits: Jasmin's levels are groups of them. Knows no HTTP; who may name which address is not
decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from gatewayd.message import TAG_CALLBACK, State

DELIVERED: Final = 1
FAILED: Final = 2
BUFFERED: Final = 4
ACCEPTED: Final = 8
REFUSED: Final = 16


class Callback(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An address of the sender's. ``mask`` is the sum of the events that it asks for.

    ``to`` is the handset's number as its sender wrote it, where that matters.
    """

    product: Literal["kannel", "jasmin"]
    url: str
    mask: int
    method: Literal["GET", "POST"] = "GET"
    to: str = ""


class Call(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event for a callback. ``carrier_id`` is the message's name on the ``link``, if it has one."""

    callback: Callback
    event: int
    link: str = ""
    carrier_id: str = ""


_decode = msgspec.json.Decoder(Callback).decode
encode = msgspec.json.Encoder().encode


def read(value: bytes) -> Callback | None:
    """The callback that a TLV holds; None when it holds none."""
    try:
        return _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def callback_of(tlvs: Iterable[tuple[int, bytes]]) -> Callback | None:
    """That of the message with these TLVs, if it has one."""
    for tag, value in tlvs:
        if tag == TAG_CALLBACK:
            return read(value)
    return None


def event_of(state: State, was_accepted: bool) -> int:
    """What the end of a message is. What no carrier ever took was refused, whoever refused it."""
    if state is State.DELIVRD:
        return DELIVERED
    return FAILED if was_accepted else REFUSED


def is_asked(callback: Callback, event: int) -> bool:
    """Whether the callback is to be told. Who asks for failures hears of refusals too."""
    mask = callback.mask | (REFUSED if callback.mask & FAILED else 0)
    return bool(event & mask)
