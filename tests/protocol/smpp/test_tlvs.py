"""TLVs by name: their faults, what they say, and which of them may go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.smpp.constants import Status
from protocol.smpp.errors import LocalFault
from protocol.smpp.receipt import build_tlvs
from protocol.smpp.tlv_table import DEFINITIONS, Definition
from protocol.smpp.tlvs import fault_of, first_fault, name_of, owner_of, ranges_of, read, rule_of, tag_of, write
from protocol.smpp.versions import congestion_tlv

tlvs = st.lists(
    st.tuples(st.one_of(st.sampled_from(sorted(DEFINITIONS)), st.integers(0, 0xFFFF)), st.binary(max_size=30)),
    max_size=6,
).map(tuple)


@pytest.mark.parametrize(
    ("tag", "value", "status"),
    [
        (0x0204, b"\0\x2a", None),
        (0x0204, b"\x2a", Status.ESME_RINVPARLEN),
        (0x001E, b"abc\0", None),
        (0x001E, b"abc", Status.ESME_RINVOPTPARAMVAL),
        (0x001E, b"a\0c\0", Status.ESME_RINVOPTPARAMVAL),
        (0x001E, b"", Status.ESME_RINVPARLEN),
        (0x020E, b"\0", Status.ESME_RINVOPTPARAMVAL),
        (0x0304, b"\x64", Status.ESME_RINVOPTPARAMVAL),
        (0x0428, b"\x65", Status.ESME_RINVOPTPARAMVAL),
        (0x130C, b"", None),
        (0x0019, b"\x63", None),  # its other values are reserved, not forbidden
        (0x1400, b"anything", None),
    ],
)
def test_a_fault_has_the_status_of_the_standard(tag: int, value: bytes, status: Status | None) -> None:
    fault = fault_of(tag, value)
    assert (fault and fault.status) == status
    if fault:
        assert fault.detail == name_of(tag)


def test_the_first_fault_counts() -> None:
    assert first_fault(((0x0204, b"\0\x2a"), (0x1400, b""))) is None
    fault = first_fault(((0x0204, b"\0\x2a"), (0x020E, b"\0\x02"), (0x001E, b"abc")))
    assert fault is not None
    assert (fault.kind, fault.detail) == ("tlv_size", "sar_total_segments")


@given(tlvs)
def test_anything_can_be_judged_and_read(given_tlvs: tuple[tuple[int, bytes], ...]) -> None:
    for tag, value in given_tlvs:
        assert all(said.at + said.size <= max(1, len(value)) for said in read(tag, value))
    first_fault(given_tlvs)


@given(st.sampled_from([row for row in DEFINITIONS.values() if row.size_max <= 300]), st.data())
def test_what_is_written_by_name_is_well(row: Definition, data: st.DataObject) -> None:
    value = data.draw(st.one_of(st.integers(0, 300), st.text(max_size=20), st.binary(max_size=30)))
    try:
        tag, octets = write(row.name, value)
    except LocalFault:
        return
    assert tag == row.tag
    assert fault_of(tag, octets) is None


def test_it_is_written_as_the_standard_has_it() -> None:
    assert write("receipted_message_id", "abc") == (0x001E, b"abc\0")
    assert write("user_message_reference", 42) == (0x0204, b"\0\x2a")
    assert write("network_error_code", b"\x03\0\x22") == (0x0423, b"\x03\0\x22")
    with pytest.raises(LocalFault):
        write("message_state", 256)
    with pytest.raises(LocalFault):
        write("number_of_messages", 100)


def test_what_a_value_says() -> None:
    assert [(said.name, said.value, said.words) for said in read(0x0423, b"\x03\x00\x22")] == [
        ("network_type", 3, "GSM"),
        ("error_code", 0x22, ""),
    ]
    assert [(said.name, said.value, said.words) for said in read(0x0030, b"\x81")] == [
        ("indicator", 1, "on"),
        ("type", 1, "fax"),
    ]
    assert [(said.name, said.words) for said in read(0x0428, b"\x5f")] == [("congestion_state", "congested")]
    assert [(said.value, said.words) for said in read(0x0427, b"\x02")] == [(2, "DELIVERED")]
    assert read(0x001E, b"abc\0")[0].value == "abc"
    assert read(0x1400, b"xy")[0].value == b"xy"


def test_a_tag_is_named_by_name_number_or_range() -> None:
    assert ranges_of(["source_port", "0x1400-0x14FF", "0x1501", "all"]) == (
        (0x020A, 0x020A),
        (0x1400, 0x14FF),
        (0x1501, 0x1501),
        (0, 0xFFFF),
    )
    assert tag_of("dest_port") == tag_of("destination_port") == 0x020B
    for wrong in ("", "1400", "0x14FF-0x1400", "source_porn", "0x10000", "-", "0x14-zz"):
        with pytest.raises(ValueError):
            ranges_of([wrong])


def test_a_tag_has_an_owner() -> None:
    assert (owner_of(0x1400), owner_of(0x3FFF), owner_of(0x4000)) == ("vendors' own", "vendors' own", "reserved")
    assert name_of(0x1400) == "0x1400"


def test_a_rule_that_changes_nothing_is_none() -> None:
    assert rule_of(("all",)) is None
    nothing = rule_of(())
    assert nothing is not None
    assert nothing(((0x1400, b"x"), (0x020C, b"\0\1"), (0x0424, b"text"))) == ((0x020C, b"\0\1"), (0x0424, b"text"))


def test_a_rule_keeps_order_and_renames_both_ways() -> None:
    passing, renames = ("user_message_reference", "0x1400-0x14FF"), ((0x1400, 0x2000),)
    out, back = rule_of(passing, renames), rule_of(passing, renames, is_incoming=True)
    assert out is not None
    assert back is not None
    given_tlvs = ((0x1400, b"a"), (0x0030, b"\x80"), (0x0204, b"\0\1"), (0x1400, b"b"))
    sent = ((0x2000, b"a"), (0x0204, b"\0\1"), (0x2000, b"b"))
    assert out(given_tlvs) == sent
    assert back((*sent, (0x3000, b"c"))) == ((0x1400, b"a"), (0x0204, b"\0\1"), (0x1400, b"b"))


def test_what_is_written_without_the_table_for_speed_is_right_by_it() -> None:
    for state in ("DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD", "ENROUTE"):
        assert first_fault(build_tlvs("0123456789abcdef", state, (3, 0x1234))) is None
    assert build_tlvs("a", "DELIVRD", (3, 5)) == (
        write("receipted_message_id", "a"),
        write("message_state", 2),
        write("network_error_code", b"\x03\x00\x05"),
    )
    assert [congestion_tlv(state) for state in (-1, 0, 99, 101)] == [
        write("congestion_state", n) for n in (0, 0, 99, 100)
    ]
