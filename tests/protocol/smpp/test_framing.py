"""A stream gives the same PDUs however it is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.errors import RemoteFault
from protocol.smpp.framing import Framer


def pdu(size: int, fill: int = 0) -> bytes:
    return size.to_bytes(4, "big") + bytes((fill,)) * (size - 4)


def take(framer: Framer, data: bytes) -> list[bytes]:
    """What a driver sees of one read: the PDUs, with a fault waiting in the framer."""
    try:
        return framer.feed(data)
    except RemoteFault:
        return []


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(16, 90), max_size=6), st.lists(st.integers(0, 500), max_size=12))
def test_any_cutting_gives_the_same_pdus(sizes: list[int], cuts: list[int]) -> None:
    pdus = [pdu(size, number + 1) for number, size in enumerate(sizes)]
    stream = b"".join(pdus)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    framer = Framer(100)
    got = [whole for start, end in itertools.pairwise(edges) for whole in framer.feed(stream[start:end])]
    assert got == pdus


def test_octet_by_octet() -> None:
    pdus = [pdu(16), pdu(40_000, 1), pdu(17, 2)]
    framer = Framer(65_536)
    assert [whole for octet in b"".join(pdus) for whole in framer.feed(bytes((octet,)))] == pdus


def test_a_big_read() -> None:
    pdus = [pdu(100, number % 256) for number in range(1_000)]
    framer = Framer(65_536)
    assert framer.feed(b"".join(pdus) + pdus[0][:50]) == pdus
    assert framer.feed(pdus[0][50:]) == [pdus[0]]


@pytest.mark.parametrize("length", [0, 1, 4, 15])
def test_a_length_below_a_header_is_fatal(length: int) -> None:
    framer = Framer(100)
    with pytest.raises(RemoteFault) as caught:
        framer.feed(length.to_bytes(4, "big"))
    assert (caught.value.kind, caught.value.status, caught.value.fatal) == ("short_length", 2, True)
    with pytest.raises(RemoteFault):
        framer.feed(pdu(16))


def test_the_largest_that_is_allowed() -> None:
    assert Framer(100).feed(pdu(100)) == [pdu(100)]


def test_one_octet_too_many_is_fatal_and_names_its_sequence() -> None:
    framer = Framer(100)
    header = bytes.fromhex("00000065 00000004 00000000 0000002A")
    assert framer.feed(header[:15]) == []
    with pytest.raises(RemoteFault) as caught:
        framer.feed(header[15:])
    fault = caught.value
    assert (fault.kind, fault.command, fault.sequence, fault.fatal) == ("oversized", 4, 42, True)


@pytest.mark.parametrize("broken", [bytes(4), bytes.fromhex("FFFFFFFF 00000004 00000000 0000002A")])
@pytest.mark.parametrize("step", [1, 3, 1_000])
def test_what_came_before_the_break_is_not_lost(broken: bytes, step: int) -> None:
    stream = pdu(16) + pdu(20) + broken
    framer = Framer(100)
    got = [whole for at in range(0, len(stream), step) for whole in take(framer, stream[at : at + step])]
    assert got == [pdu(16), pdu(20)]
    assert framer.fault is not None
