"""In which alphabet a message's text goes over a link, and in which octets: kept where it can be, else recoded.

Knows no request and no connection; the same message gets the same octets after a restart.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final, NamedTuple

from gatewayd.carriers.transliteration import OFF, fitted, stronger
from gatewayd.config import schema
from gatewayd.message import Message
from protocol.smpp.headers import (
    CONCAT_8_SIZE,
    CONCAT_16_SIZE,
    NO_SHIFT,
    SHIFT_ELEMENTS,
    SMS_SIZE,
    Shift,
    joined,
    shift_header,
    shift_of,
    without,
)
from protocol.smpp.parts import split
from protocol.smpp.shifts import best_shift, identifiers_of
from protocol.smpp.text import TextFault, data_coding_of, decode, encode

MEASURED: Final = frozenset({"latin1", "ascii", "utf8"})
"""What a carrier makes septets of where it is its default alphabet."""

_CODING_UCS2: Final = 0x08
_EXPLICIT_GSM: Final = 0xF1  # 5.2.19: class 1, the ordinary one, in the GSM alphabet whatever the default is


@dataclasses.dataclass(frozen=True, slots=True)
class Manner:
    """How a link wants texts: what data_coding 0 means, whether septets are packed, which national languages may be
    used (by their identifiers), how far a text may be changed, and how a long one is cut."""

    alphabet: str = "gsm"
    is_packed: bool = False
    languages: tuple[int, ...] = ()
    transliterate: str = OFF
    cut: str = "udh8"
    may_change: bool = dataclasses.field(init=False)
    """Whether a text in UCS2 may become another than its sender's."""
    is_plain: bool = dataclasses.field(init=False)
    """What is in the alphabet, or has a data_coding of its own, goes octet for octet."""

    def __post_init__(self) -> None:
        may_change = bool(self.languages) or self.transliterate != OFF
        object.__setattr__(self, "may_change", may_change)
        object.__setattr__(self, "is_plain", not may_change and not self.is_packed and self.alphabet != "utf8")

    def concat_size(self, udh: bytes) -> int:
        """Octets that make a part a part, beside its own header; of SAR TLVs, the carrier makes the narrow ones."""
        whole = CONCAT_16_SIZE if self.cut == "udh16" else CONCAT_8_SIZE
        return whole - bool(udh)  # the octet that tells a header's length is there already


class Wording(NamedTuple):
    """The user data of a message on a link. ``udh`` is the header without concatenation of ours; ``changed`` says what
    was transliterated, if anything was."""

    data_coding: int
    encoding: str
    payload: bytes
    udh: bytes
    changed: str = ""

    @property
    def shift(self) -> Shift:
        """The national language tables in which the octets are written."""
        return shift_of(self.udh) if self.udh and self.encoding == "gsm" else NO_SHIFT


def manner_of(settings: schema.Link) -> Manner:
    """What a link's configuration says of texts."""
    languages = settings.national_languages if settings.data_coding_0 == "gsm" else ()
    return Manner(
        settings.data_coding_0,
        settings.septets == "packed",
        identifiers_of(languages),
        settings.transliterate,
        settings.long_messages,
    )


def is_kept(message: Message, manner: Manner) -> bool:
    """Whether it is plain to see that a message's octets, data_coding and header stay as they came."""
    is_plain = manner.is_plain and not message.transliterate
    return is_plain and (message.data_coding != 0 or message.encoding == manner.alphabet)


def wording_of(message: Message, manner: Manner) -> Wording:
    """A message's text as a link is given it."""
    data_coding, encoding, alphabet, udh = message.data_coding, message.encoding, manner.alphabet, message.udh
    if encoding == "binary":
        return Wording(data_coding or data_coding_of(encoding, alphabet), encoding, message.payload, udh)
    is_part = message.concat is not None
    is_free = not is_part and (manner.may_change or message.transliterate != "")
    if encoding == alphabet if data_coding == 0 else not (is_free and data_coding == _CODING_UCS2):
        return Wording(data_coding, encoding, message.payload, udh)
    if udh and encoding == "gsm":
        text = decode(message.payload, encoding, "replace", shift_of(udh))
        udh = without(udh, SHIFT_ELEMENTS)
    else:
        text = decode(message.payload, encoding, "replace")
    if is_free:
        return _freely(message, text, udh, manner)
    recoded = _in_alphabet(text, udh, alphabet) or _wide(message, text, udh, alphabet)
    return _part(message, recoded, alphabet) if is_part else recoded


def parts_of(wording: Wording, manner: Manner) -> list[bytes]:
    """The payload whole, or cut for parts that bear the wording's header and one of concatenation."""
    return _cut(wording, SMS_SIZE - len(wording.udh), manner.concat_size(wording.udh))


def _cut(wording: Wording, room: int, header: int) -> list[bytes]:
    payload, encoding = wording.payload, wording.encoding
    is_measured = wording.data_coding == 0 and encoding in MEASURED
    if encoding != "utf8" and len(payload) <= (room * 4 // 7 if is_measured else room):
        return [payload]  # every other alphabet carries an octet in an octet, some more
    if is_measured:
        # The carrier makes septets of its default alphabet, so it is by septets that the text must be measured.
        try:
            septets = encode(decode(payload, encoding), "gsm")
        except TextFault:
            if encoding == "utf8":  # or UCS2, where GSM lacks a letter
                measured = encode(decode(payload, encoding, "replace"), "ucs2")
                return [encode(decode(part, "ucs2"), encoding) for part in split(measured, "ucs2", room, header)]
        else:
            parts = [decode(part, "gsm") for part in split(septets, "gsm", room, header)]
            return [encode(part, encoding) for part in parts] if encoding == "utf8" else _sliced(payload, parts)
    return split(payload, encoding, room, header, wording.shift)


def _sliced(payload: bytes, parts: list[str]) -> list[bytes]:
    """Octets of one letter each, cut where the text was."""
    ends = list(itertools.accumulate(map(len, parts)))
    return [payload[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _in_alphabet(text: str, udh: bytes, alphabet: str) -> Wording | None:
    try:
        return Wording(0, alphabet, encode(text, alphabet), udh)
    except TextFault:
        return None


def _wide(message: Message, text: str, udh: bytes, alphabet: str) -> Wording:
    """In UCS2, which carries everything."""
    if message.encoding == "ucs2":
        return Wording(message.data_coding or data_coding_of("ucs2", alphabet), "ucs2", message.payload, udh)
    return Wording(data_coding_of("ucs2", alphabet), "ucs2", encode(text, "ucs2"), udh)


def _freely(message: Message, text: str, udh: bytes, manner: Manner) -> Wording:
    """The link's alphabet where it carries the text, else what is allowed to be put in the place of UCS2. A text that
    its sender wrote in UCS2 by name stays so where nothing is saved by another."""
    alphabet = manner.alphabet
    level = stronger(manner.transliterate, message.transliterate)
    is_wide = message.data_coding == _CODING_UCS2
    plain = _in_alphabet(text, udh, alphabet)
    if plain is not None and (not is_wide or level != OFF):
        return plain
    wide = _wide(message, text, udh, alphabet)
    if manner.languages and (shift := best_shift(text, manner.languages)) is not None:
        narrow = Wording(0, "gsm", encode(text, "gsm", shift), joined(udh, shift_header(shift)))
        if len(parts_of(narrow, manner)) < len(parts_of(wide, manner)):
            return narrow
    near = fitted(text, alphabet, level)
    return Wording(0, alphabet, encode(near[0], alphabet), udh, near[1]) if near is not None else wide


def _part(message: Message, recoded: Wording, alphabet: str) -> Wording:
    """One part that its sender cut. If it would outgrow its SMS it can't be cut again: it keeps its octets and names
    their alphabet. Raises TextFault where that has no name (UTF-8)."""
    room = SMS_SIZE - (len(recoded.udh) or CONCAT_8_SIZE)  # the carrier makes a header of SAR
    if len(_cut(recoded, room, CONCAT_8_SIZE)) == 1:
        return recoded
    encoding = message.encoding
    data_coding = _EXPLICIT_GSM if encoding == "gsm" else data_coding_of(encoding, alphabet)
    return Wording(data_coding, encoding, message.payload, message.udh)
