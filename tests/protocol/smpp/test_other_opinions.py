"""What decoders that are not ours say of our octets: smpplib's parser, and Wireshark's where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import smpplib.smpp
from smpplib.client import Client

from protocol.smpp.constants import Command, Tag
from protocol.smpp.destinations import Destination, Unsuccess
from protocol.smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    build,
    parse,
)

MESSAGE: dict[str, Any] = {
    "service_type": "CMT",
    "source_addr_ton": 5,
    "source_addr": "Brand",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "33612345678",
    "esm_class": 0x40,
    "validity_period": "000001000000000R",
    "registered_delivery": 1,
    "data_coding": 8,
    "short_message": b"\x05\x00\x03\x07\x02\x01\x00h\x00i",
}
SAMPLES: list[Pdu] = [
    Bind(Command.BIND_TRANSMITTER, "shop", "secret", "vms", 0x34, 1, 1, "33*", sequence=1),
    BindResp(command=Command.BIND_TRANSMITTER_RESP, system_id="gw", tlvs=((0x0210, b"\x34"),), sequence=1),
    Bind(Command.BIND_RECEIVER, "shop", "secret", sequence=2),
    BindResp(command=Command.BIND_RECEIVER_RESP, status=0x0E, sequence=2),
    Bind(Command.BIND_TRANSCEIVER, "shop", "secret", sequence=3),
    BindResp(command=Command.BIND_TRANSCEIVER_RESP, system_id="gw", sequence=3),
    Outbind("gw", "secret", sequence=4),
    SubmitSm(**MESSAGE, tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\0\x2a"), (0x1400, b"vendor")), sequence=5),
    SubmitSmResp(5, 0, "0123456789abcdef"),
    SubmitSmResp(5, 0x58),
    DeliverSm(**MESSAGE, tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"abc\0"), (Tag.MESSAGE_STATE, b"\x02")), sequence=6),
    DeliverSmResp(6),
    DataSm("CMT", 1, 1, "336", 1, 1, "337", 0, 1, 0, ((Tag.MESSAGE_PAYLOAD, b"long text"),), sequence=7),
    DataSmResp(7, 0, "id"),
    QuerySm("id", 1, 1, "336", sequence=8),
    QuerySmResp(8, 0, "id", "240101000000000+", 2, 0),
    CancelSm("", "id", 1, 1, "336", 1, 1, "337", sequence=9),
    CancelSmResp(9, 0x11),
    ReplaceSm("id", 1, 1, "336", "", "", 1, 0, b"new", sequence=10),
    ReplaceSmResp(10),
    AlertNotification(1, 1, "336", 1, 1, "1234", ((Tag.MS_AVAILABILITY_STATUS, b"\0"),), sequence=11),
    SubmitMulti(
        "CMT",
        5,
        0,
        "Brand",
        (Destination(1, 1, "336"), Destination(list_name="friends")),
        registered_delivery=1,
        short_message=b"hello",
        sequence=15,
    ),
    SubmitMultiResp(15, 0, "id", (Unsuccess(0, 0, "friends", 0x34),)),
    EnquireLink(sequence=12),
    EnquireLinkResp(12),
    GenericNack(3, sequence=13),
    Unbind(sequence=14),
    UnbindResp(14),
]


class NoSocket(Client):  # type: ignore[misc]
    """smpplib wants a client to make a PDU; this one never connects."""

    def __init__(self) -> None:
        """Without a host."""

    def next_sequence(self) -> int:
        return 5


# It has no classes for these.
_NOT_SMPPLIBS = Outbind | CancelSm | CancelSmResp | ReplaceSm | ReplaceSmResp | SubmitMulti | SubmitMultiResp
SMPPLIB = [pdu for pdu in SAMPLES if not isinstance(pdu, _NOT_SMPPLIBS)]
FIELDS = ("system_id", "password", "source_addr", "destination_addr", "short_message", "message_id", "data_coding")


@pytest.mark.parametrize("pdu", SMPPLIB, ids=lambda pdu: type(pdu).__name__)
def test_smpplib_reads_what_we_write(pdu: Pdu) -> None:
    theirs = smpplib.smpp.parse_pdu(build(pdu), client=NoSocket(), allow_unknown_opt_params=True)
    assert theirs.sequence == pdu.sequence
    assert theirs.status == getattr(pdu, "status", 0)
    for name in FIELDS:
        ours, value = getattr(pdu, name, None), getattr(theirs, name, None)
        if ours and value is not None:
            assert value == (ours.encode() if isinstance(ours, str) else ours), name


def test_we_read_what_smpplib_writes() -> None:
    theirs = smpplib.smpp.make_pdu(
        "submit_sm",
        client=NoSocket(),
        sequence=5,
        source_addr_ton=5,
        source_addr="Brand",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="33612345678",
        data_coding=8,
        short_message=b"\0h\0i",
        user_message_reference=42,
    )
    pdu = parse(theirs.generate())
    assert isinstance(pdu, SubmitSm)
    assert (pdu.source_addr, pdu.destination_addr, pdu.short_message) == ("Brand", "33612345678", b"\0h\0i")
    assert (pdu.data_coding, pdu.tlvs, pdu.sequence) == (8, ((Tag.USER_MESSAGE_REFERENCE, b"\0\x2a"),), 5)


def dissect(capture: Path, *pdus: Pdu) -> list[dict[str, Any]]:
    """Each PDU as one TCP segment to port 2775, as tshark's tree of SMPP fields."""
    lines = "".join(f"000000 {build(pdu).hex(' ')}\n" for pdu in pdus)
    subprocess.run(
        ["text2pcap", "-q", "-T", "40000,2775", "-", str(capture)],
        input=lines.encode(),
        check=True,
        capture_output=True,
        timeout=30,
    )
    told = subprocess.run(
        ["tshark", "-n", "-r", str(capture), "-d", "tcp.port==2775,smpp", "-T", "json"],
        check=True,
        capture_output=True,
        timeout=50,
    )
    return [packet["_source"]["layers"] for packet in json.loads(told.stdout)]


@pytest.mark.skipif(shutil.which("tshark") is None or shutil.which("text2pcap") is None, reason="no tshark here")
def test_wireshark_reads_what_we_write(tmp_path: Path) -> None:
    layers = dissect(tmp_path / "smpp.pcap", *SAMPLES)
    assert len(layers) == len(SAMPLES)
    for pdu, packet in zip(SAMPLES, layers, strict=True):
        assert "smpp" in packet, type(pdu).__name__
        assert "malformed" not in json.dumps(packet).lower(), type(pdu).__name__
        tree = packet["smpp"]
        assert int(tree["smpp.command_id"], 0) == pdu.command  # type: ignore[attr-defined]
        assert int(tree["smpp.sequence_number"], 0) == pdu.sequence
        for name in ("source_addr", "destination_addr", "system_id", "password", "message_id"):
            value = getattr(pdu, name, "")
            if value and f"smpp.{name}" in tree:
                assert tree[f"smpp.{name}"] == value
