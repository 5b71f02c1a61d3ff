"""Which TLVs a carrier gets and gives, and under which tags."""

from __future__ import annotations

import pytest

from gatewayd.carriers.smpp_reports import ReportReader
from gatewayd.carriers.tlv_rules import apply, incoming, of_receipts, outgoing
from gatewayd.config import schema
from gatewayd.message import Inbound, Receipt
from protocol.smpp.pdu import DeliverSm, SubmitSm

LINK = schema.Link(kind="smpp", tlvs_pass=("0x1400-0x14FF", "user_message_reference"), tlvs_rename={"0x1400": "0x1501"})


def test_a_link_that_says_nothing_costs_nothing() -> None:
    assert outgoing(schema.Link(kind="smpp")) is None
    assert incoming(schema.Link(kind="smpp")) is None
    assert of_receipts(schema.Link(kind="smpp")) is None


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


@pytest.mark.parametrize(
    ("passing", "told"),
    [
        (("all",), ((0x1404, b"01"), (0x1403, b"208"))),
        (("0x1403-0x1491", "user_message_reference"), ((0x1404, b"01"), (0x1403, b"208"))),
        (("0x1404",), ((0x1404, b"01"),)),
        ((), ()),
    ],
)
def test_of_a_receipt_goes_on_what_is_asked_for_and_not_told_anew(
    passing: tuple[str, ...], told: tuple[tuple[int, bytes], ...]
) -> None:
    link = schema.Link(kind="smpp", receipt_tlvs_pass=passing, tlvs_rename={"0x1403": "0x1503"})
    said = ((0x001E, b"17\0"), (0x0427, b"\2"), (0x0423, b"\3\0\1"), (0x0204, b"\0\1"), (0x1491, b"ours"))
    pdu = DeliverSm(esm_class=4, tlvs=(*said, (0x1404, b"01"), (0x1503, b"208")))
    report, _ = ReportReader(link, lambda kind: None).heard(pdu)
    assert isinstance(report, Receipt)
    assert (report.carrier_id, report.tlvs) == ("17", told)
