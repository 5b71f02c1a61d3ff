"""Octets from dumps as the usual programs print them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.smpp.dumps import octets_of

OCTETS = bytes.fromhex(
    "0000003b0000000400000000000000050005006273616e64000101333336000000000000000100000000 0568656c6c6f".replace(" ", "")
)


@pytest.mark.parametrize(
    "text",
    [
        OCTETS.hex(),
        OCTETS.hex(" "),
        OCTETS.hex(":").upper(),
        ", ".join(f"0x{octet:02x}" for octet in OCTETS),
        "{" + ",".join(f"0x{octet:02X}" for octet in OCTETS) + "};",
        'b"' + "".join(f"\\x{octet:02x}" for octet in OCTETS) + '"',
        f"{OCTETS[:20].hex()}\n{OCTETS[20:].hex()}\n",
        f"2024-01-01 12:00:00 DEBUG got pdu={OCTETS.hex()} from 10.0.0.1",
        f"2024-01-01 12:00:00 [1] DEBUG: Got PDU:\nData: {OCTETS.hex()}\n",
        f"unsigned char pdu[] = {{\n{', '.join(f'0x{octet:02x}' for octet in OCTETS)}\n}};",
        f"got {OCTETS!r} from 10.0.0.1",
    ],
)
def test_digits_in_any_dress(text: str) -> None:
    assert octets_of(text) == [OCTETS]


def rows(octets: bytes, form: str) -> str:
    """A dump as written by hand after each program's own."""
    lines = []
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        pairs = " ".join(row[place : place + 2].hex() for place in range(0, len(row), 2))
        if form == "wireshark":
            lines.append(f"{at:04x}   {row.hex(' '):47}   {shown}")
        elif form == "hexdump":
            halves = f"{row[:8].hex(' '):23}  {row[8:].hex(' '):23}"
            lines.append(f"{at:08x}  {halves}  |{shown}|")
        elif form == "od":
            lines.append(f"{at:07o} {row.hex(' ')}")
        elif form == "xxd":
            lines.append(f"{at:08x}: {pairs:39}  {shown}")
        elif form == "tcpdump":
            lines.append(f"\t0x{at:04x}:  {pairs:39}  {shown}")
        else:
            lines.append(f"\t0x{at:04x}:  {pairs}")
    return "\n".join(lines) + "\n"


FORMS = ("wireshark", "hexdump", "od", "xxd", "tcpdump", "tcpdump -x")


@given(st.binary(min_size=16, max_size=70), st.sampled_from(FORMS))
def test_dumps_with_offsets_are_read_as_far_as_their_octets_go(octets: bytes, form: str) -> None:
    assert octets_of(rows(octets, form)) == [octets]


@given(st.binary(min_size=1, max_size=70))
def test_what_python_prints_of_bytes(octets: bytes) -> None:
    if "\\x" in repr(octets):
        assert octets_of(f"pdu: {octets!r}, and\n{octets!r}") == [octets, octets]


def test_several_dumps_with_words_between() -> None:
    text = "12:00:00.1 IP 10.0.0.1.40000 > 10.0.0.2.2775: Flags [P.], length 59\n"
    assert octets_of((text + rows(OCTETS, "tcpdump -x")) * 2) == [OCTETS, OCTETS]


@pytest.mark.skipif(shutil.which("xxd") is None, reason="no xxd here")
def test_what_xxd_prints() -> None:
    printed = subprocess.run(["xxd"], input=OCTETS, capture_output=True, check=True).stdout.decode()
    assert octets_of(printed) == [OCTETS]


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "nothing"), ("abc", "3 hexadecimal digits"), ("00 zz\n00 01", "'z' is no"), ("hello\nthere", "'h' is no")],
)
def test_what_is_no_dump_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        octets_of(text)


@given(st.text(max_size=80))
def test_nothing_else_is_ever_raised(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert octets_of(text)
