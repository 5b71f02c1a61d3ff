"""Delivery receipts: building and reading their text (SMPP 3.4 appendix B) and their TLVs.

Knows no message, no carrier and no clock; how the ids inside are compared is ``receipt_ids``' business.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from protocol.smpp.constants import (
    ESM_CONVERSATION_ABORT,
    ESM_DELIVERY_ACK,
    ESM_INTERMEDIATE,
    ESM_RECEIPT,
    ESM_TYPE_MASK,
    ESM_USER_ACK,
    Tag,
)
from protocol.smpp.errors import LocalFault

Tlvs = tuple[tuple[int, bytes], ...]

_TEXT_MAX: Final = 20
_ID_MAX: Final = 255
# Plain integers: comparing with an enumeration's member costs three times as much.
_RECEIPTED_MESSAGE_ID: Final = int(Tag.RECEIPTED_MESSAGE_ID)
_MESSAGE_STATE: Final = int(Tag.MESSAGE_STATE)
_NETWORK_ERROR_CODE: Final = int(Tag.NETWORK_ERROR_CODE)
_OF_HANDSETS: Final = (ESM_DELIVERY_ACK, ESM_USER_ACK, ESM_CONVERSATION_ABORT)

NO_NETWORK_ERROR: Final = -1
"""No network_error_code came; else it is its three octets as a number: the network's type, and the code."""

# 5.2.28 message_state, 0 and 9 as later versions of SMPP have them.
STATE_OF_NUMBER: Final = {
    0: "ENROUTE",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "UNDELIV",
}
_TLV_OF_WORD: Final = {
    word: (_MESSAGE_STATE, bytes((state,))) for state, word in STATE_OF_NUMBER.items() if 0 < state < 9
}

# Carriers shorten and lengthen the words of appendix B; each begins with one of these, the longest match counts.
_WORD_STEMS: Final = (
    ("UNDEL", "UNDELIV"),
    ("DELIV", "DELIVRD"),
    ("DELET", "DELETED"),
    ("DELVRD", "DELIVRD"),
    ("DLVRD", "DELIVRD"),
    ("EXPIR", "EXPIRED"),
    ("REJ", "REJECTD"),
    ("ACC", "ACCEPTD"),
    ("UNKN", "UNKNOWN"),
    ("ENROUT", "ENROUTE"),
    ("BUFFER", "ENROUTE"),
    ("SCHED", "ENROUTE"),
    ("FAIL", "UNDELIV"),
    ("SKIP", "UNDELIV"),
    ("CANCEL", "DELETED"),
    ("BLOCK", "REJECTD"),
)

_USUAL: Final = re.compile(
    rb"id:(\S{1,255}) sub:\d{1,9} dlvrd:\d{1,9} submit date:\d{6,14} done date:(\d{6,14})"
    rb" stat:([A-Za-z]{6,8}) err:(\w{1,9})(?: |$)"
)
_KEY: Final = rb"(?:id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)"
_FIELD: Final = re.compile(rb"(?<![^\W_])(%b)[ ]*:[ ]*(?!%b[ ]*:)([^\s;]*)" % (_KEY, _KEY), re.IGNORECASE)


class ParsedReceipt(msgspec.Struct, frozen=True, gc=False):
    """What a receipt says. ``state`` is a word of appendix B; ``error`` is the carrier's own code, ``000`` for none.

    ``done`` is when the carrier was done with it: receipts name no time zone, so it is taken as UTC.
    ``network_error`` is that of the TLV. ``words`` are the carrier's own where they are none of appendix B.
    """

    carrier_id: str
    state: str
    error: str
    done: datetime | None
    network_error: int = NO_NETWORK_ERROR
    words: str = ""


def build_text(
    message_id: str,
    state: str,
    submitted_at: datetime,
    done_at: datetime,
    error: str = "000",
    text: bytes = b"",
    word: str = "",
) -> bytes:
    """Return the text of appendix B for one message; twenty octets of its own ``text`` are shown.

    ``word`` stands in the place of the state, for what appendix B has no word for.
    """
    delivered = "001" if state == "DELIVRD" else "000"
    head = (
        f"id:{message_id} sub:001 dlvrd:{delivered} submit date:{_minutes(submitted_at)}"
        f" done date:{_minutes(done_at)} stat:{word or state} err:{error.rjust(3, '0')} text:"
    )
    return head.encode("latin-1") + text[:_TEXT_MAX]


def build_tlvs(message_id: str, state: str, network_error: tuple[int, int] | None = None) -> Tlvs:
    """Return receipted_message_id, message_state and, when given as (network type, code), network_error_code.

    Raises LocalFault (``unknown_state``) for a word that appendix B does not have.
    """
    told = _TLV_OF_WORD.get(state)
    if told is None:
        raise LocalFault("unknown_state", detail="a state must be a word of appendix B")
    tlvs = ((_RECEIPTED_MESSAGE_ID, message_id.encode("latin-1") + b"\x00"), told)
    if network_error is None:
        return tlvs
    network, code = network_error
    return *tlvs, (_NETWORK_ERROR_CODE, bytes((network & 0xFF,)) + (code & 0xFFFF).to_bytes(2, "big"))


def looks_like_receipt(short_message: bytes) -> bool:
    """Return whether a text is one of appendix B to the letter: for carriers that mark receipts by nothing else."""
    return _USUAL.match(short_message) is not None


def state_of_word(word: str) -> str:
    """Return the word of appendix B that a carrier's word stands for, or an empty text."""
    return _state_of(word.encode("latin-1", "replace"))[0] or ""


def is_receipt(esm_class: int, tlvs: Tlvs) -> bool:
    """Return whether a deliver_sm or data_sm is a report of the carrier and not a handset's message (5.2.12).

    The text is never asked: a handset can write whatever it likes. Acknowledgements that a handset sends are its own,
    although they name the message that they are about.
    """
    kind = esm_class & ESM_TYPE_MASK
    if kind in (ESM_RECEIPT, ESM_INTERMEDIATE):
        return True
    if kind in _OF_HANDSETS:
        return False
    return bool(tlvs) and any(tag == _RECEIPTED_MESSAGE_ID for tag, _ in tlvs)


def parse(short_message: bytes, tlvs: Tlvs) -> ParsedReceipt | None:
    """Return what a receipt says, TLVs before text, or None when it names no message or no state we understand.

    ``short_message`` may have its fields in any order and case, with any of them missing.
    """
    usual = _USUAL.match(short_message)
    if usual is not None:
        carrier_id, done, word, error = usual.groups()
    else:
        fields = _fields_of(short_message)
        carrier_id, word = fields.get("id", b""), fields.get("stat", b"")
        done, error = fields.get("donedate", b""), fields.get("err", b"")
    state, words = _state_of(word)
    network_error = NO_NETWORK_ERROR
    for tag, value in tlvs:
        if tag == _RECEIPTED_MESSAGE_ID:
            carrier_id = value.split(b"\x00", 1)[0] or carrier_id
        elif tag == _MESSAGE_STATE and len(value) == 1:
            state = STATE_OF_NUMBER.get(value[0])
        elif tag == _NETWORK_ERROR_CODE and len(value) == 3:
            network_error = int.from_bytes(value, "big")
            error = b"%03d" % (network_error & 0xFFFF)
    if state is None or not 1 <= len(carrier_id) <= _ID_MAX:
        return None
    code = error.decode("latin-1") or "000"
    return ParsedReceipt(
        carrier_id.decode("latin-1"), state, code, _done_of(done), network_error, words and f"{words} {code}"
    )


def _fields_of(short_message: bytes) -> dict[str, bytes]:
    """The fields of a text whose shape is not the usual one.

    What follows ``text:`` is the sender's message and could imitate fields: it is read only for what the rest lacks.
    """
    if short_message.startswith(b"\x00"):
        short_message = short_message[1::2]  # sent as UCS2, although every character is ASCII
    fields: dict[str, bytes] = {}
    quoted: dict[str, bytes] = {}
    into = fields
    for found in _FIELD.finditer(short_message):
        key = found[1].decode().lower().replace(" ", "").replace("_", "")
        if key == "text":
            into = quoted
        elif into is quoted:
            quoted[key] = found[2]
        else:
            fields.setdefault(key, found[2])
    return quoted | fields


@functools.lru_cache(maxsize=256)
def _state_of(word: bytes) -> tuple[str | None, str]:
    """The state, and the carrier's word unless it is the state's."""
    own = word.decode("latin-1")
    upper = own.upper()
    for stem, state in _WORD_STEMS:
        if upper.startswith(stem):
            return state, "" if own == state else own
    return None, own


@functools.lru_cache(maxsize=1024)
def _done_of(digits: bytes) -> datetime | None:
    """YYMMDDhhmm, with seconds or a four-digit year where a carrier adds them."""
    for layout in _LAYOUTS.get(len(digits), ()):
        try:
            return datetime.strptime(digits.decode("latin-1"), layout).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


_LAYOUTS: Final = {10: ("%y%m%d%H%M",), 12: ("%y%m%d%H%M%S", "%Y%m%d%H%M"), 14: ("%Y%m%d%H%M%S",)}


@functools.lru_cache(maxsize=1024)
def _minutes(moment: datetime) -> str:
    return f"{moment:%y%m%d%H%M}"
