"""Messages that bear their number in their text, so that many may go to one handset: their texts, and tallies of them.

Shares no code with the daemon. Of each message one octet is kept, whatever comes: a run may have millions.
"""

from __future__ import annotations

from array import array

from bench_wire import HANDSET_FIRST, TEXT_SIZE, moments

# service_type; the source, alphanumeric; the destination, E.164; a receipt is wanted; data_coding 0.
SUBMIT_BODY = b"\0\x05\0%b\0\x01\x01%b\0\0\0\0\0\0\x01\0\0\0%c%b"
TEXT = b"Order %010d for %b is on its way to you."
NUMBER = slice(6, 16)


def handset_of(number: int, handsets: int) -> bytes:
    """To whom a message goes: each handset gets every so manieth one."""
    return b"%d" % (HANDSET_FIRST + number % handsets)


def numbered_text(number: int, handset: bytes) -> bytes:
    """The text of a message, so that a mix-up on the way is seen."""
    return (TEXT % (number, handset)).ljust(TEXT_SIZE, b".")


def submit_body(source: bytes, number: int, handsets: int) -> bytes:
    """The body of its submit_sm (SMPP 3.4 4.4.1)."""
    handset = handset_of(number, handsets)
    return SUBMIT_BODY % (source, handset, TEXT_SIZE, numbered_text(number, handset))


class Tally:
    """What arrived of one sender's messages."""

    def __init__(self, messages: int, handsets: int, *, keeps_moments: bool = False) -> None:
        self.handsets = handsets
        self.seen = bytearray(messages)
        self.latest = array("q", [-1]) * handsets
        self.moments = moments(messages) if keeps_moments else None
        self.submits = self.duplicates = self.damaged = self.out_of_order = 0

    def take(self, text: bytes, handset: bytes, now: float) -> int:
        """One came; its number, or -1 when it cannot be told."""
        self.submits += 1
        digits = text[NUMBER]
        number = int(digits) if digits.isdigit() else -1
        if not 0 <= number < len(self.seen):
            self.damaged += 1
            return -1
        if text != numbered_text(number, handset) or handset != handset_of(number, self.handsets):
            self.damaged += 1
        if self.seen[number]:
            self.duplicates += 1
            return number
        self.seen[number] = 1
        place = number % self.handsets
        if number < self.latest[place]:
            self.out_of_order += 1
        self.latest[place] = number
        if self.moments is not None:
            self.moments[number] = now
        return number
