"""Receipts as carriers really write them, and as we write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.smpp.errors import LocalFault
from protocol.smpp.receipt import ParsedReceipt, build_text, build_tlvs, is_receipt, parse

SUBMITTED = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
DONE = datetime(2026, 1, 2, 3, 5, tzinfo=UTC)
USUAL = b"id:0123456789 sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:Hello"
GUID = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"
WORDS = ("ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD")


def test_build_text_is_appendix_b() -> None:
    assert build_text("0123456789", "DELIVRD", SUBMITTED, DONE, "000", b"Hello") == USUAL
    assert build_text("a", "UNDELIV", SUBMITTED, DONE, "5", b"x" * 30) == (
        b"id:a sub:001 dlvrd:000 submit date:2601020304 done date:2601020305 stat:UNDELIV err:005 text:" + b"x" * 20
    )


def test_build_tlvs() -> None:
    assert build_tlvs("abc", "EXPIRED") == ((0x001E, b"abc\x00"), (0x0427, b"\x03"))
    assert build_tlvs("abc", "UNDELIV", (3, 0x0102))[2] == (0x0423, b"\x03\x01\x02")
    with pytest.raises(LocalFault) as caught:
        build_tlvs("abc", "FAILED")
    assert caught.value.kind == "unknown_state"


@pytest.mark.parametrize("state", WORDS)
def test_what_we_build_is_read_back(state: str) -> None:
    expected = ParsedReceipt("id-1", state, "042", DONE)
    assert parse(build_text("id-1", state, SUBMITTED, DONE, "042"), ()) == expected
    assert parse(b"", build_tlvs("id-1", state, (3, 42))) == ParsedReceipt("id-1", state, "042", None, 0x03002A)


@pytest.mark.parametrize(
    ("esm_class", "tlvs", "is_one"),
    [
        (0x04, (), True),
        (0x44, (), True),
        (0x20, (), True),
        (0x00, (), False),
        (0x40, (), False),
        (0x08, (), False),
        (0x00, ((0x001E, b"x\x00"),), True),
        (0x00, ((0x0204, b"\x00\x01"),), False),
    ],
)
def test_is_receipt(esm_class: int, tlvs: tuple[tuple[int, bytes], ...], is_one: bool) -> None:
    assert is_receipt(esm_class, tlvs) is is_one


@pytest.mark.parametrize(
    ("text", "carrier_id", "state", "error"),
    [
        (USUAL, "0123456789", "DELIVRD", "000"),
        (USUAL.lower(), "0123456789", "DELIVRD", "000"),
        (USUAL.upper(), "0123456789", "DELIVRD", "000"),
        (USUAL.replace(b"DELIVRD", b"FAILED"), "0123456789", "UNDELIV", "000"),
        (USUAL.replace(b"DELIVRD", b"REJECTED"), "0123456789", "REJECTD", "000"),
        (USUAL.replace(b"DELIVRD", b"DELIVERED"), "0123456789", "DELIVRD", "000"),
        (USUAL.replace(b"DELIVRD", b"UNDELIVERABLE"), "0123456789", "UNDELIV", "000"),
        (USUAL.replace(b"DELIVRD", b"ACCEPTED"), "0123456789", "ACCEPTD", "000"),
        (USUAL.replace(b"DELIVRD", b"BUFFERED"), "0123456789", "ENROUTE", "000"),
        (USUAL.replace(b"err:000", b"err:E-1204"), "0123456789", "DELIVRD", "E-1204"),
        (USUAL.replace(b"id:0123456789", b"id:" + b"z" * 255), "z" * 255, "DELIVRD", "000"),
        (USUAL.replace(b"0123456789", GUID.encode()), GUID, "DELIVRD", "000"),
        (b"stat:EXPIRED id:77", "77", "EXPIRED", "000"),
        (b"id:77 stat:EXPIRED", "77", "EXPIRED", "000"),
        (b"id: 77 stat: EXPIRED err: 12", "77", "EXPIRED", "12"),
        (b"id:77 err: stat:EXPIRED", "77", "EXPIRED", "000"),
        (b"ID:77;STAT:DELETED;ERR:1", "77", "DELETED", "1"),
        (b"text:hello id:77 stat:DELIVRD", "77", "DELIVRD", "000"),
        (b"id:77 stat:DELIVRD text:id:99 stat:REJECTD err:9", "77", "DELIVRD", "9"),
        ("id:77 stat:UNDELIV err:1".encode("utf-16-be"), "77", "UNDELIV", "1"),
        (b"id:77 submit_date:1 done_date:2 stat:UNKNOWN", "77", "UNKNOWN", "000"),
    ],
)
def test_parse_texts(text: bytes, carrier_id: str, state: str, error: str) -> None:
    parsed = parse(text, ())
    assert parsed is not None
    assert (parsed.carrier_id, parsed.state, parsed.error) == (carrier_id, state, error)


@pytest.mark.parametrize(
    ("digits", "done"),
    [
        (b"2601020305", DONE),
        (b"260102030500", DONE),
        (b"202601020305", DONE),
        (b"20260102030500", DONE),
        (b"2613020305", None),
        (b"26010203", None),
        (b"yesterday", None),
    ],
)
def test_parse_done_dates(digits: bytes, done: datetime | None) -> None:
    parsed = parse(USUAL.replace(b"2601020305", digits), ())
    assert parsed is not None
    assert parsed.done == done


@pytest.mark.parametrize(
    ("text", "tlvs", "expected"),
    [
        (b"", ((0x001E, b"tlv-1\x00"), (0x0427, b"\x02")), ("tlv-1", "DELIVRD", "000")),
        (b"", ((0x001E, b"no-nul"), (0x0427, b"\x05"), (0x0423, b"\x03\x00\x21")), ("no-nul", "UNDELIV", "033")),
        (USUAL, ((0x001E, b"tlv-1\x00"),), ("tlv-1", "DELIVRD", "000")),
        (USUAL, ((0x0427, b"\x08"),), ("0123456789", "REJECTD", "000")),
        (USUAL, ((0x001E, b"\x00"), (0x1401, b"vendor")), ("0123456789", "DELIVRD", "000")),
        (b"free words", ((0x001E, b"t\x00"), (0x0427, b"\x00")), ("t", "ENROUTE", "000")),
        (USUAL, ((0x0427, b"\x00\x02"), (0x0423, b"\x03")), ("0123456789", "DELIVRD", "000")),
    ],
)
def test_parse_tlvs_first(text: bytes, tlvs: tuple[tuple[int, bytes], ...], expected: tuple[str, str, str]) -> None:
    parsed = parse(text, tlvs)
    assert parsed is not None
    assert (parsed.carrier_id, parsed.state, parsed.error) == expected


@pytest.mark.parametrize(
    ("text", "tlvs"),
    [
        (b"", ()),
        (b"your parcel has arrived", ()),
        (b"id:77", ()),
        (b"stat:DELIVRD", ()),
        (b"id:77 stat:PERHAPS", ()),
        (USUAL.replace(b"DELIVRD", b"PERHAPS"), ()),
        (b"id:" + b"z" * 256 + b" stat:DELIVRD", ()),
        (b"", ((0x001E, b"t\x00"),)),
        (b"", ((0x001E, b"t\x00"), (0x0427, b"\x63"))),
        (b"", ((0x0427, b"\x02"),)),
        (b"grid:77 stat:DELIVRD", ()),
    ],
)
def test_parse_gives_up(text: bytes, tlvs: tuple[tuple[int, bytes], ...]) -> None:
    assert parse(text, tlvs) is None


@given(st.binary(max_size=120) | st.text("id:sta erxDELIVR01\x00", max_size=120).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_parse_takes_any_octets(octets: bytes) -> None:
    for parsed in (parse(octets, ()), parse(octets, ((0x0427, b"\x02"),)), parse(b"", ((0x001E, octets),))):
        assert parsed is None or (parsed.carrier_id and parsed.state in WORDS)


@st.composite
def usual_texts(draw: st.DrawFn) -> bytes:
    """Texts of the usual shape, and of shapes that nearly are; what follows them may imitate fields."""
    name = draw(st.text("0123456789abcdefXYZ-_.:/", min_size=1, max_size=40))
    digits = st.text("0123456789", min_size=5, max_size=15)
    done = draw(st.sampled_from(["2601020305", "260102030506", "20260102030506", "9999999999"]) | digits)
    word = draw(
        st.sampled_from([*WORDS, "DELIVERED", "Undelivered", "PERHAPS", "UNKN"]) | st.text("DELIVR", max_size=9)
    )
    error = draw(st.text("0123456789abcXYZ_", max_size=10))
    tail = draw(
        st.sampled_from(["", " ", " text:", " text:Hello", " Text:id:9 stat:EXPIRED err:7", " err:9", ";x", " x"])
    )
    return f"id:{name} sub:001 dlvrd:001 submit date:2601020304 done date:{done} stat:{word} err:{error}{tail}".encode()


@given(usual_texts())
@settings(max_examples=200, deadline=None)
def test_the_usual_shape_is_read_as_any_other(text: bytes) -> None:
    """A space before it makes the usual shape an unusual one, which is read field by field."""
    assert parse(text, ()) == parse(b" " + text, ())
