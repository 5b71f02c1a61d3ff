"""PDUs from pcap and pcapng: written here by hand and by Wireshark's own tools."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.smpp.captures import is_capture, payload_of, pdus_of, segment_of
from protocol.smpp.pdu import EnquireLink, SubmitSm, SubmitSmResp, build
from tests.protocol.smpp.packets import ethernet, ipv6, pcap, pcapng

PDUS = [build(SubmitSm(source_addr="336", short_message=bytes([65 + n]) * (n * 40), sequence=n)) for n in range(1, 6)]
STREAM = b"".join(PDUS)


def frames(stream: bytes, size: int, start: int = 1000) -> list[bytes]:
    """A stream in packets of ``size`` octets."""
    return [ethernet(stream[at : at + size], start + at) for at in range(0, len(stream), size)]


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_stream_in_pieces(size: int) -> None:
    found = pdus_of(pcap(frames(STREAM, size)))
    assert [pdu.octets for pdu in found] == PDUS
    assert (found[0].source, found[0].destination) == ("10.0.0.1:40000", "10.0.0.2:2775")
    assert all(pdu.is_whole for pdu in found)


@given(st.randoms(use_true_random=False), st.integers(1, 90), st.booleans())
def test_any_order_and_what_comes_twice(chance: random.Random, size: int, is_wrapping: bool) -> None:
    packets = frames(STREAM, size, 0xFFFFFF00 if is_wrapping else 1000)
    first, rest = packets[0], packets[1:] + chance.sample(packets, len(packets) // 2)
    chance.shuffle(rest)
    start = 0xFFFFFF00 if is_wrapping else 1000
    syn = ethernet(b"", start - 1, flags=0x02)
    assert sorted(pdu.octets for pdu in pdus_of(pcap([syn, first, *rest]))) == sorted(PDUS)


def test_a_hole_costs_what_it_touches() -> None:
    packets = frames(STREAM, 60)
    del packets[2]
    found = pdus_of(pcap(packets))
    whole = [pdu.octets for pdu in found if pdu.is_whole]
    assert set(whole) < set(PDUS)
    assert len(whole) >= 3


def test_a_capture_that_begins_in_the_middle() -> None:
    assert [pdu.octets for pdu in pdus_of(pcap(frames(STREAM[5:], 500)))] == PDUS[1:]


@pytest.mark.parametrize("end", [bytes(3), bytes(6), b"\0\0\0\x05abc", b"\0\0\0\x2f\0"])
def test_a_capture_that_ends_before_a_header_does(end: bytes) -> None:
    found = pdus_of(pcap(frames(STREAM + end, 10_000)))
    assert [(pdu.octets, pdu.is_whole) for pdu in found] == [*((pdu, True) for pdu in PDUS), (end, False)]


def test_both_directions_in_the_order_of_time() -> None:
    answer = build(SubmitSmResp(1, 0, "id"))
    packets = [ethernet(PDUS[0], 1), ethernet(answer, 9, ports=(2775, 40000)), ethernet(PDUS[1], 1 + len(PDUS[0]))]
    assert [pdu.octets for pdu in pdus_of(pcap(packets))] == [PDUS[0], answer, PDUS[1]]


def test_other_ports_and_what_is_no_smpp() -> None:
    packets = [ethernet(b"GET / HTTP/1.1\r\n\r\n" * 3, 1, ports=(5, 80)), ethernet(PDUS[0], 1)]
    assert [pdu.octets for pdu in pdus_of(pcap(packets))] == [PDUS[0]]
    assert pdus_of(pcap(packets), port=80) == []
    assert len(pdus_of(pcap(packets), port=2775)) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_and_both_orders_of_octets(order: str) -> None:
    packets = frames(STREAM, 50)
    ng, classic = pdus_of(pcapng(packets, order)), pdus_of(pcap(packets, order))
    assert [pdu.octets for pdu in ng] == [pdu.octets for pdu in classic] == PDUS
    assert ng[0].at_unix == pytest.approx(1_700_000_000)


def test_ipv6_vlan_and_cooked() -> None:
    segment = segment_of(101, ipv6(PDUS[0], 1))
    assert segment is not None
    assert segment.payload == PDUS[0]
    tagged = ethernet(PDUS[0], 1)
    tagged = tagged[:12] + b"\x81\0\0\x05" + tagged[12:]
    assert segment_of(1, tagged) is not None
    assert payload_of(bytes(16) + ethernet(PDUS[0], 1)[14:]) == PDUS[0]
    assert payload_of(PDUS[0]) == PDUS[0]
    assert payload_of(b"what is this") == b"what is this"


def test_a_packet_without_payload_has_no_pdu() -> None:
    assert payload_of(ethernet(b"", 1)) == b""
    assert payload_of(ethernet(b"", 1)[14:]) == b""


@pytest.mark.parametrize("text", [b"even", b"odd"])
def test_words_as_hexdump_prints_them(text: bytes) -> None:
    pdu = build(SubmitSm(source_addr="33", short_message=text))
    for octets in (pdu, ethernet(pdu, 1)):
        padded = octets + bytes(len(octets) % 2)
        assert payload_of(b"".join(padded[at : at + 2][::-1] for at in range(0, len(padded), 2))) == pdu


@given(st.binary(max_size=200), st.integers(0, 300))
def test_octets_of_any_kind_are_borne(octets: bytes, cut: int) -> None:
    for whole in (pcap([octets]), pcapng([octets])):
        pdus_of(whole)
        try:
            pdus_of(whole[:cut])
        except ValueError:
            assert not is_capture(whole[:cut]) or len(whole[:cut]) < 24


def test_what_is_no_capture() -> None:
    assert not is_capture(PDUS[0])
    with pytest.raises(ValueError, match="neither"):
        pdus_of(PDUS[0])


@pytest.mark.skipif(shutil.which("text2pcap") is None, reason="no text2pcap here")
@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_what_text2pcap_writes(tmp_path: Path, form: str) -> None:
    target = tmp_path / "capture"
    lines = "".join(f"000000 {octets.hex(' ')}\n" for octets in [build(EnquireLink(sequence=1)), *PDUS])
    command = ["text2pcap", "-q", "-F", form, "-T", "40000,2775", "-", str(target)]
    subprocess.run(command, input=lines.encode(), check=True, capture_output=True, timeout=30)
    assert [pdu.octets for pdu in pdus_of(target.read_bytes())][1:] == PDUS


def test_the_packets_are_what_they_should_be() -> None:
    frame = ethernet(b"abc", 7)
    assert struct.unpack_from(">H", frame, 12)[0] == 0x0800
