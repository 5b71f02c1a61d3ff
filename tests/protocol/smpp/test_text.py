"""The alphabets: every character there and back, the escapes, the faults, and the data_coding table."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.errors import SmppFault
from protocol.smpp.headers import Shift
from protocol.smpp.text import (
    ENCODINGS,
    GSM_DEFAULT,
    GSM_EXTENSION,
    TextFault,
    best_encoding,
    data_coding_of,
    decode,
    encode,
    encoding_of,
    letters_of,
)

GSM_TEXT = st.text(alphabet=GSM_DEFAULT.replace("\x1b", "") + "".join(GSM_EXTENSION.values()), max_size=80)


@pytest.mark.parametrize(
    ("text", "encoding", "octets"),
    [
        ("Hello @ home", "gsm", b"Hello \x00 home"),
        ("é à ù €", "gsm", b"\x05 \x7f \x06 \x1be"),
        ("[{|}]\\~^\f", "gsm", b"\x1b<\x1b(\x1b@\x1b)\x1b>\x1b/\x1b=\x1b\x14\x1b\x0a"),
        ("_$¥£", "gsm", b"\x11\x02\x03\x01"),
        ("ΔΦΓ", "gsm", b"\x10\x12\x13"),
        ("é€"[0], "latin1", b"\xe9"),
        ("plain", "ascii", b"plain"),
        ("é😀", "ucs2", b"\x00\xe9\xd8\x3d\xde\x00"),
        ("Привет", "cyrillic", b"\xbf\xe0\xd8\xd2\xd5\xe2"),
        ("שלום", "hebrew", b"\xf9\xec\xe5\xed"),
        ("日本", "iso2022jp", b"\x1b$BF|K\\\x1b(B"),
        ("한국", "euckr", b"\xc7\xd1\xb1\xb9"),
        ("é€", "utf8", b"\xc3\xa9\xe2\x82\xac"),
        ("", "gsm", b""),
        ("", "ucs2", b""),
    ],
)
def test_known_texts_there_and_back(text: str, encoding: str, octets: bytes) -> None:
    assert encode(text, encoding) == octets
    assert decode(octets, encoding) == text


def test_latin1_of_windows_is_read_as_its_writer_meant_it() -> None:
    assert decode(b"5 \x80 \x96 l\x92\xe9t\xe9\x85", "latin1") == "5 € – l’été…"
    for octet in range(256):  # everything else is what ISO 8859-1 says
        windows = bytes((octet,)).decode("cp1252", "ignore") or chr(octet)
        assert decode(bytes((octet,)), "latin1") == windows


def test_gsm_table_has_its_landmarks() -> None:
    assert len(GSM_DEFAULT) == 128
    assert len(set(GSM_DEFAULT)) == 128
    for septet, char in {0x00: "@", 0x0A: "\n", 0x0D: "\r", 0x1B: "\x1b", 0x20: " ", 0x24: "¤", 0x40: "¡"}.items():
        assert GSM_DEFAULT[septet] == char
    for septet, char in {0x5B: "Ä", 0x5F: "§", 0x60: "¿", 0x7B: "ä", 0x7E: "ü", 0x7F: "à", 0x1F: "É"}.items():
        assert GSM_DEFAULT[septet] == char


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"a\x1b", "a "),  # nothing follows
        (b"a\x1b\x1bb", "a b"),  # reserved for another table
        (b"\x1bA", "A"),  # not in the extension table
        (b"\x1b\x1b\x1be", " €"),
        (b"\x1b\n", "\f"),
        (b"\x1b\x0d", "\r"),
    ],
)
def test_gsm_escapes_that_mean_nothing(octets: bytes, text: str) -> None:
    assert decode(octets, "gsm") == text


@pytest.mark.parametrize(
    ("text", "encoding", "position"),
    [("ab😀", "gsm", 2), ("€uro ç", "gsm", 5), ("a\x1b", "gsm", 1), ("a€", "latin1", 1), ("é", "ascii", 0)],
)
def test_encode_names_the_first_character_it_cannot_carry(text: str, encoding: str, position: int) -> None:
    with pytest.raises(TextFault) as caught:
        encode(text, encoding)
    assert caught.value.position == position
    assert caught.value.kind == "unencodable"
    assert text not in str(caught.value)


def test_encode_lone_surrogate_is_a_fault() -> None:
    with pytest.raises(TextFault) as caught:
        encode("ab\ud800", "ucs2")
    assert caught.value.position == 2


@pytest.mark.parametrize(
    ("octets", "encoding", "position", "replaced"),
    [
        (b"ab\x80", "gsm", 2, "ab\ufffd"),
        (b"a\xe9", "ascii", 1, "a\ufffd"),
        (b"\x00a\x00", "ucs2", 2, "a\ufffd"),
        (b"\xd8\x3d\x00a", "ucs2", 0, "\ufffda"),
        (b"\x01\x02", "binary", 0, "\ufffd\ufffd"),
        (b"x", "klingon", 0, "\ufffd"),
    ],
)
def test_decode_faults_or_replaces(octets: bytes, encoding: str, position: int, replaced: str) -> None:
    with pytest.raises(SmppFault) as caught:
        decode(octets, encoding)
    assert isinstance(caught.value, TextFault)
    assert caught.value.position == position
    assert decode(octets, encoding, "replace") == replaced


def test_binary_carries_no_text() -> None:
    with pytest.raises(TextFault) as caught:
        encode("a", "binary")
    assert caught.value.kind == "no_text"


@pytest.mark.parametrize(("text", "best"), [("plain", "gsm"), ("prix 5€", "gsm"), ("français", "ucs2"), ("", "gsm")])
def test_best_encoding(text: str, best: str) -> None:
    assert best_encoding(text) == best


@pytest.mark.parametrize(
    ("data_coding", "encoding"),
    [
        (0x00, "latin1"),
        (0x01, "ascii"),
        (0x02, "binary"),
        (0x03, "latin1"),
        (0x04, "binary"),
        (0x05, "binary"),
        (0x06, "cyrillic"),
        (0x07, "hebrew"),
        (0x0A, "iso2022jp"),
        (0x0D, "binary"),
        (0x08, "ucs2"),
        (0x0E, "euckr"),
        (0x10, "gsm"),
        (0x14, "binary"),
        (0x18, "ucs2"),
        (0x1C, "binary"),
        (0x20, "binary"),
        (0x3F, "binary"),
        (0x40, "gsm"),
        (0x48, "ucs2"),
        (0x54, "binary"),
        (0x60, "binary"),
        (0x7F, "binary"),
        (0x80, "binary"),
        (0xBF, "binary"),
        (0xC0, "gsm"),
        (0xC8, "gsm"),
        (0xD0, "gsm"),
        (0xDF, "gsm"),
        (0xE0, "ucs2"),
        (0xEF, "ucs2"),
        (0xF0, "gsm"),
        (0xF1, "gsm"),
        (0xF4, "binary"),
        (0xF5, "binary"),
        (0xF8, "gsm"),
        (0xFF, "binary"),
        (0x100, "binary"),
        (-1, "binary"),
    ],
)
def test_encoding_of(data_coding: int, encoding: str) -> None:
    assert encoding_of(data_coding, "latin1") == encoding


@pytest.mark.parametrize("default", ["gsm", "latin1", "ascii", "ucs2", "utf8"])
def test_data_coding_of_is_read_back(default: str) -> None:
    for encoding in ENCODINGS:
        if encoding in ("gsm", "utf8") and encoding != default:
            with pytest.raises(TextFault) as caught:
                data_coding_of(encoding, default)
            assert caught.value.kind == "no_data_coding"
        else:
            assert encoding_of(data_coding_of(encoding, default), default) == encoding
    assert data_coding_of(default, default) == 0


@pytest.mark.parametrize(
    ("text", "shift", "octets"),
    [
        # Typed from the tables of TS 23.038 A.2 and A.3.
        ("Şişli", (0, 1), b"\x1bSi\x1bsli"),
        ("Şişli ığdır", (1, 1), b"\x1ci\x1dli \x07\x0cd\x07r"),
        ("ação", (0, 3), b"a\x1b\x09\x1b\x7bo"),
        ("ação {€}", (3, 3), b"a\x09\x7bo \x1b(\x18\x1b)"),
        ("Índice", (0, 2), b"\x1bIndice"),
        ("नमस्ते", (6, 6), bytes((0x2F, 0x42, 0x4C, 0x5F, 0x27, 0x59))),
        ("A१ (ok)", (6, 6), b"\x1bA\x1b\x1d\x20)ok("),
        ("A", (13, 0), None),  # no Latin capitals without the single shift table
    ],
)
def test_national_texts_there_and_back(text: str, shift: Shift, octets: bytes | None) -> None:
    if octets is None:
        with pytest.raises(TextFault):
            encode(text, "gsm", shift)
        return
    assert encode(text, "gsm", shift) == octets
    assert decode(octets, "gsm", shift=shift) == text


@pytest.mark.parametrize(
    ("octets", "shift", "text"),
    [
        (b"\x1bA", (0, 1), "A"),  # not in the single shift table: the default alphabet's
        (b"\x1b\x04", (1, 1), "€"),  # or the locking table's
        (b"a\x1b\x1bb", (1, 1), "a b"),
        (b"a\x1b", (0, 6), "a "),
        (b"\x1be\x40", (1, 0), "€İ"),  # the default's extension beside a locking table
        (b"\x0c\x1bS", (200, 77), "øS"),  # reserved identifiers name no table
        (b"\x0c", (4, 0), " "),  # a septet without a letter
    ],
)
def test_national_escapes_that_mean_nothing(octets: bytes, shift: Shift, text: str) -> None:
    assert decode(octets, "gsm", shift=shift) == text


def test_national_octets_beyond_septets() -> None:
    with pytest.raises(TextFault) as caught:
        decode(b"ab\x80", "gsm", shift=(1, 1))
    assert caught.value.position == 2
    assert decode(b"ab\x80c", "gsm", "replace", (1, 1)) == "ab\ufffdc"


@given(st.sampled_from([(locking, single) for locking in range(14) for single in range(14)]), st.data())
@settings(max_examples=100, deadline=None)
def test_national_round_trip(shift: Shift, data: st.DataObject) -> None:
    letters = "".join(map(chr, letters_of(shift)))
    text = data.draw(st.text(alphabet=letters, max_size=60))
    assert decode(encode(text, "gsm", shift), "gsm", shift=shift) == text


@given(st.binary(max_size=60), st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_no_octets_and_no_tables_raise(octets: bytes, locking: int, single: int) -> None:
    with contextlib.suppress(TextFault):
        decode(octets, "gsm", shift=(locking, single))
    assert len(decode(octets, "gsm", "replace", (locking, single))) <= len(octets)


@given(GSM_TEXT)
@settings(max_examples=60, deadline=None)
def test_gsm_round_trip(text: str) -> None:
    assert decode(encode(text, "gsm"), "gsm") == text


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_best_encoding_round_trip(text: str) -> None:
    encoding = best_encoding(text)
    assert decode(encode(text, encoding), encoding) == text


@given(st.binary(max_size=60), st.sampled_from(ENCODINGS))
@settings(max_examples=100, deadline=None)
def test_no_octets_raise_anything_but_our_fault(octets: bytes, encoding: str) -> None:
    with contextlib.suppress(TextFault):
        decode(octets, encoding)
    decode(octets, encoding, "replace")
