"""User data headers: lengths that lie, elements in their order, and what they ask for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.headers import (
    CONCAT_ELEMENTS,
    NO_SHIFT,
    SHIFT_ELEMENTS,
    build_header,
    build_udh,
    joined,
    parse_udh,
    shift_header,
    shift_of,
    without,
)

PORTS = b"\x06\x05\x04\x0b\x84\x23\xf0"


def test_parse_udh_keeps_every_element_in_order() -> None:
    udh = b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x2a\x03\x01"
    assert parse_udh(udh) == [(0x05, b"\x0b\x84\x23\xf0"), (0x00, b"\x2a\x03\x01")]
    assert parse_udh(b"\x00") == []
    assert parse_udh(b"\x02\x70\x00") == [(0x70, b"")]


@pytest.mark.parametrize(
    "udh", [b"", b"\x05\x00\x03\x2a", b"\x05\x00\x04\x2a\x03\x01", b"\x01\x00", b"\x02\x00\x00\x00", b"\xff\x00"]
)
def test_parse_udh_refuses_lengths_that_lie(udh: bytes) -> None:
    with pytest.raises(RemoteFault) as caught:
        parse_udh(udh)
    assert caught.value.kind == "udh_overrun"
    assert caught.value.status == Status.ESME_RINVESMCLASS
    assert not caught.value.fatal


def test_build_udh() -> None:
    assert build_udh((0x12A, 3, 1), wide=False) == b"\x05\x00\x03\x2a\x03\x01"
    assert build_udh((0x12A, 3, 1), wide=True) == b"\x06\x08\x04\x01\x2a\x03\x01"
    for concat in [(1, 0, 0), (1, 2, 3), (1, 256, 1), (1, 2, 0)]:
        with pytest.raises(LocalFault):
            build_udh(concat, wide=False)


@pytest.mark.parametrize(
    ("udh", "shift"),
    [
        (b"", NO_SHIFT),
        (b"\x03\x24\x01\x01", (0, 1)),
        (b"\x03\x25\x01\x03", (3, 0)),
        (b"\x06\x24\x01\x06\x25\x01\x06", (6, 6)),
        (b"\x0c\x00\x03\x2a\x02\x01\x24\x01\x01\x25\x01\x02", NO_SHIFT),  # a length that lies
        (
            b"\x0b\x00\x03\x24\x02\x01\x24\x01\x01\x25\x01\x02",
            (2, 1),
        ),
        (b"\x06\x24\x01\x01\x24\x01\x02", (0, 2)),  # the last occurrence counts
        (b"\x04\x24\x02\x01\x02", NO_SHIFT),  # not of the size that it has
        (b"\x05\x00\x03\x24\x25\x24", NO_SHIFT),  # a reference, no element
        (b"\x03\x24\x01\xc8", (0, 200)),  # for its reader to look up
    ],
)
def test_shift_of(udh: bytes, shift: tuple[int, int]) -> None:
    assert shift_of(udh) == shift


def test_shift_header_is_read_back() -> None:
    # Four octets leave 155 septets of 160, seven leave 152 (TS 23.040 9.2.3.24.15).
    assert shift_header(NO_SHIFT) == b""
    assert shift_header((0, 1)) == b"\x03\x24\x01\x01"
    assert len(shift_header((6, 6))) == 7
    for shift in ((0, 1), (3, 0), (13, 13)):
        assert shift_of(shift_header(shift)) == shift


def test_joined_and_without() -> None:
    concat = build_udh((1, 2, 1), wide=False)
    assert joined(b"", concat) == concat
    assert joined(PORTS, b"") == PORTS
    both = joined(PORTS, concat)
    assert both == b"\x0b" + PORTS[1:] + concat[1:]
    assert without(both, CONCAT_ELEMENTS) == PORTS
    assert without(both, frozenset((5,))) == concat
    assert without(concat, CONCAT_ELEMENTS) == b""
    assert without(b"", SHIFT_ELEMENTS) == b""
    with pytest.raises(LocalFault):
        joined(b"\xfb\x70\xf9" + bytes(249), concat)
    with pytest.raises(LocalFault):
        build_header([(1, bytes(255))])


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_header_is_read_back(elements: list[tuple[int, bytes]]) -> None:
    header = build_header(elements)
    assert (parse_udh(header) if header else []) == elements


@given(st.binary(max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_octets_ask_for_some_tables(udh: bytes) -> None:
    locking, single = shift_of(udh)
    assert 0 <= locking <= 255
    assert 0 <= single <= 255
