"""Which TLVs a carrier gets and gives, and under which tags."""

from __future__ import annotations

from gatewayd.carriers.smpp_reports import ReportReader
from gatewayd.carriers.tlv_rules import apply, incoming, outgoing
from gatewayd.config import schema
from gatewayd.message import Inbound
from protocol.smpp.pdu import DeliverSm, SubmitSm

LINK = schema.Link(kind="smpp", tlvs_pass=("0x1400-0x14FF", "user_message_reference"), tlvs_rename={"0x1400": "0x1501"})


def test_a_link_that_says_nothing_costs_nothing() -> None:
    assert outgoing(schema.Link(kind="smpp")) is None
    assert incoming(schema.Link(kind="smpp")) is None


def test_requests_bear_what_may_pass_under_the_carriers_tags() -> None:
    rule = outgoing(LINK)
    assert rule is not None
    request = SubmitSm(tlvs=((0x1400, b"dept"), (0x0204, b"\0\1"), (0x2000, b"no"), (0x0424, b"text")))
    bare = SubmitSm()
    apply(rule, [request, bare])
    assert request.tlvs == ((0x1501, b"dept"), (0x0204, b"\0\1"), (0x0424, b"text"))
    assert bare.tlvs == ()


def test_replies_bear_our_tags() -> None:
    pdu = DeliverSm(source_addr="336", short_message=b"hi", tlvs=((0x1501, b"dept"), (0x2000, b"no")))
    content, _ = ReportReader(LINK, lambda kind: None).heard(pdu)
    assert isinstance(content, Inbound)
    assert content.tlvs == ((0x1400, b"dept"),)
    plain, _ = ReportReader(schema.Link(kind="smpp"), lambda kind: None).heard(pdu)
    assert isinstance(plain, Inbound)
    assert plain.tlvs == pdu.tlvs
