"""Which messages are words for a person, and what is left of a header when parts are joined."""

from __future__ import annotations

from typing import Any

import pytest

from gatewayd.message import Encoding, Message
from gatewayd.policy.user_data import handset_only, may_be_special, without_concat

CONCAT = b"\x05\x00\x03\x2a\x03\x02"
PORTS = b"\x06\x05\x04\x0b\x84\x23\xf0"
SHIFT = b"\x03\x24\x01\x01"


def message(**fields: Any) -> Message:
    known: dict[str, Any] = dict.fromkeys(("source_ton", "source_npi", "destination_ton", "destination_npi"), 0)
    known |= {"id": 1, "account": "shop", "source": "", "destination": "", "payload": b"", "accepted_at": 0.0}
    return Message(**(known | {"encoding": Encoding.GSM} | fields))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, ""),
        ({"udh": CONCAT}, ""),
        ({"udh": b"\x06\x08\x04\x01\x2a\x03\x02"}, ""),
        ({"udh": SHIFT}, ""),
        ({"udh": b"\x06\x24\x01\x06\x25\x01\x06"}, ""),
        ({"udh": b"\x05\x0a\x03\x00\x05\x10"}, ""),  # bold letters
        ({"udh": PORTS}, "user_data_header"),
        ({"udh": b"\x0b" + CONCAT[1:] + PORTS[1:]}, "user_data_header"),
        ({"udh": b"\x02\x70\x00"}, "user_data_header"),  # the card's toolkit
        ({"udh": b"\x04\x01\x02\x80\x01"}, "user_data_header"),  # a voice mail waits
        ({"encoding": Encoding.BINARY, "data_coding": 4}, "binary"),
        ({"data_coding": 0xC8}, "message_waiting"),
        ({"data_coding": 0xE0, "encoding": Encoding.UCS2}, "message_waiting"),
        ({"data_coding": 0xF0}, "flash"),
        ({"data_coding": 0x10}, "flash"),
        ({"data_coding": 0x18, "encoding": Encoding.UCS2}, "flash"),
        ({"data_coding": 0x50}, "flash"),
        ({"data_coding": 0xF1}, ""),
        ({"data_coding": 0x11}, ""),
        ({"data_coding": 8, "encoding": Encoding.UCS2}, ""),
        ({"data_coding": 0xF2}, "for_the_card"),
        ({"data_coding": 0x13}, "for_terminal_equipment"),
        ({"protocol_id": 0x40}, "silent"),
        ({"protocol_id": 0x41}, ""),  # a replace type: still words
        ({"protocol_id": 0x7F}, "for_the_card"),
        ({"protocol_id": 0x7D}, "for_the_handset"),
        ({"esm_class": 0x08}, "acknowledgement"),
        ({"esm_class": 0x10}, "acknowledgement"),
        ({"esm_class": 0x83}, ""),  # store and forward, with a reply path
        ({"tlvs": ((0x0005, b"\x01"),)}, "flash"),
        ({"tlvs": ((0x0005, b"\x03"),)}, "for_the_card"),
        ({"tlvs": ((0x0005, b"\x00"), (0x020B, b"\x23\xf0"))}, "port"),
        ({"tlvs": ((0x0030, b"\x80"),)}, "message_waiting"),
        ({"tlvs": ((0x0381, b"\x01\x01\x0133"), (0x0204, b"\0\1"))}, ""),
    ],
)
def test_what_only_a_handset_understands(fields: dict[str, Any], word: str) -> None:
    it = message(**fields)
    assert handset_only(it) == word
    assert may_be_special(it) or not word


@pytest.mark.parametrize(
    ("udh", "rest"),
    [
        (b"", b""),
        (CONCAT, b""),
        (b"\x06\x08\x04\x01\x2a\x03\x02", b""),
        (b"\x08" + CONCAT[1:] + SHIFT[1:], SHIFT),
        (b"\x0b" + PORTS[1:] + CONCAT[1:], PORTS),
        (SHIFT, SHIFT),
    ],
)
def test_what_is_left_without_concatenation(udh: bytes, rest: bytes) -> None:
    assert without_concat(udh) == rest
