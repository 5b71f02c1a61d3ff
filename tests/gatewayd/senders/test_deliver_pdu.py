"""Deliveries as PDUs: what an application of twenty years reads, and what a newer one finds beside it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.config import schema
from gatewayd.message import Attachment, Encoding, State
from gatewayd.senders import deliver_pdu
from gatewayd.senders.deliver_pdu import TAG_DISPLAYED, TAG_POSTBACK, TAG_SESSION_ID, deliver_sm
from gatewayd.senders.names import message_id_text
from gatewayd.store.records import Delivery
from protocol.smpp.constants import Tag
from protocol.smpp.pdu import build, parse
from protocol.smpp.text import decode
from protocol.smpp.tlvs import first_fault, write

ACCOUNT = schema.Account()
SUBMITTED = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


def receipt(**fields: Any) -> Delivery:
    known: dict[str, Any] = {
        "id": 1,
        "account": "shop",
        "kind": "receipt",
        "source_ton": 1,
        "source_npi": 1,
        "source": "33600000001",
        "destination_ton": 5,
        "destination_npi": 0,
        "destination": "SHOP",
        "created_at": 0.0,
        "due": 0.0,
        "message_id": 0x1234ABCD,
        "state": State.DELIVRD,
        "submitted_at": SUBMITTED + 0.9,
        "done_at": SUBMITTED + 61.0,
    }
    return Delivery(**(known | fields))


def reply(payload: bytes = b"Oui", **fields: Any) -> Delivery:
    return receipt(kind="mo", payload=payload, **fields)


def tlvs(delivery: Delivery, account: schema.Account = ACCOUNT) -> dict[int, bytes]:
    return dict(deliver_sm(delivery, account).tlvs)


def test_a_receipt_to_the_letter() -> None:
    pdu = deliver_sm(receipt(), ACCOUNT)
    assert pdu.short_message == (
        b"id:1234abcd sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:"
    )
    assert (pdu.esm_class, pdu.data_coding) == (0x04, 0)
    assert (pdu.source_addr, pdu.destination_addr, pdu.dest_addr_ton) == ("33600000001", "SHOP", 5)
    assert dict(pdu.tlvs) == {Tag.RECEIPTED_MESSAGE_ID: b"1234abcd\0", Tag.MESSAGE_STATE: b"\x02"}


def test_a_receipt_of_what_was_read_says_the_account_s_word_and_a_state_that_all_know() -> None:
    pdu = deliver_sm(receipt(displayed="READ", user_message_reference=7), ACCOUNT)
    assert b" dlvrd:001 " in pdu.short_message
    assert b" stat:READ err:000 text:" in pdu.short_message
    assert dict(pdu.tlvs) == {
        Tag.RECEIPTED_MESSAGE_ID: b"1234abcd\0",
        Tag.MESSAGE_STATE: b"\x02",
        Tag.USER_MESSAGE_REFERENCE: b"\x00\x07",
        TAG_DISPLAYED: b"\x01",
    }


@pytest.mark.parametrize(
    ("state", "number"),
    [
        (State.DELIVRD, 2),
        (State.EXPIRED, 3),
        (State.DELETED, 4),
        (State.UNDELIV, 5),
        (State.UNKNOWN, 7),
        (State.REJECTD, 8),
    ],
)
def test_text_and_tlv_of_a_receipt_agree(state: State, number: int) -> None:
    pdu = deliver_sm(receipt(state=state, error="042"), ACCOUNT)
    assert b"stat:" + state.encode() + b" err:042" in pdu.short_message
    assert (b"dlvrd:001" in pdu.short_message) == (state is State.DELIVRD)
    assert dict(pdu.tlvs)[Tag.MESSAGE_STATE] == bytes((number,))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("042", b"042"),
        ("A1", b"0A1"),
        ("ESME_RINVDSTADR", b"00B"),
        ("ESME_RTHROTTLED", b"058"),
        ("validity", b"000"),
        ("é", b"000"),
        ("", b"000"),
        ("41200", b"000"),
    ],
)
def test_three_characters_say_why(error: str, code: bytes) -> None:
    pdu = deliver_sm(receipt(state=State.UNDELIV, error=error), ACCOUNT)
    assert b" err:" + code + b" text:" in pdu.short_message


def test_the_id_of_a_receipt_is_the_id_of_the_response() -> None:
    message_id = (1_767_225_600_000 << 10) + 7
    pdu = deliver_sm(receipt(message_id=message_id), ACCOUNT)
    assert re.match(rb"id:(\w+) ", pdu.short_message)[1].decode() == message_id_text(message_id)  # type: ignore[index]
    assert len(message_id_text(message_id)) <= 64


@pytest.mark.parametrize("kind", ["receipt", "mo"])
def test_the_applications_own_reference_comes_back(kind: str) -> None:
    pdu = deliver_sm(receipt(kind=kind, user_message_reference=0x1234, network_error=0x030005), ACCOUNT)
    assert write("user_message_reference", 0x1234) in pdu.tlvs
    assert first_fault(pdu.tlvs) is None
    assert tlvs(receipt(kind=kind, user_message_reference=0))[Tag.USER_MESSAGE_REFERENCE] == b"\0\0"
    assert Tag.USER_MESSAGE_REFERENCE not in tlvs(receipt(kind=kind))


def test_a_plain_reply_is_plain() -> None:
    pdu = deliver_sm(reply(), ACCOUNT)
    assert (pdu.short_message, pdu.esm_class, pdu.data_coding, pdu.tlvs) == (b"Oui", 0, 0, ())


def test_a_session_and_a_tap_are_beside_it() -> None:
    found = tlvs(reply(session_id="1a2b", session_number=0x2B, session_sequence=3, postback="answer=yes"))
    assert found == {
        Tag.ITS_SESSION_INFO: bytes((0x2B, 3 << 1)),
        TAG_SESSION_ID: b"1a2b",
        TAG_POSTBACK: b"answer=yes",
    }


def test_a_long_postback_is_cut_between_characters() -> None:
    found = tlvs(reply(postback="x" + "é" * 2_000))[TAG_POSTBACK]
    assert len(found) == 2_047
    assert found.decode() == "x" + "é" * 1_023


def test_what_the_carrier_says_of_a_session_gives_way_to_ours() -> None:
    carriers = ((Tag.ITS_SESSION_INFO, b"\xff\xff"), (0x1501, b"x"), (Tag.USER_MESSAGE_REFERENCE, b"\xff\xff"))
    pdu = deliver_sm(reply(tlvs=carriers, session_id="1a", session_number=1, user_message_reference=5), ACCOUNT)
    assert pdu.tlvs == (
        (0x1501, b"x"),
        (Tag.USER_MESSAGE_REFERENCE, b"\0\5"),
        (Tag.ITS_SESSION_INFO, b"\1\0"),
        (TAG_SESSION_ID, b"1a"),
    )
    assert deliver_sm(reply(tlvs=carriers), ACCOUNT).tlvs == carriers


def test_a_part_keeps_its_header() -> None:
    udh = b"\5\0\3\7\2\1"
    pdu = deliver_sm(reply(b"first", udh=udh, esm_class=0x40), ACCOUNT)
    assert (pdu.short_message, pdu.esm_class) == (udh + b"first", 0x40)


def test_what_does_not_fit_travels_as_message_payload() -> None:
    pdu = deliver_sm(reply(b"x" * 255), ACCOUNT)
    assert (pdu.short_message, pdu.tlvs) == (b"", ((Tag.MESSAGE_PAYLOAD, b"x" * 255),))
    assert deliver_sm(reply(b"x" * 254), ACCOUNT).short_message == b"x" * 254


@pytest.mark.parametrize(
    ("delivery", "alphabet", "expected"),
    [
        (reply(b"\0h\0i", encoding=Encoding.UCS2, data_coding=8), "gsm", (8, b"\0h\0i")),
        (reply(b"\x05", encoding=Encoding.GSM, data_coding=0), "gsm", (0, b"\x05")),
        (reply(b"\x05\x00", encoding=Encoding.GSM, data_coding=0), "latin1", (0, b"\xe9@")),
        (reply(b"\x1be", encoding=Encoding.GSM, data_coding=0), "latin1", (8, b"\x20\xac")),
        (reply(b"\x05", encoding=Encoding.GSM, data_coding=0xF0), "latin1", (0xF0, b"\x05")),
        (reply(b"\xe9", encoding=Encoding.LATIN1, data_coding=0), "latin1", (0, b"\xe9")),
        (reply(b"\xe9@", encoding=Encoding.LATIN1, data_coding=0), "gsm", (0, b"\x05\x00")),
        (reply(b"\xea", encoding=Encoding.LATIN1, data_coding=0), "gsm", (3, b"\xea")),
        (reply(b"\xe9", encoding=Encoding.LATIN1, data_coding=3), "gsm", (3, b"\xe9")),
        (reply(b"a_", encoding=Encoding.ASCII, data_coding=0), "gsm", (0, b"a\x11")),
        (reply("é".encode(), encoding=Encoding.UTF8, data_coding=0), "gsm", (0, b"\x05")),
        (reply("ê".encode(), encoding=Encoding.UTF8, data_coding=0), "gsm", (8, b"\0\xea")),
        (reply(b"\0\xe9", encoding=Encoding.UCS2, data_coding=0), "latin1", (0, b"\xe9")),
        (reply(b"\xd8\x3d", encoding=Encoding.UCS2, data_coding=0), "gsm", (8, b"\xff\xfd")),
        (reply(b"\0\xff", encoding=Encoding.BINARY, data_coding=4), "gsm", (4, b"\0\xff")),
    ],
)
def test_the_account_reads_what_the_handset_wrote(
    delivery: Delivery, alphabet: Any, expected: tuple[int, bytes]
) -> None:
    pdu = deliver_sm(delivery, schema.Account(data_coding_0=alphabet))
    assert (pdu.data_coding, pdu.short_message) == expected


TURKISH = b"\x03\x24\x01\x01"
PART = b"\x08\x00\x03\x07\x02\x01\x24\x01\x01"


@pytest.mark.parametrize(
    ("udh", "payload", "alphabet", "languages", "expected"),
    [
        # An account that reads the table gets the octets as they came.
        (TURKISH, b"\x1bs", "gsm", ("turkish",), (0x40, 0, TURKISH + b"\x1bs")),
        # Another gets words: GSM alone where it carries them, else UCS2; nothing of the table is left in the header.
        (TURKISH, b"\x1bs", "gsm", (), (0, 8, b"\x01\x5f")),
        (TURKISH, b"\x1bs", "gsm", ("hindi",), (0, 8, b"\x01\x5f")),
        (TURKISH, b"hi", "gsm", (), (0, 0, b"hi")),
        (TURKISH, b"\x1bc", "latin1", ("turkish",), (0, 0, b"\xe7")),
        (TURKISH, b"\x1bs", "utf8", (), (0, 0, "ş".encode())),
        (TURKISH, b"\x1bs", "ucs2", (), (0, 0, b"\x01\x5f")),
        (PART, b"\x1bs", "gsm", (), (0x40, 8, b"\x05\x00\x03\x07\x02\x01\x01\x5f")),
        (b"\x03\x24\x01\x63", b"\x1be", "gsm", (), (0, 0, b"\x1be")),  # a table that nobody knows
    ],
)
def test_replies_in_national_tables(
    udh: bytes, payload: bytes, alphabet: Any, languages: Any, expected: tuple[int, int, bytes]
) -> None:
    delivery = reply(payload, encoding=Encoding.GSM, data_coding=0, udh=udh, esm_class=0x40)
    pdu = deliver_sm(delivery, schema.Account(data_coding_0=alphabet, national_languages=languages))
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == expected


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_every_reply_can_be_written_and_read(words: str, postback: str) -> None:
    words = words.encode("utf-16-be", "replace").decode("utf-16-be")
    payload = words.encode("utf-16-be")
    postback = postback.encode("utf-8", "replace").decode()
    delivery = reply(payload, encoding=Encoding.UCS2, data_coding=8, postback=postback, session_id="1")
    read: Any = parse(build(deliver_sm(delivery, ACCOUNT)))
    found = dict(read.tlvs)
    assert decode(found.get(Tag.MESSAGE_PAYLOAD, read.short_message), "ucs2") == words
    assert found.get(TAG_POSTBACK, b"").decode() == postback


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"attachment": Attachment()}, {}),
        (
            {"attachment": Attachment("image/jpeg", 70_000, "été.jpg")},
            {
                deliver_pdu.TAG_MEDIA_TYPE: b"image/jpeg",
                deliver_pdu.TAG_MEDIA_SIZE: b"\x00\x01\x11\x70",
                deliver_pdu.TAG_MEDIA_NAME: "été.jpg".encode(),
            },
        ),
        ({"attachment": Attachment(size=2**40)}, {deliver_pdu.TAG_MEDIA_SIZE: b"\xff\xff\xff\xff"}),
        ({"attachment": Attachment(name="é" * 200)}, {deliver_pdu.TAG_MEDIA_NAME: ("é" * 127).encode()}),
        ({"place": "geo:48.856600,2.352200"}, {deliver_pdu.TAG_PLACE: b"geo:48.856600,2.352200"}),
    ],
)
def test_what_a_user_sent_is_told_beside_the_words(fields: dict[str, Any], expected: dict[int, bytes]) -> None:
    assert tlvs(reply(**fields)) == expected
