"""What a message of the benchmark looks like, for who sends it and who checks it: short, in parts, or whole.

Messages are numbered. A number gives the handset, the handset gives the text, so that any mix-up on the way is seen.
Shares no code with the daemon.
"""

from __future__ import annotations

from typing import Final

from bench_wire import HANDSET_FIRST, SENDER, TEXT_SIZE, text_of

SPAN: Final = 100_000_000
"""So many handsets there are."""
STRIDE_SCATTERED: Final = 57_885_161
"""Steps from one handset to the next, all over the numbers: coprime to ``SPAN``, so that each comes once."""

PARTS: Final = 3
PART_SIZE: Final = 153  # septets, behind a header of six octets
LONG_SIZE: Final = 450  # three parts, with a reference of 8 bits or of 16
SIZE_AFTER: Final = {0x00: PART_SIZE, 0x08: PART_SIZE - 1}
"""How long each part but the last is, by the element that tells its place (3GPP TS 23.040 9.2.3.24)."""

WHOLE, PARTED = b"\x00", b"\x40"  # esm_class
HEAD = b"\0\x05\0" + SENDER + b"\0\x01\x01%b\0%b\0\0\0\0%b\0\0\0"
MESSAGE_PAYLOAD = b"\x04\x24"


class Short:
    """One submit_sm of 60 letters each. ``first`` is the number of the first message."""

    def __init__(self, *, wants: bool = True, first: int = 0, is_scattered: bool = False) -> None:
        self.stride = STRIDE_SCATTERED if is_scattered else 1
        self.back = pow(self.stride, -1, SPAN)
        self.first = first
        self.wanted = b"\x01" if wants else b"\x00"
        self.body = HEAD % (b"%b", WHOLE, self.wanted) + b"%c%%b" % TEXT_SIZE

    def handset_of(self, at: int) -> bytes:
        """Whom message ``at`` is for."""
        return b"%d" % (HANDSET_FIRST + (self.first + at) * self.stride % SPAN)

    def number_of(self, handset: bytes) -> int:
        """Which message is for this handset, counted from the very first."""
        return (int(handset) - HANDSET_FIRST) * self.back % SPAN

    def body_of(self, at: int) -> bytes:
        """The body of the submit_sm with message ``at``."""
        handset = self.handset_of(at)
        return self.body % (handset, text_of(handset))

    def told_of(self, handset: bytes, message_id: bytes) -> int:
        """Which message a receipt is for."""
        return self.number_of(handset) - self.first

    def named(self, at: int, message_id: bytes) -> None:
        """Message ``at`` has this id."""

    def taken(self, handset: bytes, esm_class: int, text: bytes) -> tuple[int, bool]:
        """What the carrier was given: which one, and whether it is whole."""
        return self.number_of(handset), text == text_of(handset)


class Parted(Short):
    """Texts of three parts, each with a header that tells its place; a part is one message with an id and a receipt."""

    def __init__(self, *, wants: bool = True, first: int = 0, is_scattered: bool = False) -> None:
        super().__init__(wants=wants, first=first, is_scattered=is_scattered)
        self.names: dict[bytes, int] = {}

    def body_of(self, at: int) -> bytes:
        text_at, part = divmod(at, PARTS)
        handset = self.handset_of(text_at)
        text = long_text_of(handset)[part * PART_SIZE : (part + 1) * PART_SIZE]
        reference = (self.first + text_at) & 0xFF
        piece = b"\x05\x00\x03%c%c%c%b" % (reference, PARTS, part + 1, text)
        return HEAD % (handset, PARTED, self.wanted) + b"%c%b" % (len(piece), piece)

    def named(self, at: int, message_id: bytes) -> None:
        self.names[message_id] = at

    def told_of(self, handset: bytes, message_id: bytes) -> int:
        """By its id, for a handset has three; -1 when nobody has that id."""
        at = self.names.pop(message_id, -1)
        return at if self.handset_of(at // PARTS) == handset else -1

    def taken(self, handset: bytes, esm_class: int, text: bytes) -> tuple[int, bool]:
        return part_of(self.number_of(handset), handset, esm_class, text)


class Whole(Short):
    """Texts of three parts that come in message_payload, and that the daemon cuts; one receipt for all."""

    def body_of(self, at: int) -> bytes:
        handset = self.handset_of(at)
        tlv = MESSAGE_PAYLOAD + LONG_SIZE.to_bytes(2, "big") + long_text_of(handset)
        return HEAD % (handset, WHOLE, self.wanted) + b"\0" + tlv

    def taken(self, handset: bytes, esm_class: int, text: bytes) -> tuple[int, bool]:
        return part_of(self.number_of(handset), handset, esm_class, text)


SHAPES: Final[dict[str, type[Short]]] = {"short": Short, "parted": Parted, "whole": Whole}
PIECES: Final = {"short": 1, "parted": 1, "whole": PARTS}
"""How many submit_sm the carrier gets for each of ours."""


def long_text_of(handset: bytes) -> bytes:
    """A text of three parts that belongs to a handset, no two parts alike."""
    sentence = b"This is for " + handset + b", and for nobody else. "
    return (sentence * (LONG_SIZE // len(sentence) + 1))[:LONG_SIZE]


def part_of(number: int, handset: bytes, esm_class: int, text: bytes) -> tuple[int, bool]:
    """Which part of all was given, and whether it is whole. What has no place counts as a first part, damaged."""
    header_size = text[0] + 1 if esm_class & PARTED[0] and text else 0
    size = SIZE_AFTER.get(text[1], 0) if header_size in (6, 7) and len(text) > header_size else 0
    if not size:
        return number * PARTS, False
    total, part = text[header_size - 2], text[header_size - 1]
    start = (part - 1) * size
    is_whole = total == PARTS and text[header_size:] == long_text_of(handset)[start : start + size]
    return number * PARTS + min(max(part, 1), PARTS) - 1, is_whole
