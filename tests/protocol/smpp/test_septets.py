"""Septets packed as TS 23.038 draws them, and the seven bits that may be left over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.septets import fill_bits, pack, unpack


@pytest.mark.parametrize(
    ("septets", "fill", "octets"),
    [
        (b"", 0, ""),
        (b"hellohello", 0, "e8329bfd4697d9ec37"),
        (b"hello", 0, "e8329bfd06"),
        (b"1", 0, "31"),
        (b"12", 0, "3119"),
        (b"\x00", 0, "00"),
        # Eight septets fill seven octets; the last is an "@" and no filling.
        (b"1234567\x00", 0, "31d98c56b3dd00"),
        # Seven leave seven bits: CR, not a false "@" (6.1.2.3.1).
        (b"1234567", 0, "31d98c56b3dd1a"),
        # A CR on the edge is doubled.
        (b"1234567\r", 0, "31d98c56b3dd1a0d"),
        # A lone escape in the last place stays one.
        (b"123456\x1b", 0, "31d98c56b36d1a"),
        # Behind a header of six octets one bit fills up to a septet's edge.
        (b"hello", 1, "d06536fb0d"),
        (b"a", 1, "c2"),
        # With one bit of filling, eight septets leave seven bits again.
        (b"12345678", 1, "62b219ad66bbe11a"),
    ],
)
def test_known_octets(septets: bytes, fill: int, octets: str) -> None:
    packed = pack(septets, fill)
    assert packed == bytes.fromhex(octets)
    assert unpack(packed, fill) in (septets, septets + b"\r" * (septets[-1:] == b"\r"))


def test_a_text_that_fills_its_sms_is_not_made_longer() -> None:
    full = b"a" * 159 + b"\r"
    assert len(pack(full)) == 140
    assert len(pack(b"a" * 160)) == 140
    assert len(pack(b"a" * 153, fill_bits(6), 134)) == 134


@pytest.mark.parametrize(("header_size", "fill"), [(0, 0), (4, 3), (6, 1), (7, 0), (9, 5), (12, 2)])
def test_septets_begin_on_an_edge_behind_a_header(header_size: int, fill: int) -> None:
    assert fill_bits(header_size) == fill
    assert (header_size * 8 + fill) % 7 == 0


@given(st.binary(max_size=170).map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 6))
@settings(max_examples=200, deadline=None)
def test_what_was_packed_is_read_back(septets: bytes, fill: int) -> None:
    read = unpack(pack(septets, fill, 200), fill)
    # "The receiving entity will perform the carriage return function twice": all that the rule costs.
    assert read in (septets, septets + b"\r" if septets.endswith(b"\r") else septets)


@given(st.binary(max_size=160), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_any_octets_are_septets(octets: bytes, fill: int) -> None:
    assert all(septet < 0x80 for septet in unpack(octets, fill))
