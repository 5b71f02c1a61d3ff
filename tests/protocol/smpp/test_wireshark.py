"""Wireshark decodes all that we write, and reads the same octets in the same fields as we do."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from protocol.smpp.constants import Tag
from protocol.smpp.explaining import explain
from protocol.smpp.fields import Tlvs
from protocol.smpp.layouts import LAYOUTS
from protocol.smpp.pdu import Pdu, build, parse
from protocol.smpp.tlv_table import DEFINITIONS
from protocol.smpp.tlvs import name_of
from tests.protocol.smpp.corpus import corpus
from tests.protocol.smpp.packets import ethernet, pcap

# TLVs that Wireshark calls otherwise; of those in pieces, the first.
THEIR_NAMES = {
    "sc_interface_version": "SC_interface_version",
    "ms_msg_wait_facilities": "msg_wait.ind",
    "callback_num_pres_ind": "callback_num.pres",
    "network_error_code": "network_error.type",
    "its_session_info": "its_session.number",
    "billing_identification": "billing_id",
    "dest_addr_np_information": "dest_addr_np_info",
    "broadcast_content_type": "broadcast_content_type.nw",
    "broadcast_content_type_info": "broadcast_content_type.info",
    "broadcast_frequency_interval": "broadcast_frequency_interval.unit",
    "alert_on_message_delivery": "alert_on_message_delivery_type",
}
# It says that these are there, and shows no octets; the values of fields that it shows as times it turns into others.
WITHOUT_VALUE = {"callback_num", "callback_num_atag"}
# Fields of a body that it shows in bits or under the name of what they mean.
IN_BITS = {"esm_class", "registered_delivery", "short_message", "dest_flag", "number_of_dests", "no_unsuccess"}
TIMES = {"schedule_delivery_time", "validity_period", "final_date"}
# Its own mistakes (4.0): it steps over one octet of these whatever their length says, and then stumbles.
ITS_MISTAKES = {(Tag.BROADCAST_REP_NUM, 2), (Tag.MS_VALIDITY, 4)}
FIELDS = {field.name for layout in LAYOUTS.values() for field in layout.fields} | {"dl_name"}
IN_LISTS = {"destination_addr", "dl_name", "dest_addr_ton", "dest_addr_npi"}


def told(pdus: list[Pdu], target: Path) -> list[ET.Element]:
    """Every PDU as a packet of one stream; what tshark makes of each, from one run."""
    frames, sequence = [], 1
    for pdu in pdus:
        octets = build(pdu)
        frames.append(ethernet(octets, sequence))
        sequence += len(octets)
    target.write_bytes(pcap(frames))
    command = ["tshark", "-n", "-r", str(target), "-d", "tcp.port==2775,smpp", "-T", "pdml"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    return ET.fromstring(done.stdout).findall("packet")


def test_the_corpus_is_wide() -> None:
    pdus = corpus()
    assert len(pdus) >= 500
    assert len({build(pdu) for pdu in pdus}) == len(pdus)
    assert {type(pdu) for pdu in pdus} == {layout.record for layout in LAYOUTS.values()}
    met = {tag for pdu in pdus for tag, _ in getattr(pdu, "tlvs", ())}
    assert set(DEFINITIONS) <= met
    for pdu in pdus:
        assert parse(build(pdu)) == pdu
        # Random letters are no receipt, and not always UCS2; nothing else may be wrong.
        assert {fault.kind for fault in explain(build(pdu)).faults} <= {"unread_receipt", "undecodable"}, pdu


@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark here")
@pytest.mark.timeout(120)
def test_wireshark_reads_the_same_values(tmp_path: Path) -> None:
    pdus = corpus()
    packets = told(pdus, tmp_path / "smpp.pcap")
    assert len(packets) == len(pdus)
    compared: Counter[str] = Counter()
    for pdu, packet in zip(pdus, packets, strict=True):
        tlvs: Tlvs = getattr(pdu, "tlvs", ())
        if any((tag, len(value)) in ITS_MISTAKES for tag, value in tlvs):
            continue
        assert "malformed" not in ET.tostring(packet, encoding="unicode").lower(), pdu
        (tree,) = [layer for layer in packet.findall("proto") if layer.get("name") == "smpp"]
        theirs = fields_of(tree)
        for line in explain(build(pdu)).lines:
            is_ours = line.name in FIELDS - IN_BITS and not line.words.startswith("TLV")
            if is_ours and (not line.depth or line.name in IN_LISTS) and line.octets.strip(b"\0"):
                name = f"{line.name}_r" if line.name in TIMES and str(line.value).endswith("R") else line.name
                compared[line.name] += 1
                assert line.octets.hex() in theirs[name], (line, pdu)
        for tag, value in tlvs:
            compared[name_of(tag)] += compare_tlv(tag, value, theirs)
    assert sum(compared.values()) > 4500
    assert {row.name for row in DEFINITIONS.values()} - set(compared) <= {"broadcast_rep_num"}


def fields_of(tree: ET.Element) -> dict[str, list[str]]:
    """What it shows, by name, as the octets' digits; a mask's are those of the whole octet."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for field in tree.iter("field"):
        name = str(field.get("name")).removeprefix("smpp.")
        found[name].append(field.get("unmaskedvalue") or field.get("value") or "")
    return found


def compare_tlv(tag: int, value: bytes, theirs: dict[str, list[str]]) -> bool:
    """It shows the tag, the length and the value, or the first piece of it."""
    assert f"{tag:04x}" in theirs["opt_param_tag"]
    assert f"{len(value):04x}" in theirs["opt_param_len"]
    name = name_of(tag)
    if tag not in DEFINITIONS:
        assert value.hex() in theirs["vendor_op"]
    elif name in WITHOUT_VALUE:
        assert name in theirs or not value
    elif value.strip(b"\0"):
        shown = theirs[THEIR_NAMES.get(name, name)]
        assert any(one and value.hex().startswith(one) for one in shown), (name, value, shown)
    return True
