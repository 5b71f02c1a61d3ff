"""What messages say of their place in a longer one, and cuts, against counts made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.errors import LocalFault, RemoteFault
from protocol.smpp.parts import body_of, concat_of, split
from protocol.smpp.text import decode, encode

UDHI = 0x40
SAR = ((0x020C, b"\x12\x34"), (0x020E, b"\x03"), (0x020F, b"\x02"))


@pytest.mark.parametrize(
    ("octets", "concat", "header_size"),
    [
        (b"\x05\x00\x03\x2a\x03\x01hello", (0x2A, 3, 1), 6),
        (b"\x06\x08\x04\x01\x2a\x03\x03hello", (0x012A, 3, 3), 7),
        (b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x2a\x03\x02hello", (0x2A, 3, 2), 12),
        (b"\x0a\x00\x03\x01\x02\x01\x00\x03\x02\x02\x02hello", (2, 2, 2), 11),  # the last occurrence counts
        (b"\x06\x05\x04\x0b\x84\x23\xf0hello", None, 7),  # ports alone
        (b"\x05\x00\x03\x2a\x03\x00hello", None, 6),  # sequence 0
        (b"\x05\x00\x03\x2a\x03\x04hello", None, 6),  # beyond the total
        (b"\x05\x00\x03\x2a\x00\x00hello", None, 6),  # no parts
        (b"\x04\x00\x02\x2a\x03hello", None, 5),  # not three octets: not understood, not a fault
        (b"\x05\x08\x03\x2a\x03\x01hello", None, 6),  # the wide element's name with the narrow one's size
    ],
)
def test_concat_of_headers(octets: bytes, concat: tuple[int, int, int] | None, header_size: int) -> None:
    assert concat_of(UDHI, octets, ()) == (concat, octets[:header_size], b"hello")


def test_concat_of_without_indicator_reads_no_header() -> None:
    assert concat_of(0, b"\x05\x00\x03\x2a\x03\x01hello", ()) == (None, b"", b"\x05\x00\x03\x2a\x03\x01hello")


def test_concat_of_sar() -> None:
    assert concat_of(0, b"hello", SAR) == ((0x1234, 3, 2), b"", b"hello")
    assert concat_of(0, b"hello", SAR[:2]) == (None, b"", b"hello")
    assert concat_of(0, b"hello", (*SAR[:2], (0x020F, b"\x04"))) == (None, b"", b"hello")
    too_wide = (SAR[0], (0x020E, b"\x01\x2c"), SAR[2])  # 300 parts, in two octets
    assert concat_of(0, b"hello", too_wide) == (None, b"", b"hello")
    assert concat_of(UDHI, b"\x06\x05\x04\x0b\x84\x23\xf0hi", SAR)[0] == (0x1234, 3, 2)
    assert concat_of(UDHI, b"\x05\x00\x03\x2a\x05\x01hi", SAR)[0] == (0x2A, 5, 1)


@pytest.mark.parametrize("octets", [b"", b"\x05\x00\x03\x2a", b"\xff", b"\x03\x00\x05\x01hello"])
def test_concat_of_faults(octets: bytes) -> None:
    with pytest.raises(RemoteFault):
        concat_of(UDHI, octets, ())


@given(st.binary(max_size=20), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_concat_of_takes_any_octets(octets: bytes, esm_class: int) -> None:
    try:
        _, udh, payload = concat_of(esm_class, octets, ())
    except RemoteFault:
        return
    assert udh + payload == octets


def test_body_of() -> None:
    assert body_of(b"short", SAR) == (b"short", SAR)
    assert body_of(b"", ((0x0424, b"long"), (0x0204, b"\x00\x01"))) == (b"long", ((0x0204, b"\x00\x01"),))
    assert body_of(b"x", ((0x0424, b"long"),)) == (b"long", ())
    assert body_of(b"x", ((0x0424, b""), (0x0204, b"\x00\x01"))) == (b"x", ((0x0204, b"\x00\x01"),))
    assert body_of(b"", ((0x0424, b""),)) == (b"", ())


@pytest.mark.parametrize(
    ("text", "encoding", "sizes"),
    [
        ("", "gsm", [0]),
        ("a" * 160, "gsm", [160]),
        ("a" * 161, "gsm", [153, 8]),
        ("a" * 306, "gsm", [153, 153]),
        ("a" * 307, "gsm", [153, 153, 1]),
        ("a" * 158 + "€", "gsm", [160]),
        ("a" * 159 + "€", "gsm", [153, 8]),
        ("a" * 152 + "€" + "a" * 10, "gsm", [152, 12]),  # the pair would straddle the cut
        ("€" * 80, "gsm", [160]),
        ("€" * 81, "gsm", [152, 10]),
        ("a" * 151 + "€" + "a" * 20, "gsm", [153, 20]),
        ("a" * 140, "latin1", [140]),
        ("é" * 141, "latin1", [134, 7]),
        ("a" * 160, "ascii", [160]),
        ("a" * 161, "ascii", [153, 8]),
        ("[" + "a" * 140, "ascii", [134, 7]),
        ("a" * 70, "ucs2", [140]),
        ("a" * 71, "ucs2", [134, 8]),
        ("a" * 134, "ucs2", [134, 134]),
        ("a" * 135, "ucs2", [134, 134, 2]),
        ("a" * 66 + "😀" + "a" * 5, "ucs2", [132, 14]),  # the pair would straddle the cut
        ("a" * 66 + "e\u0301" + "a" * 5, "ucs2", [132, 14]),  # an accent stays with its letter
        ("a" * 65 + "😀\u200d😀" + "a" * 5, "ucs2", [130, 20]),  # a joined pair stays whole
        ("a" * 66 + "e\u0301" + "a" * 66, "ucs2", [134, 134]),  # unless it costs a part
        ("a" * 63 + "🇫🇷" + "a" * 67, "ucs2", [134, 134]),
        ("a" * 65 + "🇫🇷" + "a" * 5, "ucs2", [130, 18]),
        ("a" * 65 + "👍🏽" + "a" * 5, "ucs2", [130, 18]),
        ("a" + "\u0301" * 100, "ucs2", [134, 68]),  # nowhere to cut gently
    ],
)
def test_split_counts(text: str, encoding: str, sizes: list[int]) -> None:
    parts = split(encode(text, encoding), encoding)
    assert [len(part) for part in parts] == sizes
    assert "".join(decode(part, encoding) for part in parts) == text


@pytest.mark.parametrize(
    ("text", "encoding", "sizes"),
    [
        # UAX #29 at the 67th unit: nothing that is seen as one character is divided.
        ("a" * 65 + "👨\u200d👩\u200d👧" + "a" * 5, "ucs2", [130, 26]),
        ("a" * 65 + "1\ufe0f\u20e3" + "a" * 5, "ucs2", [130, 16]),  # a keycap
        ("a" * 66 + "\u1100\u1161\u11a8" + "a" * 5, "ucs2", [132, 16]),  # Hangul jamo
        ("अ" * 65 + "क्षि" + "अ" * 5, "ucs2", [130, 18]),  # a conjunct
        ("a" * 63 + "🇫🇷🇩🇪" + "a" * 5, "ucs2", [134, 18]),  # between two flags
        ("é" * 66 + "\r\n" + "é" * 5, "ucs2", [132, 14]),
        # One gentle cut has room, a second would cost a part: as many as can be.
        ("a" * 66 + "e\u0301" + "a" * 65 + "e\u0301" + "a" * 65, "ucs2", [132, 134, 134]),
    ],
)
def test_split_keeps_what_people_see_as_one(text: str, encoding: str, sizes: list[int]) -> None:
    parts = split(encode(text, encoding), encoding)
    assert [len(part) for part in parts] == sizes
    assert "".join(decode(part, encoding) for part in parts) == text


def test_split_national_letters_stay_with_their_signs() -> None:
    shift = (6, 6)
    text = "a" * 145 + "कि" + "a" * 8  # a vowel sign would begin the second part of 146 septets
    parts = split(encode(text, "gsm", shift), "gsm", 140 - 7, 5, shift)
    assert [len(part) for part in parts] == [145, 10]
    assert "".join(decode(part, "gsm", shift=shift) for part in parts) == text
    parts = split(encode("a" * 145 + "१" + "a" * 9, "gsm", shift), "gsm", 140 - 7, 5, shift)
    assert [len(part) for part in parts] == [145, 11]  # an escape stays with its letter


def test_split_binary_and_smaller_limits() -> None:
    assert [len(part) for part in split(bytes(300), "binary")] == [134, 134, 32]
    assert [len(part) for part in split(bytes(141), "binary", limit=133)] == [127, 14]
    assert [len(part) for part in split(b"a" * 153, "gsm", limit=133)] == [145, 8]
    assert [len(part) for part in split(b"\x00a" * 67, "ucs2", limit=133)] == [126, 8]
    with pytest.raises(LocalFault):
        split(bytes(20), "binary", limit=9)


def test_split_half_characters_join_nothing() -> None:
    lone = b"\x00a" * 66 + b"\xdc\x00" * 2 + b"\x00a" * 5
    assert [len(part) for part in split(lone, "ucs2")] == [134, 12]
    assert [len(part) for part in split(b"\x00a" * 67 + b"\xd8\x00" + b"\x00a" * 5, "ucs2")] == [134, 12]
    assert [len(part) for part in split(b"\x00a" * 70 + b"\x00", "ucs2")] == [134, 7]


def test_split_escape_runs() -> None:
    # Two escapes are one pair by themselves: only the last of an odd run pulls what follows.
    assert [len(part) for part in split(b"a" * 151 + b"\x1b\x1b" + b"b" * 20, "gsm")] == [153, 20]
    assert [len(part) for part in split(b"a" * 150 + b"\x1b\x1b\x1be" + b"b" * 20, "gsm")] == [152, 22]


@given(st.text(min_size=60, max_size=260), st.integers(20, 140))
@settings(max_examples=100, deadline=None)
def test_split_loses_nothing_and_every_part_is_a_text(text: str, limit: int) -> None:
    payload = encode(text, "ucs2")
    parts = split(payload, "ucs2", limit)
    assert b"".join(parts) == payload
    assert "".join(decode(part, "ucs2") for part in parts) == text
    assert len(parts) == 1 or all(0 < len(part) <= limit - 6 for part in parts)


@given(st.binary(max_size=500), st.sampled_from(["gsm", "ucs2", "binary", "latin1", "ascii"]))
@settings(max_examples=100, deadline=None)
def test_split_takes_any_octets(payload: bytes, encoding: str) -> None:
    assert b"".join(split(payload, encoding)) == payload
