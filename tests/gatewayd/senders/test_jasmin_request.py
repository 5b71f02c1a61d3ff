"""Jasmin's arguments: each is checked, and no octets of a stranger's do anything but be refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewayd.config import schema
from gatewayd.message import TAG_CALLBACK, TAG_CLASS
from gatewayd.policy.callbacks import Callback, read
from gatewayd.senders import jasmin_request
from gatewayd.senders.jasmin_request import Rejected, check_send, of_json, of_pairs, rejection_of, submit_of
from gatewayd.senders.submit_rules import Refusal
from protocol.smpp.constants import Status
from protocol.smpp.pdu import SubmitSm

NOW = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC
GOOD = {"username": b"shop", "password": b"secret", "to": b"33612345678", "from": b"SHOP", "content": b"x"}


def made(account: Any = None, **arguments: bytes) -> SubmitSm:
    given = GOOD | {name.replace("_", "-"): value for name, value in arguments.items()}
    check_send(given)
    shop: Any = SimpleNamespace(name="shop", settings=account or schema.Account())
    return submit_of(given, shop, NOW)


def test_every_argument_arrives() -> None:
    pdu = made(
        schema.Account(traffic_classes=("vip",)),
        priority=b"3", validity_period=b"10", sdt=b"000000000100000R", tags=b"x,vip", dlr_url=b"http://a.example/?x=1",
        dlr_method=b"get", dlr=b"no",
    )  # fmt: skip
    assert (pdu.source_addr, pdu.destination_addr, pdu.dest_addr_ton) == ("SHOP", "33612345678", 1)
    assert (pdu.priority_flag, pdu.validity_period) == (3, "260101001000000+")
    assert (pdu.schedule_delivery_time, pdu.registered_delivery) == ("000000000100000R", 1)
    tlvs = dict(pdu.tlvs)
    assert tlvs[TAG_CLASS] == b"vip"
    assert read(tlvs[TAG_CALLBACK]) == Callback("jasmin", "http://a.example/?x=1", 24, "GET")


@pytest.mark.parametrize(("level", "mask"), [(b"1", 24), (b"2", 3), (b"3", 27)])
def test_levels(level: bytes, mask: int) -> None:
    callback = read(dict(made(dlr_url=b"http://a.example/", dlr_level=level).tlvs)[TAG_CALLBACK])
    assert callback is not None
    assert (callback.mask, callback.method) == (mask, "POST")


def test_a_receipt_without_an_address_is_the_account_s_sinks_to_tell() -> None:
    assert [(made(**given).registered_delivery, made(**given).tlvs) for given in ({}, {"dlr": b"yes"})] == [
        (0, ()),
        (1, ()),
    ]


def test_only_plain_texts_are_read() -> None:
    assert made(content="Ω€✓".encode()).short_message == b"\x15\x1be?"
    pdu = made(coding=b"8", content=b"\x04\x1f")
    assert (pdu.data_coding, pdu.short_message) == (8, b"\x04\x1f")
    assert made(coding=b"4", content=b"\xff\x00").short_message == b"\xff\x00"


def test_json_and_repeated_names() -> None:
    assert of_json({"to": 336, "content": "é", "dlr": True, "tags": ["x"]}) == {"to": b"336", "content": "é".encode()}
    assert of_pairs([("a", b"1"), ("a", b"2")]) == {"a": b"1"}
    with pytest.raises(Rejected):
        of_json([])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100), st.sampled_from(sorted(jasmin_request._PATTERNS)))
@example(b"9" * 5_000, "validity-period")
@example(b"9" * 9, "validity-period")
@example("٣".encode(), "priority")
@example(b"\n", "from")
def test_strangers_octets_are_taken_or_refused(octets: bytes, name: str) -> None:
    given = {**GOOD, name: octets}
    if name == "hex-content":
        del given["content"]
    shop: Any = SimpleNamespace(name="shop", settings=schema.Account())
    try:
        check_send(given)
        submit_of(given, shop, NOW)
    except Rejected as caught:
        fault = caught
    else:
        return
    assert fault.status == 400
    assert "secret" not in fault.problem


def test_a_password_is_not_said_again() -> None:
    with pytest.raises(Rejected, match=r"Argument \[password\] has an invalid value: \[\*\*\*\]"):
        check_send(GOOD | {"password": b"secret" * 20})


def test_every_refusal_has_words() -> None:
    for status in Status:
        fault = rejection_of(Refusal(status, "any"), GOOD)
        assert fault.status in (400, 403, 500)
    for kind in (
        "no_route",
        "sender_not_allowed",
        "schedule_not_allowed",
        "callback_not_allowed",
        "sender_name_length",
    ):
        assert rejection_of(Refusal(Status.ESME_RINVDSTADR, kind), GOOD).status in (400, 412)
