"""Alphabets on a link, and how many segments a handset counts: a table made by hand from TS 23.038 and TS 23.040."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.carriers.segments import count_of, prepared
from gatewayd.carriers.wording import Manner, manner_of, wording_of
from gatewayd.config import schema
from gatewayd.message import Encoding, Message
from protocol.smpp.headers import shift_of
from protocol.smpp.parts import concat_of
from protocol.smpp.septets import fill_bits, unpack
from protocol.smpp.text import TextFault, decode, encode, encoding_of

TURKISH, HINDI, PORTUGUESE = 1, 6, 3
GSM = Manner()


def message(text: str | bytes = "Hello", encoding: str = "gsm", **fields: Any) -> Message:
    payload = text if isinstance(text, bytes) else encode(text, encoding)
    known: dict[str, Any] = {"id": 0x0102_0304, "account": "shop", "source": "Shop", "destination": "33612345678"}
    known |= {"source_ton": 5, "source_npi": 0, "destination_ton": 1, "destination_npi": 1, "accepted_at": 0.0}
    return Message(**(known | {"payload": payload, "encoding": Encoding(encoding)} | fields))


def wide(text: str, **fields: Any) -> Message:
    return message(text, "ucs2", data_coding=8, **fields)


# What one SMS of 140 octets holds: alone, and as a part. The header of a part has 6 octets, or 7 with a reference of 16
# bits; each national table takes 3 octets more, and the octet that tells the header's length is there once.
#   septets: 140*8/7 = 160; 134*8/7 = 153; 133*8/7 = 152; 136*8/7 = 155; 133*8/7 = 152
#   parts with one table: 131*8/7 = 149, wide 130*8/7 = 148; with two: 128*8/7 = 146, wide 127*8/7 = 145
COUNTS: list[tuple[str, str, str, tuple[int, ...], int, int]] = [
    ("a", "gsm", "udh8", (), 160, 153),
    ("a", "gsm", "udh16", (), 160, 152),
    ("a", "gsm", "sar", (), 160, 153),
    ("€", "gsm", "udh8", (), 80, 76),  # escape pairs: 153 holds 76
    ("я", "ucs2", "udh8", (), 70, 67),
    ("я", "ucs2", "udh16", (), 70, 66),
    ("я", "ucs2", "sar", (), 70, 67),
    ("😀", "ucs2", "udh8", (), 35, 33),  # pairs of surrogates: 67 units hold 33
    ("\x00", "binary", "udh8", (), 140, 134),
    ("\x00", "binary", "udh16", (), 140, 133),
]


def repeated(letter: str, count: int, encoding: str) -> Message:
    if encoding == "binary":
        return message(letter.encode() * count, "binary", data_coding=4)
    return wide(letter * count) if encoding == "ucs2" else message(letter * count, encoding)


@pytest.mark.parametrize(("letter", "encoding", "cut", "languages", "alone", "part"), COUNTS)
def test_counts_are_a_handset_s(
    letter: str, encoding: str, cut: str, languages: tuple[int, ...], alone: int, part: int
) -> None:
    manner = Manner(cut=cut, languages=languages)
    for letters, count in (
        (alone, 1),
        (alone + 1, 2),
        (2 * part, 2),
        (2 * part + 1, 3),
        (9 * part, 9),
        (9 * part + 1, 10),
    ):
        asked = repeated(letter, letters, encoding)
        requests = prepared(asked, manner, 0.0)[0]
        assert len(requests) == count == count_of(asked, manner), letters
        for request in requests:
            size = len(request.short_message)
            assert size <= (160 if encoding == "gsm" else 140)


@pytest.mark.parametrize(
    ("text", "languages", "cut", "sizes", "shift"),
    [
        # One table: 155 alone, 149 as parts (148 with a reference of 16 bits).
        ("ş" + "a" * 153, (TURKISH,), "udh8", [155], (0, 1)),
        ("ş" + "a" * 154, (TURKISH,), "udh8", [155], (1, 0)),  # 156 with an escape would be two
        ("ş" + "a" * 156, (TURKISH,), "udh8", [149, 9], (0, 1)),
        ("ş" + "a" * 296, (TURKISH,), "udh8", [149, 149], (0, 1)),
        ("ş" + "a" * 294, (TURKISH,), "udh16", [148, 148], (0, 1)),
        ("ş" + "a" * 294, (TURKISH,), "sar", [149, 147], (0, 1)),
        # Two tables: 152 alone, 146 as parts (145).
        ("अ" * 149 + "A", (HINDI,), "udh8", [151], (6, 6)),
        ("अ" * 148 + "११", (HINDI,), "udh8", [152], (6, 6)),
        ("अ" * 149 + "११", (HINDI,), "udh8", [146, 7], (6, 6)),
        ("अ" * 288 + "११", (HINDI,), "udh8", [146, 146], (6, 6)),
        ("अ" * 286 + "११", (HINDI,), "udh16", [145, 145], (6, 6)),
        # A locking table alone.
        ("अ" * 155, (HINDI,), "udh8", [155], (6, 0)),
        ("अ" * 156, (HINDI,), "udh8", [149, 7], (6, 0)),
    ],
)
def test_national_counts_are_a_handset_s(
    text: str, languages: tuple[int, ...], cut: str, sizes: list[int], shift: tuple[int, int]
) -> None:
    asked, manner = wide(text), Manner(cut=cut, languages=languages)
    requests = prepared(asked, manner, 0.0)[0]
    assert count_of(asked, manner) == len(requests)
    read, found = "", []
    for request in requests:
        _, udh, payload = concat_of(request.esm_class, request.short_message, request.tlvs)
        assert request.data_coding == 0
        assert request.esm_class == 0x40
        assert shift_of(udh) == shift, "each part bears the tables"
        assert len(udh) + -(-len(payload) * 7 // 8) <= 140 - (5 if cut == "sar" and len(requests) > 1 else 0)
        found.append(len(payload))
        read += decode(payload, "gsm", shift=shift)
    assert found == sizes
    assert read == text


@pytest.mark.parametrize(
    ("asked", "manner", "expected"),
    [
        # No segment less: it stays as its sender wrote it.
        (wide("Şişli"), Manner(languages=(TURKISH,)), (8, "ucs2")),
        (wide("é" * 20), Manner(languages=(TURKISH,)), (8, "ucs2")),
        (wide("é" * 71), Manner(languages=(TURKISH,)), (0, "gsm")),
        (wide("ş" * 71), Manner(languages=(TURKISH,)), (0, "gsm")),
        (wide("ş" * 71), GSM, (8, "ucs2")),
        (wide("ş" * 71 + "😀"), Manner(languages=(TURKISH,)), (8, "ucs2")),
        # A part can't become fewer.
        (wide("ş" * 60, concat=(1, 2, 1)), Manner(languages=(TURKISH,)), (8, "ucs2")),
        # What names its alphabet or its class is its sender's choice.
        (message("ş" * 71, "ucs2", data_coding=0x18), Manner(languages=(TURKISH,)), (0x18, "ucs2")),
        (message("ê" * 80, "latin1", data_coding=3), Manner(languages=(PORTUGUESE,)), (3, "latin1")),
        (message("ê" * 80, "latin1"), Manner(languages=(PORTUGUESE,)), (0, "gsm")),
        (message("é", "utf8"), GSM, (0, "gsm")),
        (message("я", "utf8"), GSM, (8, "ucs2")),
        (message("я", "utf8"), Manner("utf8"), (0, "utf8")),
        (message("é", "gsm"), Manner("ucs2"), (0, "ucs2")),
        (message("é", "gsm"), Manner("utf8"), (0, "utf8")),
        (message("é", "ucs2"), GSM, (0, "gsm")),
        (message("Привет", "cyrillic", data_coding=6), GSM, (6, "cyrillic")),
        (message(b"\x01", "binary", data_coding=0xF5), Manner(transliterate="full"), (0xF5, "binary")),
    ],
)
def test_alphabets(asked: Message, manner: Manner, expected: tuple[int, str]) -> None:
    wording = wording_of(asked, manner)
    assert (wording.data_coding, wording.encoding) == expected
    if asked.encoding is not Encoding.BINARY:
        read = decode(wording.payload, wording.encoding, shift=wording.shift)
        assert read == decode(asked.payload, asked.encoding)


PLACE = b"\x05\x00\x03\x01\x02\x01"


@pytest.mark.parametrize(
    ("asked", "link", "expected", "changed"),
    [
        (wide("Don’t"), "typographic", (0, b"Don't"), "’ to '"),
        (wide("Don’t", transliterate="typographic"), "off", (0, b"Don't"), "’ to '"),
        (wide("Don’t"), "off", (8, "Don’t".encode("utf-16-be")), ""),
        (wide("ça"), "typographic", (8, "ça".encode("utf-16-be")), ""),
        (wide("ça", transliterate="full"), "typographic", (0, b"ca"), "ç to c"),
        (wide("été"), "full", (0, b"\x05t\x05"), ""),  # nothing to change: GSM has it
        (message("ça", "latin1", transliterate="full"), "off", (0, b"ca"), "ç to c"),
        (message("ça", "latin1", data_coding=3, transliterate="full"), "off", (3, b"\xe7a"), ""),
        (wide("ça", concat=(1, 2, 1), udh=PLACE), "full", (8, PLACE + "ça".encode("utf-16-be")), ""),
    ],
)
def test_transliteration(asked: Message, link: str, expected: tuple[int, bytes], changed: str) -> None:
    (request,), told = prepared(asked, Manner(transliterate=link), 0.0)
    assert (request.data_coding, request.short_message) == expected
    assert told == changed


def test_a_table_is_better_than_other_letters() -> None:
    asked = wide("ş" * 71)
    wording = wording_of(asked, Manner(languages=(TURKISH,), transliterate="full"))
    assert (wording.shift, wording.changed) == ((0, 1), "")


def test_a_text_in_national_tables_for_a_link_with_another_alphabet() -> None:
    asked = message(b"\x1bs\x1bc", udh=b"\x03\x24\x01\x01", esm_class=0x40)
    assert wording_of(asked, GSM)[:4] == (0, "gsm", b"\x1bs\x1bc", b"\x03\x24\x01\x01"), "as it came"
    (request,) = prepared(asked, Manner("latin1"), 0.0)[0]
    assert (request.esm_class, request.data_coding, request.short_message) == (0, 8, "şç".encode("utf-16-be"))
    only_cedilla = msgspec.structs.replace(asked, payload=b"\x1bc")
    assert wording_of(only_cedilla, Manner("latin1"))[:4] == (0, "latin1", b"\xe7", b"")
    # A part that would outgrow its SMS keeps its octets and its tables.
    part = message(b"\x1bs" * 70, udh=b"\x08\x00\x03\x2a\x02\x01\x24\x01\x01", concat=(0x2A, 2, 1), esm_class=0x40)
    assert wording_of(part, Manner("latin1"))[:4] == (0xF1, "gsm", part.payload, part.udh)


def test_a_long_one_in_national_tables_is_cut_with_them() -> None:
    asked = message(b"\x1bs" * 90, udh=b"\x03\x24\x01\x01", esm_class=0x40)
    for sequence, request in enumerate(prepared(asked, GSM, 0.0)[0], 1):
        assert request.short_message[:9] == bytes((8, 0x24, 1, 1, 0, 3, 0x04, 2, sequence))
        assert len(request.short_message) - 9 == (148, 32)[sequence - 1]


def test_the_four_ways_of_a_long_text() -> None:
    asked = message("a" * 200, tlvs=((0x1401, b"x"),))
    narrow = prepared(asked, Manner(cut="udh8"), 0.0)[0]
    assert [request.short_message[:6] for request in narrow] == [
        b"\x05\x00\x03\x04\x02\x01",
        b"\x05\x00\x03\x04\x02\x02",
    ]
    broad = prepared(asked, Manner(cut="udh16"), 0.0)[0]
    assert broad[1].short_message[:7] == b"\x06\x08\x04\x02\x06\x02\x02"
    assert len(broad[0].short_message) == 7 + 152
    sar = prepared(asked, Manner(cut="sar"), 0.0)[0]
    assert [(request.esm_class, len(request.short_message)) for request in sar] == [(0, 153), (0, 47)]
    assert sar[1].tlvs == ((0x1401, b"x"), (0x020C, b"\x00\x04"), (0x020E, b"\x02"), (0x020F, b"\x02"))
    (whole,) = prepared(asked, Manner(cut="payload"), 0.0)[0]
    assert (whole.esm_class, whole.short_message) == (0, b"")
    assert whole.tlvs == ((0x1401, b"x"), (0x0424, b"a" * 200))
    assert count_of(asked, Manner(cut="payload")) == 1
    (short,) = prepared(message("a" * 160), Manner(cut="payload"), 0.0)[0]
    assert short.short_message == b"a" * 160


def test_a_sender_s_parts_become_sar_where_a_link_asks_for_it() -> None:
    part = message("a" * 153, udh=b"\x06\x08\x04\x01\x2a\x03\x02", concat=(0x12A, 3, 2), esm_class=0x40)
    (request,) = prepared(part, Manner(cut="sar"), 0.0)[0]
    assert (request.esm_class, request.short_message) == (0, b"a" * 153)
    assert request.tlvs == ((0x020C, b"\x01\x2a"), (0x020E, b"\x03"), (0x020F, b"\x02"))
    ported = b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x2a\x03\x02"
    part = message(b"\x01", "binary", data_coding=4, udh=ported, concat=(0x2A, 3, 2), esm_class=0x40)
    (request,) = prepared(part, Manner(cut="sar"), 0.0)[0]
    assert (request.esm_class, request.short_message) == (0x40, b"\x06\x05\x04\x0b\x84\x23\xf0\x01")
    for cut in ("udh8", "udh16", "payload"):
        (request,) = prepared(part, Manner(cut=cut), 0.0)[0]
        assert (request.short_message, request.tlvs) == (ported + b"\x01", ()), "as it came"


@pytest.mark.parametrize(("letters", "octets"), [(160, [140]), (161, [140, 14]), (7, [7]), (8, [7])])
def test_packed(letters: int, octets: list[int]) -> None:
    asked = message("é" * letters)
    requests = prepared(asked, Manner(is_packed=True), 0.0)[0]
    assert [len(request.short_message) for request in requests] == octets
    read = b""
    for request in requests:
        _, udh, payload = concat_of(request.esm_class, request.short_message, ())
        read += unpack(payload, fill_bits(len(udh)))
    assert read == b"\x05" * letters
    (request,) = prepared(wide("é"), Manner(is_packed=True), 0.0)[0]
    assert request.short_message == b"\x00\xe9"


def test_utf8_is_measured_as_a_handset_will_see_it() -> None:
    # 139 octets, but 139 units of UCS2 once the carrier has made an SMS of it.
    asked = message("a" * 134 + "😀" + "b", "utf8")
    assert count_of(asked, Manner("utf8")) == 3
    requests = prepared(asked, Manner("utf8"), 0.0)[0]
    assert "".join(decode(request.short_message[6:], "utf8") for request in requests) == "a" * 134 + "😀b"
    assert count_of(message("é" * 160, "utf8"), Manner("utf8")) == 1
    assert count_of(message("é" * 161, "utf8"), Manner("utf8")) == 2


def test_a_part_in_utf8_that_has_no_other_name_is_refused() -> None:
    part = message("a" * 100 + "я", "utf8", concat=(1, 2, 1))
    with pytest.raises(TextFault) as caught:
        wording_of(part, GSM)
    assert caught.value.kind == "no_data_coding"


def test_what_a_link_says_of_texts() -> None:
    link = schema.Link(kind="smpp", septets="packed", national_languages=("urdu", "turkish"), long_messages="sar")
    assert manner_of(link) == Manner("gsm", True, (1, 13), "off", "sar")
    assert manner_of(msgspec.structs.replace(link, data_coding_0="latin1")).languages == ()


@given(
    st.text(max_size=400),
    st.sampled_from(["udh8", "udh16", "sar", "payload"]),
    st.sets(st.sampled_from([1, 2, 3, 6, 13]), max_size=2),
    st.sampled_from(["gsm", "latin1", "ascii", "utf8", "ucs2"]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_every_text_arrives(text: str, cut: str, languages: set[int], alphabet: str, is_packed: bool) -> None:
    text = text.encode("utf-16-be", "replace").decode("utf-16-be")
    manner = Manner(alphabet, is_packed, tuple(sorted(languages)) if alphabet == "gsm" else (), "off", cut)
    asked = wide(text)
    requests = prepared(asked, manner, 0.0)[0]
    assert len(requests) == count_of(asked, manner)
    read = ""
    for request in requests:
        body = request.short_message or dict(request.tlvs).get(0x0424, b"")
        _, udh, payload = concat_of(request.esm_class, body, ())
        encoding = encoding_of(request.data_coding, alphabet)
        if is_packed and encoding == "gsm":
            payload = unpack(payload, fill_bits(len(udh)))
        read += decode(payload, encoding, shift=shift_of(udh))
    assert read.rstrip("\r") == text.rstrip("\r") if is_packed else read == text
