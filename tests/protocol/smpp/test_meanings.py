"""Values in words."""

from __future__ import annotations

import pytest

from protocol.smpp import meanings
from protocol.smpp.errors import RemoteFault


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("source_addr_ton", 5, "alphanumeric"),
        ("dest_addr_npi", 1, "ISDN (E.164)"),
        ("addr_ton", 9, "reserved"),
        ("interface_version", 0x34, "SMPP 3.4"),
        ("interface_version", 0x00, "SMPP 3.3 or older"),
        ("esm_class", 0x04, "a delivery receipt, the default mode"),
        ("esm_class", 0xC3, "a message, store and forward, has a header (UDHI), reply path"),
        ("registered_delivery", 0x12, "a receipt if it fails, intermediate notifications"),
        ("registered_delivery", 0x0C, "no receipt, acknowledgement of the handset, acknowledgement by hand"),
        ("data_coding", 0, "Latin-1, by agreement"),
        ("data_coding", 0x18, "UCS2, class 0 (flash)"),
        ("data_coding", 0xC8, "GSM alphabet, voicemail waiting: on, to be dropped"),
        ("data_coding", 4, "octets"),
        ("protocol_id", 0x43, "replaces one of type 3 in the handset"),
        ("priority_flag", 3, "highest"),
        ("replace_if_present_flag", 1, "yes"),
        ("message_state", 2, "DELIVERED"),
        ("message_state", 77, "reserved"),
        ("validity_period", "000002013000000R", "after 2 days 1 hour 30 minutes"),
        ("schedule_delivery_time", "240131120000004+", "2024-01-31 11:00:00 UTC"),
        ("final_date", "", ""),
        ("sm_default_msg_id", 3, ""),
        ("source_addr", "336", ""),
    ],
)
def test_a_value_in_words(name: str, value: int | str, words: str) -> None:
    assert meanings.words_of(name, value, "latin1") == words


def test_a_time_that_is_none() -> None:
    with pytest.raises(RemoteFault):
        meanings.words_of("validity_period", "tomorrow", "gsm")


@pytest.mark.parametrize(
    ("identifier", "data", "words"),
    [
        (0x00, b"\x07\x02\x01", ("concatenation, 8 bits", "reference 7, part 1 of 2")),
        (0x08, b"\x01\x07\x02\x02", ("concatenation, 16 bits", "reference 263, part 2 of 2")),
        (
            0x00,
            b"\x07\x02\x03",
            ("concatenation, 8 bits", "reference 7, part 3 of 2, which makes no sense and is ignored"),
        ),
        (0x05, b"\x15\x81\x00\x00", ("ports, 16 bits", "to 5505, from 0")),
        (0x24, b"\x01", ("national single shift", "turkish")),
        (0x25, b"\x63", ("national locking shift", "99, which is reserved")),
        (0x70, b"\x00", ("SIM toolkit", "")),
        (0x00, b"\x07", ("concatenation, 8 bits", "")),
        (0xE0, b"", ("element 0xE0", "")),
    ],
)
def test_an_element_in_words(identifier: int, data: bytes, words: tuple[str, str]) -> None:
    assert meanings.element(identifier, data) == words
