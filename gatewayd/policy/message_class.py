"""What a payload is to those who bill it: its length in UTF-8, and whether a text is a STOP.

Pure, and without decoding: octets of the GSM alphabet are weighed by a table. Knows no wire format.
"""

from __future__ import annotations

from typing import Final

from gatewayd.message import Encoding

_ESCAPE: Final = 0x1B
_EURO: Final = 0x65
# The octets of GSM 03.38 whose characters need two octets of UTF-8; of all others one.
_TWO_OCTETS: Final = frozenset(
    (1, 3, *range(4, 10), 11, 12, 14, 15, 16, *range(18, 27), 28, 29, 30, 31, 36, 64, *range(91, 97), *range(123, 128))
)
_STOPS: Final = frozenset({"STOP", "STOPALL", "STOP ALL", "ARRET", "ARRÊT", "UNSUBSCRIBE", "DESABONNEMENT"})


def utf8_length(payload: bytes, encoding: Encoding) -> int:
    """How many octets of UTF-8 a text is; octets that are no text count as they are."""
    match encoding:
        case Encoding.GSM:
            return _gsm_length(payload)
        case Encoding.UCS2:
            return len(payload.decode("utf-16-be", "replace").encode())
        case Encoding.LATIN1:
            return len(payload) + sum(octet > 0x7F for octet in payload)
        case _:
            return len(payload)


def _gsm_length(payload: bytes) -> int:
    length, is_escaped = 0, False
    for octet in payload:
        if is_escaped:
            length += 3 if octet == _EURO else 1
            is_escaped = False
        elif octet == _ESCAPE:
            is_escaped = True
        else:
            length += 2 if octet in _TWO_OCTETS else 1
    return length


def is_stop(payload: bytes, encoding: Encoding) -> bool:
    """Whether a handset wants no more: one of the words for it, alone."""
    codec = "utf-16-be" if encoding is Encoding.UCS2 else "latin-1"
    # Behind an escape Latin letters have their usual places, in the tables of Indian languages too (TS 23.038 A.2).
    return payload.replace(b"\x1b", b"").decode(codec, "replace").strip(" .!\r\n").upper() in _STOPS
