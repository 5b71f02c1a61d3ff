# ruff: noqa: E501 # captures stand here as they came
"""Carriers' dialects: what those that are shipped make of receipts as their sources show them; what files may say."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.carriers.receipt_dialects import TEXT_MAX, Dialect
from gatewayd.carriers.smpp_reports import report_of
from gatewayd.config.receipt_dialects import DialectFault, decode
from gatewayd.config.receipt_files import SHIPPED, shipped_names
from gatewayd.message import Inbound, Receipt
from protocol.smpp.pdu import DeliverSm
from protocol.smpp.receipt import parse

VODAFONE = "00,0210021543,0210021500,,447887123456,10110200000000,we2345678i9o03er45ty67u"


def shipped(name: str) -> Dialect:
    return Dialect((SHIPPED / f"{name}.toml").read_text())


# Dialect, text, TLVs, (id, state, error, done, words).
GOLDEN = [
    ("vodafone_csv", VODAFONE, (), ("we2345678i9o03er45ty67u", "DELIVRD", "000", "0210021543", "00 000")),
    (
        "vodafone_csv",
        "01,0210021543,0210021500,30,447887123456,10110200000999,we2345678i9o03erliuweydsy",
        (),
        ("we2345678i9o03erliuweydsy", "ENROUTE", "30", "0210021543", "01 30 (no credit)"),
    ),
    (
        "vodafone_csv",
        VODAFONE.replace("00,", "02,", 1),
        ((0x001E, b"4711\0"),),
        ("4711", "UNDELIV", "000", "0210021543", "02 000"),
    ),
    (
        "jasmin",
        "id:1298d520-b783-49d9-87af-643d7bf13304 submit date:2411051159 done date:2411051159 stat:DELIVRD err:00",
        (),
        ("1298d520-b783-49d9-87af-643d7bf13304", "DELIVRD", "00", "2411051159", ""),
    ),
    (
        "jasmin",
        "id:dbd1d8e8-d2a4-4efe-b508-60761b1ae484 submit date:201906190720 done date:201906190720 stat:EXPIRED err:030",
        (),
        ("dbd1d8e8-d2a4-4efe-b508-60761b1ae484", "EXPIRED", "030", "1906190720", ""),
    ),
    (
        "smppcenter",
        (
            "id:64567564356765435676 sub:001 dlvrd:001 submit date:190608165232 done date:190608165237 stat:DELIVRD err:000"
            " text:Hello World"
        ),
        (),
        ("64567564356765435676", "DELIVRD", "000", "190608165237", ""),
    ),
    (
        "vonage",
        "id:0000000012345678 sub:001 dlvrd:001 submit date:1601010100 done date:1601010101 stat:DELIVRD err:000 text:none",
        (),
        ("0000000012345678", "DELIVRD", "000", "1601010101", ""),
    ),
    (
        "clickatell",
        (
            "id:a29f6845555647139e5c8f3b817f2c9a sub:001 dlvrd:001 submit date:141023215253 done date:141023215259"
            " stat:DELIVRD err:000 text:"
        ),
        (),
        ("a29f6845555647139e5c8f3b817f2c9a", "DELIVRD", "000", "141023215259", ""),
    ),
    (
        "failed_words",
        "id:1216080510463401720 sub:001 dlvrd:001 submit date:1608051046 done date:0000000000 stat:FAILED err:002 Text:",
        (),
        ("1216080510463401720", "UNDELIV", "002", "", "FAILED 002 (failed)"),
    ),
    (
        "failed_words",
        "id:7 sub:001 dlvrd:000 submit date:1608051046 done date:1608051047 stat:NACK err:1",
        (),
        ("7", "REJECTD", "1", "1608051047", "NACK 1"),
    ),
    (
        "no_counts",
        "id:1526758174 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000 text:hellow",
        (),
        ("1526758174", "DELIVRD", "000", "1701240904", ""),
    ),
    (
        "smpp_times",
        (
            "id:rdwjwxns18krxr9936ey96ymcw sub:000 dlvrd:000 submit date:180711070003912+ done date:180711070000012+"
            " stat:UNDELIV err:000"
        ),
        (),
        ("rdwjwxns18krxr9936ey96ymcw", "UNDELIV", "000", "180711040000", ""),
    ),
    (
        "long_err",
        (
            "id:117062714244798261 sub:001 dlvrd:001 submit date:1706271624 done date:1706271624 stat:DELIVRD err:0000"
            " text:Hllo world"
        ),
        ((0x0423, b"\x03\x00\x00"), (0x1454, bytes(4))),
        ("117062714244798261", "DELIVRD", "0000", "1706271624", ""),
    ),
    (
        "eight_by_eight",
        "id:0123456789 sub:001 dlvrd:000 submit date:2601010100 done date:2601010101 stat:UNDELIV err:021 Text: hi",
        (),
        ("0123456789", "UNDELIV", "021", "2601010101", "UNDELIV 021 (memory full)"),
    ),
    (
        "two_lines",
        "id:0911897980 sub:001 dlvrd:000 submit date:1201121551 done\ndate:1201121551 stat:UNDELIV err:075 Text:-PROFILE",
        (),
        ("0911897980", "UNDELIV", "075", "1201121551", ""),
    ),
]


def test_every_dialect_has_a_capture() -> None:
    assert {name for name, *_ in GOLDEN} == set(shipped_names())
    assert len(shipped_names()) >= 8


@pytest.mark.parametrize(("name", "text", "tlvs", "expected"), GOLDEN)
def test_captures(
    name: str, text: str, tlvs: tuple[tuple[int, bytes], ...], expected: tuple[str, str, str, str, str]
) -> None:
    parsed = shipped(name).parse(text.encode(), tlvs)
    assert parsed is not None
    layout = "%y%m%d%H%M" if len(expected[3]) == 10 else "%y%m%d%H%M%S"
    done = parsed.done.astimezone(UTC).strftime(layout) if parsed.done else ""
    assert (parsed.carrier_id, parsed.state, parsed.error, done, parsed.words) == expected


@pytest.mark.parametrize("name", shipped_names())
def test_no_dialect_reads_less_than_none(name: str) -> None:
    """What has none of its forms is read as appendix B, or told by TLVs alone."""
    text = b"id:00ff sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:Hello"
    dialect, usual = shipped(name), parse(text, ())
    parsed = dialect.parse(text, ())
    assert usual is not None
    assert parsed is not None
    assert (parsed.carrier_id, parsed.state) == (usual.carrier_id, usual.state)
    only = dialect.parse(b"", ((0x001E, b"17\0"), (0x0427, b"\x05"), (0x0423, b"\x03\x00\x1b")))
    assert only is not None
    assert (only.carrier_id, only.state, only.error, only.network_error) == ("17", "UNDELIV", "027", 0x03001B)
    assert dialect.parse(b"Your parcel is here", ()) is None


@given(st.text(max_size=300), st.sampled_from(shipped_names()))
@settings(max_examples=60, deadline=None)
def test_no_text_surprises_a_dialect(text: str, name: str) -> None:
    dialect = shipped(name)
    octets = text.encode("latin-1", "replace")
    assert dialect.parse(octets, ()) is None or dialect.is_written_so(octets) or parse(octets, ()) is not None


@pytest.mark.parametrize("name", shipped_names())
def test_what_is_made_to_be_slow_is_not(name: str) -> None:
    dialect = shipped(name)
    evil = [b"id:" * 20_000, b"00,0210021543,0210021500," + b"1" * 60_000, b"done date:" * 6_000, b"stat:A" * 9_000]
    began = time.process_time()
    for text in evil:
        dialect.parse(text, ())
    assert time.process_time() - began < 0.5, f"at most {TEXT_MAX} octets are looked at"


# -- what a file may say ----------------------------------------------------------------------------------------------

HEAD = 'about = "a"\nsource = "b"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Object missing required field `about`"),
        (HEAD + "moon = 1", "Object contains unknown field `moon`"),
        (HEAD + 'statuses = { A = "DONE" }', "Invalid enum value 'DONE' - at `$.statuses[...]`"),
        (HEAD + "[[forms]]", "form 1: it needs a pattern, or columns, or words: one of the three"),
        (HEAD + "[[forms]]\npattern = '(?P<stat>A)'\ncolumns = ['stat']", "form 1: it needs a pattern"),
        (HEAD + "[[forms]]\npattern = '('", "form 1: the pattern is none: missing )"),
        (HEAD + "[[forms]]\npattern = '(?P<id>A)'", "form 1: nothing tells the state: name a group stat"),
        (HEAD + "[[forms]]\npattern = '(?P<stat>A)(?P<moon>B)'", "form 1: the pattern has a group 'moon'"),
        (
            HEAD + "[[forms]]\npattern = '(a+)+(?P<stat>B)'",
            "form 1: a receipt could keep the pattern busy for too long",
        ),
        (HEAD + "[[forms]]\npattern = '(?P<stat>" + "A" * 1000 + ")'", "form 1: the pattern has 1010 characters"),
        (HEAD + "[[forms]]\ncolumns = ['id', '']", "form 1: nothing tells the state: name a column or a word stat"),
        (HEAD + "[[forms]]\ncolumns = ['stat', 'sun']", "form 1: there is no field 'sun'"),
        (HEAD + "[[forms]]\ncolumns = ['stat']\nseparator = ', '", "form 1: separator must be one character"),
        (HEAD + "[[forms]]\nwords = { stat = 'a:b' }", "form 1: 'a:b' cannot stand before a colon"),
        (HEAD + "dates = ['%Q']", "dates: '%Q' is no form of a date"),
        (HEAD + 'zone = "Mars"', "zone: 'Mars' is no time zone"),
        (HEAD + "x", "Expected '=' after a key"),
    ],
)
def test_a_file_that_is_wrong_says_where(text: str, fault: str) -> None:
    with pytest.raises(DialectFault) as caught:
        decode(text)
    assert str(caught.value).startswith(fault)


def test_columns_and_words_and_a_text_that_counts_more_than_tlvs() -> None:
    dialect = Dialect(
        HEAD
        + 'trusts_tlvs = false\nzone = "Europe/Paris"\ndates = ["%Y-%m-%dT%H:%M"]\nstatuses = { ok = "DELIVRD" }\n'
        + '[[forms]]\ncolumns = ["id", "", "stat", "done"]\nseparator = "|"\n'
        + '[[forms]]\nwords = { id = "ref", stat = "result" }\n'
    )
    tlvs = ((0x001E, b"other\0"), (0x0427, b"\x05"))
    parsed = dialect.parse(b"17|x|OK|2026-07-01T12:00", tlvs)
    assert parsed is not None
    assert (parsed.carrier_id, parsed.state) == ("17", "DELIVRD")
    assert parsed.done == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    words = dialect.parse(b"result=ok ref=18", ())
    assert words is not None
    assert (words.carrier_id, words.state, words.done) == ("18", "DELIVRD", None)
    assert dialect.read(b"19|x|gone|").refusal == "the status 'gone' is not in [statuses]"
    assert dialect.read(b"|x|ok|").refusal == "nothing tells the message's id"
    assert dialect.read(b"hello").refusal == "it has none of the forms"


# -- receipts that nothing but their text marks -----------------------------------------------------------------------

USUAL = b"id:17 sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 text:Hello"


@pytest.mark.parametrize(
    ("text", "esm_class", "dialect", "is_receipt"),
    [
        (USUAL, 0, "", True),
        (b"id:17 stat:DELIVRD", 0, "", False),
        (b"I got: " + USUAL, 0, "", False),
        (USUAL, 0x08, "", False),
        (VODAFONE.encode(), 0, "vodafone_csv", True),
        (VODAFONE.encode(), 0x40, "vodafone_csv", False),
        (b"00,yes", 0, "vodafone_csv", False),
        (USUAL, 0, "vodafone_csv", False),
    ],
)
def test_without_a_mark(text: bytes, esm_class: int, dialect: str, is_receipt: bool) -> None:
    reader = shipped(dialect) if dialect else None
    pdu = DeliverSm(esm_class=esm_class, short_message=b"\x03\x01\x01\x01" + text if esm_class == 0x40 else text)
    assert isinstance(report_of(pdu, "gsm", "auto", False, reader, without_mark=True), Receipt) is is_receipt
    assert isinstance(report_of(pdu, "gsm", "auto", False, reader), Inbound), "never by default"


@pytest.mark.parametrize("esm_class", [0x08, 0x10, 0x18])
def test_what_a_handset_acknowledges_is_its_message(esm_class: int) -> None:
    """SMPP 3.4 sections 2.11 and 5.2.12: SME delivery, user acknowledgement, conversation abort."""
    pdu = DeliverSm(esm_class=esm_class, short_message=b"read", tlvs=((0x001E, b"17\0"),))
    report = report_of(pdu, "gsm", "auto")
    assert isinstance(report, Inbound)
    assert (report.esm_class, report.payload) == (esm_class, b"read")


def test_the_network_error_of_a_usual_receipt_goes_on() -> None:
    pdu = DeliverSm(esm_class=4, short_message=USUAL, tlvs=((0x0423, b"\x08\x01\x02"),))
    report = report_of(pdu, "gsm", "auto")
    assert isinstance(report, Receipt)
    assert (report.network_error, report.error, report.words) == (0x080102, "258", "")
    failed = report_of(DeliverSm(esm_class=4, short_message=USUAL.replace(b"DELIVRD", b"FAILED")), "gsm", "auto")
    assert isinstance(failed, Receipt)
    assert failed.words == "FAILED 000"
