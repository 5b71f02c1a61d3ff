"""Kannel's parameters: every coding, and that no octets of a stranger's do anything but be refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewayd.config import schema
from gatewayd.message import TAG_CALLBACK, TAG_CLASS
from gatewayd.policy.callbacks import Callback, read
from gatewayd.senders.kannel_request import (
    Rejected,
    data_coding_of,
    of_headers,
    of_query,
    receivers,
    rejection_of,
    submits_of,
)
from protocol.smpp.constants import Status
from protocol.smpp.pdu import SubmitSm

NOW = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


def made(query: bytes, **account: Any) -> list[SubmitSm]:
    found = of_query(query)
    shop: Any = SimpleNamespace(name="shop", settings=schema.Account(**account))
    return submits_of(found, shop, receivers(found), NOW)


def rejected(query: bytes, **account: Any) -> str:
    with pytest.raises(Rejected) as caught:
        made(query, **account)
    assert caught.value.status == 400
    return caught.value.body


def test_every_field_arrives() -> None:
    (pdu,) = made(
        b"from=SHOP&to=%2B33612345678&text=x&validity=60&deferred=10&priority=2&pid=1&rpi=1&binfo=ABC&smsc=promo"
        b"&dlr-mask=3&dlr-url=http%3A%2F%2Fapp.example%2F%3Fd%3D%25d%26x%3D1",
        traffic_classes=("promo",),
    )
    assert (pdu.source_addr_ton, pdu.source_addr, pdu.destination_addr) == (5, "SHOP", "33612345678")
    assert (pdu.dest_addr_ton, pdu.priority_flag, pdu.protocol_id, pdu.esm_class) == (1, 2, 1, 0x80)
    assert (pdu.validity_period, pdu.schedule_delivery_time) == ("260101010000000+", "260101001000000+")
    assert (pdu.service_type, pdu.registered_delivery) == ("ABC", 1)
    tlvs = dict(pdu.tlvs)
    assert tlvs[TAG_CLASS] == b"promo"
    assert read(tlvs[TAG_CALLBACK]) == Callback("kannel", "http://app.example/?d=%d&x=1", 3, to="+33612345678")


@pytest.mark.parametrize(
    ("mask", "registered"), [("", 0), ("8", 0), ("16", 0), ("1", 1), ("2", 2), ("3", 1), ("31", 1), ("2x", 2), ("x", 0)]
)
def test_what_is_asked_of_the_account_s_sinks(mask: str, registered: int) -> None:
    (pdu,) = made(f"from=1&to=33612345678&text=x&dlr-mask={mask}&dlrurl=".encode())
    assert (pdu.registered_delivery, pdu.tlvs) == (registered, ())


@pytest.mark.parametrize(
    ("number", "ton", "address"),
    [
        ("33612345678", 1, "33612345678"),
        ("0033612345678", 1, "33612345678"),
        ("0612345678", 0, "0612345678"),
        ("33-612-345-678", 1, "33612345678"),
        ("36179", 0, "36179"),
    ],
)
def test_numbers_as_people_write_them(number: str, ton: int, address: str) -> None:
    (pdu,) = made(f"from=1&to={number}&text=x".encode())
    assert (pdu.dest_addr_ton, pdu.destination_addr) == (ton, address)


def test_who_it_comes_from_when_nobody_says_so() -> None:
    assert made(b"to=33612345678&text=x", senders=("SHOP*", "BANK"))[0].source_addr == "BANK"
    assert rejected(b"to=33612345678&text=x") == "Sender missing and no global set, rejected"
    assert rejected(b"to=33612345678&from=" + b"1" * 21) == "From field misformed, rejected"


def test_the_first_of_one_name_counts_and_bad_escapes_stay() -> None:
    assert of_query(b"a=1&a=2&b=%zz%4&=x&&c") == {"a": b"1", "b": b"%zz%4", "c": b""}
    assert of_query(b"user=x&dlrmask=1;y=2") == {"username": b"x", "dlr-mask": b"1;y=2"}


@pytest.mark.parametrize(
    ("coding", "values", "data_coding"),
    [
        (0, {}, 0x00), (1, {}, 0x04), (2, {}, 0x08),
        (0, {"mclass": 0}, 0xF0), (1, {"mclass": 1}, 0xF5), (2, {"mclass": 3}, 0x1B),
        (0, {"mclass": 2, "alt-dcs": 0}, 0x12), (1, {"mclass": 0, "alt-dcs": 0}, 0x14),
        (0, {"mclass": 0, "alt-dcs": 1}, 0xF0),
        (0, {"mwi": 0}, 0xD8), (0, {"mwi": 3}, 0xDB), (0, {"mwi": 5}, 0xD1), (2, {"mwi": 0, "mclass": 1}, 0xE8),
    ],
)  # fmt: skip
def test_data_coding(coding: int, values: dict[str, int], data_coding: int) -> None:
    given = {"mwi": -1, "mclass": -1, "alt-dcs": -1} | values
    assert data_coding_of(coding, given, has_text=True) == data_coding


def test_a_waiting_message_without_words() -> None:
    assert data_coding_of(0, {"mwi": 0, "mclass": -1, "alt-dcs": -1}, has_text=False) == 0xC8


def test_headers_have_defaults_of_their_own() -> None:
    headers = {"X-Kannel-To": "1234567", "X-KANNEL-From": "1", "X-Kannel-UDH": "%02%70%00", "Other": "x"}
    found = of_headers(headers, b"\xe9", "text/plain", None)
    assert found == {
        "text": b"\xe9", "to": b"1234567", "from": b"1", "udh": b"\x02\x70\x00", "coding": b"0",
        "charset": b"ISO-8859-1",
    }  # fmt: skip
    assert of_headers({}, b"", "application/octet-stream", None) == {"text": b"", "coding": b"1"}
    assert of_headers({}, b"", "text/plain", "utf-8")["charset"] == b"utf-8"


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from(["text", "charset", "coding", "udh", "mwi", "validity", "dlr-url", "to"])
)
@example(b"zip", "charset")
@example(b"a\0b", "charset")
@example(b"9" * 5_000, "validity")
def test_strangers_octets_are_taken_or_refused(octets: bytes, name: str) -> None:
    raw = b"from=1&to=33612345678&text=x".replace(name.encode() + b"=", b"was=")
    try:
        made(raw + b"&dlr-mask=1&" + name.encode() + b"=" + b"".join(b"%%%02x" % octet for octet in octets))
    except Rejected as caught:
        fault = caught
    else:
        return
    assert fault.body.endswith("rejected")


def test_every_refusal_has_words() -> None:
    for status in Status:
        fault = rejection_of("any", status)
        assert fault.status in (400, 403, 503)
        assert fault.body
    assert rejection_of("no_route", Status.ESME_RINVDSTADR).body == "Not routable. Do not try again."
