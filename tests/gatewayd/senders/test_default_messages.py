"""The server's own texts: whose comes first, in which alphabet, and who gets none."""

from __future__ import annotations

import pytest

from gatewayd.message import Encoding
from protocol.smpp.constants import Status, Tag
from tests.gatewayd.senders.test_submit import Desk

TEXTS = {"1": "Hello", "254": "Être", "9": "Ё", "10": "10 €"}


def asked(**account: object) -> Desk:
    desk = Desk(default_messages={"1": "Bonjour"}, **account)
    desk.desk.default_messages = TEXTS
    return desk


@pytest.mark.parametrize(
    ("number", "alphabet", "data_coding", "encoding", "payload"),
    [
        (1, "gsm", 0, Encoding.GSM, b"Bonjour"),
        (254, "gsm", 8, Encoding.UCS2, "Être".encode("utf-16-be")),
        (254, "latin1", 0, Encoding.LATIN1, "Être".encode("latin-1")),
        (9, "gsm", 8, Encoding.UCS2, b"\x04\x01"),
        (9, "ucs2", 0, Encoding.UCS2, b"\x04\x01"),
        (10, "gsm", 0, Encoding.GSM, b"10 \x1be"),
        (10, "latin1", 8, Encoding.UCS2, "10 €".encode("utf-16-be")),
    ],
)
def test_texts(number: int, alphabet: str, data_coding: int, encoding: Encoding, payload: bytes) -> None:
    desk = asked(data_coding_0=alphabet)
    message = desk.read(sm_default_msg_id=number, short_message=b"", data_coding=4, esm_class=0x43)
    assert (message.data_coding, message.encoding, message.payload) == (data_coding, encoding, payload)
    assert (message.esm_class, message.udh) == (0x03, b"")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"sm_default_msg_id": 2, "short_message": b""}, "default_message"),
        ({"sm_default_msg_id": 1}, "default_message_and_text"),
        (
            {"sm_default_msg_id": 1, "short_message": b"", "tlvs": ((Tag.MESSAGE_PAYLOAD, b"x"),)},
            "default_message_and_text",
        ),
    ],
)
def test_who_gets_none(fields: dict[str, object], word: str) -> None:
    assert asked().refusal(**fields) == (Status.ESME_RINVDFTMSGID, word)
