"""In which alphabet a message's text goes over a link, and in which octets: kept where it can be, else recoded.

Knows no request and no connection; the same message gets the same octets after a restart.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from gatewayd.carriers.transliteration import OFF, fitted, stronger
from gatewayd.config import schema
from gatewayd.message import Message
from protocol.smpp.headers import NO_SHIFT, SHIFT_ELEMENTS, Shift, joined, shift_header, shift_of, without
from protocol.smpp.parts import split
from protocol.smpp.shifts import best_shift, identifiers_of
from protocol.smpp.text import TextFault, data_coding_of, decode, encode

SMS_SIZE: Final = 140  # octets of one SMS on the air (TS 23.040 9.2.3.16)
_CONCAT_8_SIZE, _CONCAT_16_SIZE = 6, 7  # the header of a part
_CODING_UCS2: Final = 0x08
_EXPLICIT_GSM: Final = 0xF1  # 5.2.19: class 1, the ordinary one, in the GSM alphabet whatever the default is


class Manner(msgspec.Struct, frozen=True):
    """How a link wants texts: what data_coding 0 means, whether septets are packed, which national languages may be
    used (by their identifiers), how far a text may be changed, and how a long one is cut."""

    alphabet: str = "gsm"
    is_packed: bool = False
    languages: tuple[int, ...] = ()
    transliterate: str = OFF
    cut: str = "udh8"

    @property
    def concat_size(self) -> int:
        """Octets of the header that makes a part a part; of SAR TLVs, the carrier makes the narrow one."""
        return _CONCAT_16_SIZE if self.cut == "udh16" else _CONCAT_8_SIZE


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


def wording_of(message: Message, manner: Manner) -> Wording:
    """A message's text as a link is given it."""
    data_coding, encoding, alphabet = message.data_coding, message.encoding, manner.alphabet
    as_it_came = Wording(data_coding, encoding, message.payload, message.udh)
    if encoding == "binary":
        return as_it_came if data_coding else as_it_came._replace(data_coding=data_coding_of(encoding, alphabet))
    is_free = message.concat is None and bool(manner.languages or manner.transliterate != OFF or message.transliterate)
    if data_coding and not (is_free and encoding == "ucs2" and data_coding == _CODING_UCS2):
        return as_it_came
    if encoding == alphabet:
        return as_it_came
    text = decode(message.payload, encoding, "replace", as_it_came.shift)
    udh = without(message.udh, SHIFT_ELEMENTS) if as_it_came.shift != NO_SHIFT else message.udh
    if is_free:
        level = stronger(manner.transliterate, message.transliterate)
        return _freely(message, text, udh, manner, level)
    recoded = _in_alphabet(text, udh, alphabet) or _wide(message, text, udh, alphabet)
    return recoded if message.concat is None else _part(recoded, as_it_came, alphabet)


def parts_of(wording: Wording, manner: Manner) -> list[bytes]:
    """The payload whole, or cut for parts that bear the wording's header and one of concatenation."""
    header = manner.concat_size - bool(wording.udh)  # the octet that tells a header's length is there already
    return _cut(wording, SMS_SIZE - len(wording.udh), header)


def _cut(wording: Wording, room: int, header: int) -> list[bytes]:
    payload, encoding = wording.payload, wording.encoding
    if wording.data_coding == 0 and encoding in ("latin1", "ascii", "utf8"):
        # The carrier makes septets of its default alphabet, so it is by septets that the text must be measured.
        try:
            septets = encode(decode(payload, encoding), "gsm")
        except TextFault:
            if encoding == "utf8":  # or UCS2, where GSM lacks a letter
                measured = encode(decode(payload, encoding, "replace"), "ucs2")
                return [encode(decode(part, "ucs2"), encoding) for part in split(measured, "ucs2", room, header)]
        else:
            return [encode(decode(part, "gsm"), encoding) for part in split(septets, "gsm", room, header)]
    return split(payload, encoding, room, header, wording.shift)


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


def _freely(message: Message, text: str, udh: bytes, manner: Manner, level: str) -> Wording:
    """The link's alphabet where it carries the text, else what is allowed to be put in the place of UCS2. A text that
    its sender wrote in UCS2 by name stays so where nothing is saved by another."""
    alphabet = manner.alphabet
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


def _part(recoded: Wording, as_it_came: Wording, alphabet: str) -> Wording:
    """One part that its sender cut. If it would outgrow its SMS it can't be cut again: it keeps its octets and names
    their alphabet. Raises TextFault where that has no name (UTF-8)."""
    room = SMS_SIZE - (len(recoded.udh) or _CONCAT_8_SIZE)  # the carrier makes a header of SAR
    if len(_cut(recoded, room, _CONCAT_8_SIZE)) == 1:
        return recoded
    encoding = as_it_came.encoding
    return as_it_came._replace(data_coding=_EXPLICIT_GSM if encoding == "gsm" else data_coding_of(encoding, alphabet))
