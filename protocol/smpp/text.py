"""Text to octets and back, in the alphabets that data_coding can name (SMPP 3.4 5.2.19, TS 23.038).

Knows nothing of PDUs, parts or accounts: what data_coding 0 means is always an argument, and so are the national
language tables that a header names.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Mapping
from typing import Final, Literal

from protocol.smpp.errors import LocalFault
from protocol.smpp.headers import NO_SHIFT, Shift
from protocol.smpp.national import locking_table, single_table

ENCODINGS: Final = (
    "gsm",
    "latin1",
    "ascii",
    "ucs2",
    "utf8",
    "cyrillic",
    "hebrew",
    "iso2022jp",
    "euckr",
    "binary",
)
LOOSE_ENCODINGS: Final = frozenset({"cyrillic", "hebrew", "iso2022jp", "euckr"})
"""Those that only a data_coding names, and that people use with other meanings: what is no text in them is octets."""

_ESC: Final = "\x1b"
_NONE: Final = "\ufffe"  # how the charmap codec is told that an octet has no meaning

# TS 23.038 6.2.1, in order of the septets; the escape is the one that is no character.
GSM_DEFAULT: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# TS 23.038 6.2.1.1: what follows the escape.
GSM_EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

_DECODE_TABLE: Final = GSM_DEFAULT + _NONE * 128
_ENCODE_PLAIN: Final = codecs.charmap_build(_DECODE_TABLE.replace(_ESC, _NONE))
_EXTENDED: Final = {GSM_DEFAULT[septet]: char for septet, char in GSM_EXTENSION.items()} | {_ESC: " ", "": " "}
_ESCAPED: Final = re.compile(r"\x1b(.?)", re.DOTALL)
_CODEC: Final = {
    "latin1": "latin-1",  # to write; what is read, see _LATIN1
    "ascii": "ascii",
    "ucs2": "utf-16-be",
    "utf8": "utf-8",
    "cyrillic": "iso8859-5",
    "hebrew": "iso8859-8",
    "iso2022jp": "iso2022-jp",
    "euckr": "euc-kr",
}

# Applications that say Latin-1 send Windows' quotation marks, dashes and euro sign, in octets that mean nothing there
# but controls, which no text has; the five that Windows leaves free stay what they are.
_WINDOWS: Final = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ"
_LATIN1: Final = "".join(map(chr, range(0x80))) + _WINDOWS + "".join(map(chr, range(0xA0, 0x100)))

Errors = Literal["strict", "replace"]


class TextFault(LocalFault):
    """A text that an alphabet cannot carry, or octets that are no text in it.

    ``position`` is the first offending character (encode) or octet (decode), counted from 0. The text itself is
    never part of the fault.
    """

    def __init__(self, kind: str, position: int) -> None:
        super().__init__(kind, detail=f"position {position}")
        self.position = position


def encode(text: str, encoding: str, shift: Shift = NO_SHIFT) -> bytes:
    """Return the octets of a text; GSM is unpacked, one septet an octet, by the national language tables of ``shift``.

    Raises TextFault (``unencodable``) when the alphabet lacks a character; ``binary`` carries no text at all.
    """
    if encoding == "gsm":
        return _encode_gsm(text, shift)
    codec = _CODEC.get(encoding)
    if codec is None:
        raise TextFault("no_text", 0)
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise TextFault("unencodable", error.start) from None


def decode(payload: bytes, encoding: str, errors: Errors = "strict", shift: Shift = NO_SHIFT) -> str:
    """Return the text of octets; of GSM by the national language tables of ``shift``, as ``shift_of`` a header says.
    Latin-1's controls from 0x80 on are read as what Windows has there: people mean those.

    Raises TextFault (``undecodable``) for octets that mean nothing, for half a UCS2 unit and for half a surrogate
    pair; ``binary`` never is text. With ``errors="replace"`` nothing is raised and U+FFFD stands for each of them.
    """
    try:
        if encoding == "gsm":
            if shift != NO_SHIFT:
                return _decode_shifted(payload, errors, shift)
            text = codecs.charmap_decode(payload, errors, _DECODE_TABLE)[0]
            return _ESCAPED.sub(_unescape, text) if _ESC in text else text
        if encoding == "latin1":
            return codecs.charmap_decode(payload, errors, _LATIN1)[0]
        codec = _CODEC.get(encoding)
        if codec is not None:
            return payload.decode(codec, errors)
    except UnicodeDecodeError as error:
        raise TextFault("undecodable", error.start) from None
    if errors == "strict":
        raise TextFault("no_text", 0)
    return "\ufffd" * len(payload)


def best_encoding(text: str) -> Literal["gsm", "ucs2"]:
    """Return the cheapest alphabet that carries every character of a text."""
    try:
        _encode_gsm(text, NO_SHIFT)
    except TextFault:
        return "ucs2"
    return "gsm"


def encoding_of(data_coding: int, default: str) -> str:
    """Return the encoding that a data_coding names (5.2.19); ``default`` is what 0 means by agreement.

    The GSM groups follow TS 23.038 section 4: message waiting (0xC0 to 0xEF) and message class (0xF0 to 0xFF).
    0x10 to 0x1F are reserved in SMPP, but senders of flash messages use them with their TS 23.038 meaning.
    0x40 to 0x5F (automatic deletion) are read likewise; compressed ones (0x20 to 0x3F, 0x60 to 0x7F) and what we cannot
    read (pictograms, JIS whose form nobody names, reserved values) are ``binary``: passed through, never read.
    """
    return _ENCODING_OF[data_coding] if 0 < data_coding < 256 else default if data_coding == 0 else "binary"


def data_coding_of(encoding: str, default: str) -> int:
    """Return the data_coding that announces an encoding, 0 when it is the agreed default.

    Raises TextFault (``no_data_coding``) for GSM and UTF-8 where the default is another alphabet: SMPP has no plain
    code for them.
    """
    if encoding == default:
        return 0
    data_coding = _DATA_CODING_OF.get(encoding)
    if data_coding is None:
        raise TextFault("no_data_coding", 0)
    return data_coding


@functools.lru_cache(maxsize=256)  # a stranger may name any two of 256
def letters_of(shift: Shift) -> Mapping[int, bytes]:
    """Return what each code point becomes under national language tables: one septet, or two with the escape."""
    base = locking_table(shift[0]) or dict(enumerate(GSM_DEFAULT))
    extension = single_table(shift[1]) or GSM_EXTENSION
    letters: dict[int, bytes] = {}
    # A letter that stands twice has its first place, and one without escape before one with.
    for septet, char in base.items():
        if char != _ESC:
            letters.setdefault(ord(char), bytes((septet,)))
    for septet, char in extension.items():
        letters.setdefault(ord(char), bytes((0x1B, septet)))
    return letters


def _decode_shifted(payload: bytes, errors: Errors, shift: Shift) -> str:
    """6.2.1.2: the locking shift's table stands for the default alphabet's, the single shift's for its extension."""
    base, extension = _reading(shift)
    chars = []
    is_escaped = False
    for position, octet in enumerate(payload):
        if octet > 0x7F:
            if errors == "strict":
                raise TextFault("undecodable", position)
            chars.append("\ufffd")
            is_escaped = False
        elif is_escaped:
            chars.append(extension.get(octet) or base[octet])
            is_escaped = False
        elif octet == 0x1B:
            is_escaped = True
        else:
            chars.append(base[octet])
    if is_escaped:
        chars.append(" ")
    return "".join(chars)


@functools.lru_cache(maxsize=256)  # a stranger may name any two of 256
def _reading(shift: Shift) -> tuple[str, Mapping[int, str]]:
    """What septets mean, and what they mean behind an escape. Tables that nobody knows are the default's."""
    locking = locking_table(shift[0])
    base = GSM_DEFAULT if locking is None else "".join(locking.get(septet, " ") for septet in range(128))
    extension = single_table(shift[1]) or GSM_EXTENSION
    return base.replace(_ESC, " "), extension


def _encode_gsm(text: str, shift: Shift) -> bytes:
    if shift == NO_SHIFT:
        try:
            return codecs.charmap_encode(text, "strict", _ENCODE_PLAIN)[0]
        except UnicodeEncodeError:
            pass  # most texts have no extended character; those that do take the slower table
    try:
        return codecs.charmap_encode(text, "strict", letters_of(shift))[0]
    except UnicodeEncodeError as error:
        raise TextFault("unencodable", error.start) from None


def _unescape(escaped: re.Match[str]) -> str:
    # 6.2.1.1: an escape before an undefined code shows the default table's character, a lone or doubled one a space.
    char = escaped[1]
    return _EXTENDED.get(char, char)


def _data_coding_table() -> tuple[str, ...]:
    table = ["binary"] * 256
    table[0x01] = "ascii"
    table[0x03] = "latin1"
    table[0x06] = "cyrillic"
    table[0x07] = "hebrew"
    table[0x08] = "ucs2"
    table[0x0A] = "iso2022jp"
    table[0x0E] = "euckr"
    by_alphabet_bits = ("gsm", "binary", "ucs2", "binary")
    for low in range(16):
        table[0x10 + low] = table[0x40 + low] = table[0x50 + low] = by_alphabet_bits[low >> 2]
        table[0xC0 + low] = table[0xD0 + low] = "gsm"
        table[0xE0 + low] = "ucs2"
        table[0xF0 + low] = "binary" if low & 0x04 else "gsm"
    return tuple(table)


_ENCODING_OF: Final = _data_coding_table()
_DATA_CODING_OF: Final = {
    "ascii": 0x01,
    "latin1": 0x03,
    "binary": 0x04,
    "cyrillic": 0x06,
    "hebrew": 0x07,
    "ucs2": 0x08,
    "iso2022jp": 0x0A,
    "euckr": 0x0E,
}
