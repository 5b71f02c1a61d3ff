"""The PROXY header: the specification's own examples, every way to be wrong, and no octet of the client's taken."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.haproxy.header import SIGNATURE, Header, HeaderFault, parse, wanted

V4 = bytes((203, 0, 113, 9)) + bytes((192, 0, 2, 1)) + b"\xdc\x04\x0a\xd7"
V6 = ipaddress.IPv6Address("2001:db8::9").packed + ipaddress.IPv6Address("2001:db8::1").packed + b"\xdc\x04\x0a\xd7"


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


def read(stream: bytes) -> tuple[Header, bytes]:
    """What a reader that asks for no more than it is told to gets, and what is left for others."""
    head = b""
    while size := wanted(head):
        assert size > 0
        chunk = stream[len(head) : len(head) + size]
        if not chunk:
            raise HeaderFault("ended")
        head += chunk
    return parse(head), stream[len(head) :]


@pytest.mark.parametrize(
    ("head", "header"),
    [
        # Typed from the text of the specification, sections 2.1 and 2.2.
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Header(1, "255.255.255.255", 65_535)),
        (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", Header(1, "192.168.0.1", 56_324)),
        (
            b"PROXY TCP6 ffff:f...f:ffff ".replace(b"f...f", b"ffff:ffff:ffff:ffff:ffff:ffff") + b"::1 65535 65535\r\n",
            Header(1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65_535),
        ),
        (b"PROXY UNKNOWN\r\n", Header(1)),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", Header(1)),
        (v2(0x21, 0x11, V4), Header(2, "203.0.113.9", 56_324)),
        (v2(0x21, 0x11, V4 + b"\x03\x00\x04abcd"), Header(2, "203.0.113.9", 56_324)),
        (v2(0x21, 0x21, V6), Header(2, "2001:db8::9", 56_324)),
        (v2(0x21, 0x31, bytes(216)), Header(2)),
        (v2(0x21, 0x00, b""), Header(2)),
        (v2(0x20, 0x00, b""), Header(2, is_local=True)),
        (v2(0x20, 0x11, V4), Header(2, is_local=True)),
    ],
)
def test_what_a_balancer_says(head: bytes, header: Header) -> None:
    assert read(head + b"the client's own") == (header, b"the client's own")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x2f\0\0\0\x09\0\0\0\0\0\0\0\1", "absent"),
        (b"PROXY!TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "absent"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "family"),
        (b"PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n", "family"),
        (b"PROXY TCP4 ::1 ::2 1 2\r\n", "address"),
        (b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", "address"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", "address"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", "address"),
        (b"PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", "family"),
        (b"PROXY " + b"A" * 200, "length"),
        (v2(0x11, 0x11, V4), "version"),
        (v2(0x31, 0x11, V4), "version"),
        (v2(0x22, 0x11, V4), "command"),
        (v2(0x21, 0x12, V4), "family"),
        (v2(0x21, 0x41, V4), "family"),
        (v2(0x21, 0x11, V4[:-1]), "length"),
        (v2(0x21, 0x21, V4), "length"),
        (v2(0x21, 0x31, V4), "length"),
        (v2(0x21, 0x11, bytes(4_097)), "length"),
        (SIGNATURE[:-1], "ended"),
        (b"", "ended"),
    ],
)
def test_what_is_no_header(head: bytes, kind: str) -> None:
    with pytest.raises(HeaderFault) as raised:
        read(head)
    assert raised.value.kind == kind


def test_a_header_that_is_not_whole_is_not_parsed() -> None:
    for head in (SIGNATURE, v2(0x21, 0x11, V4)[:-1], v2(0x21, 0x11, V4) + b"x", b"PROXY TCP4", b"", b"x\r\n"):
        with pytest.raises(HeaderFault):
            parse(head)


ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)
PORTS = st.integers(0, 65_535)


@settings(max_examples=100, deadline=None)
@given(ADDRESSES, PORTS, st.binary(max_size=60), st.binary(max_size=40), st.booleans())
def test_every_address_comes_through_and_nothing_else_is_taken(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, more: bytes, rest: bytes, is_text: bool
) -> None:
    other = type(address)(0)
    if is_text:
        head = f"PROXY TCP{address.version} {address} {other} {port} 2775\r\n".encode()
    else:
        body = address.packed + other.packed + port.to_bytes(2, "big") + b"\x0a\xd7" + more
        head = v2(0x21, 0x11 if address.version == 4 else 0x21, body)
    assert read(head + rest) == (Header(1 if is_text else 2, str(address), port), rest)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=120)
    | st.binary(max_size=120).map(lambda rest: b"PROXY " + rest)
    | st.binary(max_size=120).map(lambda rest: SIGNATURE + rest)
    | st.binary(max_size=120).map(lambda rest: SIGNATURE + b"\x21\x11" + rest)
)
def test_any_octets_lead_to_a_header_or_to_a_fault(stream: bytes) -> None:
    try:
        found = str(read(stream)[0].version)
    except HeaderFault as fault:
        found = fault.kind
    assert found in {"1", "2", "absent", "version", "command", "family", "length", "address", "ended"}
