"""Every TLV of SMPP 3.4 (section 5.3.2) and 5.0 (section 4.8.4) as one row: what it may hold and where it may stand.

Knows how a row reads; what follows from one that a peer broke is for ``tlvs`` and whoever asks it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from protocol.smpp.constants import INTERFACE_VERSION, VERSION_5_0, MessageState, Tag


class Form(enum.StrEnum):
    """How a value is written (3.4 section 3.1)."""

    INTEGER = "integer"
    BITS = "bit mask"
    C_STRING = "C-octet string"
    OCTETS = "octet string"


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A part of a value that has a meaning of its own.

    Of a bit mask ``mask`` picks it; of an octet string it is the next ``size`` octets, 0 for all that are left.
    """

    name: str
    size: int = 0
    mask: int = 0
    words: Mapping[int, str] = {}


class Definition(msgspec.Struct, frozen=True, gc=False):
    """One TLV. Sizes are octets of the value, the NUL of a C-octet string included.

    ``value_min`` and ``value_max`` bound an integer where the standard closes its range; named values leave room
    for others. ``section_3_4`` is empty for what came with 5.0. ``places``: the PDUs that list it, in either version.
    """

    tag: int
    name: str
    form: Form
    size_min: int
    size_max: int
    version: int
    section_3_4: str
    section_5_0: str
    places: tuple[str, ...]
    words: Mapping[int, str] = {}
    pieces: tuple[Piece, ...] = ()
    value_min: int = 0
    value_max: int | None = None
    unit: str = ""


_SUBMIT: Final = ("submit_sm", "submit_multi", "data_sm")
_ALL: Final = (*_SUBMIT, "deliver_sm")
_TALK: Final = ("submit_sm", "data_sm", "deliver_sm")
_ONE: Final = ("submit_sm", "data_sm")
_UP: Final = ("deliver_sm", "data_sm")
_ANSWERS: Final = ("submit_sm_resp", "submit_multi_resp", "data_sm_resp", "deliver_sm_resp")
_BINDS: Final = ("bind_transmitter_resp", "bind_receiver_resp", "bind_transceiver_resp")
_CAST: Final = ("broadcast_sm",)
_CAST_ASKED: Final = ("query_broadcast_sm", "query_broadcast_sm_resp", "cancel_broadcast_sm")
_SUBMIT_CAST: Final = (*_SUBMIT, *_CAST)
_ALL_CAST: Final = (*_ALL, *_CAST)
_PAYLOADS: Final = (*_ALL, "replace_sm", "broadcast_sm")

_NO_YES: Final = {0: "no", 1: "yes"}
_SUBUNITS: Final = {
    0: "unknown",
    1: "handset's display",
    2: "mobile equipment",
    3: "smart card 1",
    4: "external unit 1",
}
_NETWORKS: Final = {
    0: "unknown",
    1: "GSM",
    2: "ANSI-136 (TDMA)",
    3: "IS-95 (CDMA)",
    4: "PDC",
    5: "PHS",
    6: "iDEN",
    7: "AMPS",
    8: "paging network",
}
_BEARERS: Final = {
    0: "unknown",
    1: "SMS",
    2: "circuit switched data",
    3: "packet data",
    4: "USSD",
    5: "CDPD",
    6: "DataTAC",
    7: "FLEX or ReFLEX",
    8: "cell broadcast",
}
_LANGUAGES: Final = {0: "unspecified", 1: "English", 2: "French", 3: "Spanish", 4: "German", 5: "Portuguese"}
_LOAD: Final = {0: "idle", 1: "low", 30: "medium", 50: "high", 70: "optimum", 80: "nearing congestion", 90: "congested"}
_NETWORK_ERRORS: Final = {
    1: "ANSI-136 access denied",
    2: "IS-95 access denied",
    3: "GSM",
    4: "ANSI-136 cause",
    5: "IS-95 cause",
    6: "ANSI-41 error",
    7: "SMPP error",
    8: "message centre's own",
}
_STATES: Final = {int(state): state.name for state in MessageState}
_REPLIES: Final = {
    0: "digit",
    1: "number",
    2: "telephone number",
    3: "password",
    4: "line of text",
    5: "menu",
    6: "date",
    7: "time",
    8: "continue",
}
_USSD: Final = {
    0: "PSSD indication",
    1: "PSSR indication",
    2: "USSR request",
    3: "USSN request",
    16: "PSSD response",
    17: "PSSR response",
    18: "USSR confirm",
    19: "USSN confirm",
}
_UNITS: Final = {
    0: "as often as possible",
    8: "seconds",
    9: "minutes",
    10: "hours",
    11: "days",
    12: "weeks",
    13: "months",
    14: "years",
}
TON_WORDS: Final[Mapping[int, str]] = {
    0: "unknown",
    1: "international",
    2: "national",
    3: "network specific",
    4: "subscriber",
    5: "alphanumeric",
    6: "abbreviated",
}
"""Type of number in words (3.4 section 5.2.5)."""
NPI_WORDS: Final[Mapping[int, str]] = {
    0: "unknown",
    1: "ISDN (E.164)",
    3: "data (X.121)",
    4: "telex (F.69)",
    6: "land mobile (E.212)",
    8: "national",
    9: "private",
    10: "ERMES",
    14: "internet (IP)",
    18: "WAP client id",
}
"""Numbering plan in words (3.4 section 5.2.6)."""

_SUBADDRESS: Final = (
    Piece("type", 1, words={0x80: "NSAP, even", 0x88: "NSAP, odd", 0xA0: "user specified"}),
    Piece("subaddress"),
)
_CALLBACK: Final = (
    Piece("digit_mode", 1, words={0: "TBCD", 1: "ASCII"}),
    Piece("ton", 1, words=TON_WORDS),
    Piece("npi", 1, words=NPI_WORDS),
    Piece("digits"),
)
_WAITING: Final = (
    Piece("indicator", mask=0x80, words={0: "off", 1: "on"}),
    Piece("type", mask=0x03, words={0: "voicemail", 1: "fax", 2: "e-mail", 3: "other"}),
)
_PRESENTATION: Final = (
    Piece("presentation", mask=0x0C, words={0: "allowed", 1: "restricted", 2: "number not available"}),
    Piece(
        "screening",
        mask=0x03,
        words={0: "not screened", 1: "verified and passed", 2: "verified and failed", 3: "network provided"},
    ),
)
_SESSION: Final = (Piece("session", 1), Piece("sequence_and_end", 1))
_ERROR: Final = (Piece("network_type", 1, words=_NETWORK_ERRORS), Piece("error_code", 2))
_CONTENT: Final = (
    Piece("network_type", 1, words={0: "generic", 1: "GSM", 2: "TDMA", 3: "CDMA"}),
    Piece("content_type", 2),
)
_INTERVAL: Final = (Piece("unit", 1, words=_UNITS), Piece("number", 2))
_AREA: Final = (Piece("format", 1, words={0: "alias or name", 1: "ellipsoid arc", 2: "polygon"}), Piece("details"))


def _row(
    tag: Tag, form: Form, sizes: tuple[int, int], sections: str, places: tuple[str, ...], **more: object
) -> Definition:
    """``sections``: "<of 5.3.2> <of 4.8.4>", the first a dash for what came with 5.0."""
    old, new = sections.split()
    version = VERSION_5_0 if old == "-" else INTERFACE_VERSION
    old = "" if old == "-" else f"5.3.2.{old}"
    name = tag.name.lower()
    return Definition(tag, name, form, *sizes, version, old, f"4.8.4.{new}", places, **more)  # type: ignore[arg-type]


def _int(tag: Tag, size: int, sections: str, places: tuple[str, ...], **more: object) -> Definition:
    return _row(tag, Form.INTEGER, (size, size), sections, places, **more)


def _octets(tag: Tag, sizes: tuple[int, int], sections: str, places: tuple[str, ...], *pieces: Piece) -> Definition:
    return _row(tag, Form.OCTETS, sizes, sections, places, pieces=pieces)


def _words(tag: Tag, sizes: tuple[int, int], sections: str, places: tuple[str, ...]) -> Definition:
    return _row(tag, Form.C_STRING, sizes, sections, places)


_ROWS: Final = (
    _int(Tag.DEST_ADDR_SUBUNIT, 1, "1 23", _SUBMIT_CAST, words=_SUBUNITS),
    _int(Tag.DEST_NETWORK_TYPE, 1, "3 26", _ONE, words=_NETWORKS),
    _int(Tag.DEST_BEARER_TYPE, 1, "5 24", _ONE, words=_BEARERS),
    _int(Tag.DEST_TELEMATICS_ID, 2, "7 29", _ONE),
    _int(Tag.SOURCE_ADDR_SUBUNIT, 1, "2 54", _SUBMIT_CAST, words=_SUBUNITS),
    _int(Tag.SOURCE_NETWORK_TYPE, 1, "4 57", _ONE, words=_NETWORKS),
    _int(Tag.SOURCE_BEARER_TYPE, 1, "6 55", _ONE, words=_BEARERS),
    _int(Tag.SOURCE_TELEMATICS_ID, 1, "8 61", _ONE),
    _int(Tag.QOS_TIME_TO_LIVE, 4, "9 46", _ONE, unit="s"),
    _int(Tag.PAYLOAD_TYPE, 1, "10 44", _ALL_CAST, words={0: "default (WDP)", 1: "WCMP"}),
    _words(Tag.ADDITIONAL_STATUS_INFO_TEXT, (1, 256), "11 1", _ANSWERS),
    _words(Tag.RECEIPTED_MESSAGE_ID, (1, 65), "12 47", _UP),
    _row(Tag.MS_MSG_WAIT_FACILITIES, Form.BITS, (1, 1), "13 40", _SUBMIT, pieces=_WAITING),
    _int(
        Tag.PRIVACY_INDICATOR,
        *(1, "14 45", _ALL_CAST),
        words={0: "not restricted", 1: "restricted", 2: "confidential", 3: "secret"},
        value_max=3,
    ),
    _octets(Tag.SOURCE_SUBADDRESS, (2, 23), "15 60", _ALL_CAST, *_SUBADDRESS),
    _octets(Tag.DEST_SUBADDRESS, (2, 23), "16 28", _ALL_CAST, *_SUBADDRESS),
    _int(Tag.USER_MESSAGE_REFERENCE, 2, "17 62", (*_ALL_CAST, *_CAST_ASKED)),
    _int(Tag.USER_RESPONSE_CODE, 1, "18 63", _TALK),
    _int(Tag.SOURCE_PORT, 2, "20 59", _ALL_CAST),
    _int(Tag.DESTINATION_PORT, 2, "21 30", _ALL_CAST),
    _int(Tag.SAR_MSG_REF_NUM, 2, "22 48", _ALL),
    _int(Tag.LANGUAGE_INDICATOR, 1, "19 35", _ALL_CAST, words=_LANGUAGES),
    _int(Tag.SAR_TOTAL_SEGMENTS, 1, "23 50", _ALL, value_min=1),
    _int(Tag.SAR_SEGMENT_SEQNUM, 1, "24 49", _ALL, value_min=1),
    _int(Tag.SC_INTERFACE_VERSION, 1, "25 51", _BINDS, words={0x33: "3.3", 0x34: "3.4", 0x50: "5.0"}),
    _row(Tag.CALLBACK_NUM_PRES_IND, Form.BITS, (1, 1), "37 17", _ALL_CAST, pieces=_PRESENTATION),
    _octets(Tag.CALLBACK_NUM_ATAG, (0, 65), "38 16", _ALL_CAST, Piece("data_coding", 1), Piece("characters")),
    _int(Tag.NUMBER_OF_MESSAGES, 1, "39 43", _ONE, value_max=99),
    _octets(Tag.CALLBACK_NUM, (4, 19), "36 15", _ALL_CAST, *_CALLBACK),
    _int(Tag.DPF_RESULT, 1, "28 32", ("data_sm_resp", "submit_sm_resp"), words={0: "not set", 1: "set"}, value_max=1),
    _int(Tag.SET_DPF, 1, "29 52", _ONE, words=_NO_YES, value_max=1),
    _int(
        Tag.MS_AVAILABILITY_STATUS,
        *(1, "30 39", ("alert_notification",)),
        words={0: "available", 1: "denied", 2: "unavailable"},
    ),
    _octets(Tag.NETWORK_ERROR_CODE, (3, 3), "31 42", ("deliver_sm", "data_sm", *_ANSWERS), *_ERROR),
    _octets(Tag.MESSAGE_PAYLOAD, (0, 0xFFFF), "32 36", _PAYLOADS),
    _int(
        Tag.DELIVERY_FAILURE_REASON,
        *(1, "33 19", _ANSWERS),
        words={0: "unavailable", 1: "invalid address", 2: "permanent network error", 3: "temporary network error"},
    ),
    _int(Tag.MORE_MESSAGES_TO_SEND, 1, "34 38", _ONE, words=_NO_YES, value_max=1),
    _int(Tag.MESSAGE_STATE, 1, "35 37", ("deliver_sm", "data_sm", "query_broadcast_sm_resp"), words=_STATES),
    _int(
        Tag.CONGESTION_STATE,
        *(1, "- 18", (*_BINDS, *_ANSWERS, "query_sm_resp", "cancel_sm_resp", "replace_sm_resp")),
        words=_LOAD,
        value_max=100,
    ),
    _int(Tag.USSD_SERVICE_OP, 1, "44 64", _TALK, words=_USSD),
    _int(Tag.BROADCAST_CHANNEL_INDICATOR, 1, "- 7", _CAST, words={0: "basic", 1: "extended"}, value_max=1),
    _octets(Tag.BROADCAST_CONTENT_TYPE, (3, 3), "- 8", (*_CAST, "cancel_broadcast_sm"), *_CONTENT),
    _octets(Tag.BROADCAST_CONTENT_TYPE_INFO, (1, 255), "- 6", _CAST),
    _int(Tag.BROADCAST_MESSAGE_CLASS, 1, "- 12", _CAST, words={0: "none", 1: "class 1", 2: "class 2", 3: "class 3"}),
    _int(Tag.BROADCAST_REP_NUM, 2, "- 13", _CAST),
    _octets(Tag.BROADCAST_FREQUENCY_INTERVAL, (3, 3), "- 11", _CAST, *_INTERVAL),
    _octets(
        Tag.BROADCAST_AREA_IDENTIFIER, (1, 101), "- 4", (*_CAST, "broadcast_sm_resp", "query_broadcast_sm_resp"), *_AREA
    ),
    _int(Tag.BROADCAST_ERROR_STATUS, 4, "- 10", ("broadcast_sm_resp",)),
    _int(Tag.BROADCAST_AREA_SUCCESS, 1, "- 5", ("query_broadcast_sm_resp",), words={255: "not known"}, unit="%"),
    _words(Tag.BROADCAST_END_TIME, (1, 17), "- 9", ("query_broadcast_sm_resp",)),
    _octets(Tag.BROADCAST_SERVICE_GROUP, (1, 255), "- 14", _CAST),
    _octets(Tag.BILLING_IDENTIFICATION, (1, 1024), "- 3", _SUBMIT, Piece("format", 1), Piece("data")),
    _words(Tag.SOURCE_NETWORK_ID, (7, 65), "- 56", _ALL),
    _words(Tag.DEST_NETWORK_ID, (7, 65), "- 25", _ALL),
    _octets(Tag.SOURCE_NODE_ID, (6, 6), "- 58", _ALL),
    _octets(Tag.DEST_NODE_ID, (6, 6), "- 27", _ALL),
    _int(
        Tag.DEST_ADDR_NP_RESOLUTION,
        *(1, "- 22", _ALL),
        words={0: "not asked", 1: "asked, not ported", 2: "asked, ported"},
    ),
    _octets(Tag.DEST_ADDR_NP_INFORMATION, (10, 10), "- 21", _ALL),
    _octets(Tag.DEST_ADDR_NP_COUNTRY, (1, 5), "- 20", _ALL),
    _int(Tag.DISPLAY_TIME, 1, "26 31", _SUBMIT_CAST, words={0: "temporary", 1: "default", 2: "invoke"}),
    _int(Tag.SMS_SIGNAL, 2, "40 53", _SUBMIT_CAST),
    _octets(
        Tag.MS_VALIDITY,
        (1, 4),
        "27 41",
        _SUBMIT_CAST,
        Piece(
            "behaviour",
            1,
            words={
                0: "store indefinitely",
                1: "until power down",
                2: "while in this area",
                3: "display only",
                4: "for",
            },
        ),
        Piece("period"),
    ),
    _row(
        Tag.ALERT_ON_MESSAGE_DELIVERY,
        Form.INTEGER,
        (0, 1),
        "41 2",
        _SUBMIT_CAST,
        words={0: "default", 1: "high", 2: "medium", 3: "low"},
    ),
    _int(Tag.ITS_REPLY_TYPE, 1, "42 33", _TALK, words=_REPLIES),
    _octets(Tag.ITS_SESSION_INFO, (2, 2), "43 34", _TALK, *_SESSION),
)

DEFINITIONS: Final[Mapping[int, Definition]] = {row.tag: row for row in _ROWS}
"""Tag → what the standards say of it."""

RANGES: Final[tuple[tuple[int, int, str], ...]] = (
    (0x0000, 0x0000, "reserved"),
    (0x0001, 0x00FF, "reserved for PDUs of the standard"),
    (0x0100, 0x01FF, "reserved"),
    (0x0200, 0x05FF, "reserved for the standard"),
    (0x0600, 0x10FF, "reserved for the standard"),
    (0x1100, 0x11FF, "reserved for the standard"),
    (0x1200, 0x13FF, "reserved for the standard"),
    (0x1400, 0x3FFF, "vendors' own"),
    (0x4000, 0xFFFF, "reserved"),
)
"""Who may define what (3.4 section 5.3.1, 5.0 section 4.8.1): first tag, last tag, whose."""
